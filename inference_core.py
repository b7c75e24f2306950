"""Propagation through one video, frame by frame: the library's front door.

    network = load_for_inference()
    core = InferenceCore(network)
    prob = core.step(image, mask)    # the first frame, with its mask
    prob = core.step(image)          # every later frame
    mask = core.to_mask(prob)        # uint8 (H, W) of object ids

or, for a whole video, `segment_frames`. The method is MiVOS (CVPR 2021), section 3.

K objects; H W the image; H' W' padded to multiples of 16; h w = H'/16 W'/16 (feature cells).
"""

from collections.abc import Iterable, Iterator, Sequence
from numbers import Integral
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from dataset.sizes import Size, describe
from dataset.video import Frame
from model.bank import KeptFrame, MemoryBank
from model.memory import aggregate
from model.network import STRIDE, PropagationNetwork, load_network
from util.device import choose_device
from util.errors import UserError
from util.options import default_model
from util.run_info import Stopwatch
from util.tensor import Padding, as_float, one_hot, pad, padding, resize, unpad


def load_for_inference(
    path: str | Path | None = None, device: str | torch.device = 'auto', *, compiled: bool = False
) -> PropagationNetwork:
    """Load a network that is ready to segment several objects.

    Arguments:
      path: a checkpoint; None takes the published weights if they are there
        (saves/propagation_model.pth), else the bundled ones.
      device: 'auto' (the fastest), 'cpu', 'cuda', 'cuda:N' or 'mps'.
      compiled: also compile it with torch.compile, which takes about a minute at the first frame.

    The attribute `short_side` of the result is the image size it works best at, if it says so.
    Raises UserError for a file that is not a checkpoint of this network.
    """
    if not isinstance(device, torch.device):
        device = choose_device(device)
    return load_network(
        path or default_model(), device, multi_object=True, for_inference=True, compiled=compiled
    )


def segment_frames(
    core: 'InferenceCore', video: Iterable[Frame], watch: Stopwatch | None = None
) -> Iterator[tuple[Frame, np.ndarray]]:
    """Propagate through a video: yields each frame with its mask at the size of the input.

    Arguments:
      core: a new InferenceCore.
      video: a dataset.video.Video, or any frames of one.
      watch: measures the time spent in the network.

    Masks are uint8 (H, W) of object ids.
    """
    watch = watch or Stopwatch(core.device)
    for frame in video:
        with watch:
            prob = core.step(frame.image, frame.mask, frame.object_ids)
            mask = core.to_mask(prob, frame.picture.shape[:2])
        yield frame, mask


class PreviousFrame(NamedTuple):
    """A segmented frame that is not in memory yet."""

    image: torch.Tensor  # 1, 3, H', W'
    prob: torch.Tensor  # K+1, H', W'
    keep: bool  # whether it stays in memory, or only until the next frame
    annotated: bool


class Annotation(NamedTuple):
    """A checked mask, and the ids it speaks about."""

    object_ids: list[int]
    mask: torch.Tensor  # H', W' int64


class InferenceCore:
    """Follows the objects of one video; make a new one for each video.

    Arguments:
      network: a PropagationNetwork; computation runs on its device.
      mem_every: every n-th frame stays in memory, counted from the last annotated one.
      top_k: memory positions that each pixel reads from; None for all.
      kernel_sigma: standard deviation of kernelized memory, in feature cells (published: 5.6); None
        without it.
      max_mem_frames: how many frames stay in memory per object, None for no limit. Beyond it the
        oldest go; annotated ones always stay.
      amp: half precision, bfloat16 on a CPU and float16 elsewhere. Affinity and aggregation stay
        in float32.

    Attribute: `object_ids`; channel i + 1 of a result is the object object_ids[i].
    """

    def __init__(
        self,
        network: PropagationNetwork,
        *,
        mem_every: int = 5,
        top_k: int | None = 50,
        kernel_sigma: float | None = None,
        max_mem_frames: int | None = None,
        amp: bool = False,
    ) -> None:
        check_count('mem_every', mem_every)
        check_count('top_k', top_k, or_none=True)
        check_count('max_mem_frames', max_mem_frames, or_none=True)
        if kernel_sigma is not None and not kernel_sigma > 0:
            raise UserError(f'kernel_sigma must be greater than 0, not {kernel_sigma}')
        self.network = network
        self.mem_every = mem_every
        self.top_k, self.kernel_sigma = top_k, kernel_sigma
        self.bank = MemoryBank(max_mem_frames)
        self.amp = amp
        self.object_ids: list[int] = []
        self.index = 0  # of the next frame
        self.last_kept: KeptFrame | None = None  # what the latest step added to memory for good
        self._last_annotated = 0
        self._size: Size | None = None
        self._previous: PreviousFrame | None = None

    @property
    def device(self) -> torch.device:
        return self.network.device

    @torch.inference_mode()
    def step(
        self,
        image: torch.Tensor,
        mask: torch.Tensor | np.ndarray | None = None,
        object_ids: Sequence[int] | None = None,
    ) -> torch.Tensor:
        """Take the next frame and return its probabilities.

        Arguments:
          image (3, H, W): uint8, or float in [0, 1]. All frames of a video have one size.
          mask (H, W): integer object ids in 1..255; 0 where nothing is said. A mask may come with
            any frame, bring new objects and correct known ones.
          object_ids: ids this mask speaks about; must include every id in it. A new id without
            pixels still gets a channel, a known id without pixels is left unchanged. By default
            the ids in the mask.

        Returns:
          float32 (K+1, H, W), channel 0 the background; sums to 1. It belongs to the caller.

        Raises UserError for other shapes, sizes or ids.
        """
        image, pads = self._prepare(image)
        with self._autocast():
            # 1. Memorise the previous frame. Done only now, so that the last frame of a video is
            #    never encoded, and nobody needs to know the video's length.
            self._memorize_previous()
            # 2. Read from memory and decode.
            prob = self._segment(image)
        # 3. Lay the mask over the result, where there is one.
        annotation = None if mask is None else self._check_mask(mask, object_ids, pads)
        if annotation is not None:
            prob = self._merge(prob, annotation)
            self._last_annotated = self.index
        # 4. Decide whether this frame stays in memory.
        if self.object_ids:
            keep = (self.index - self._last_annotated) % self.mem_every == 0
            self._previous = PreviousFrame(image, prob, keep, annotation is not None)
        self.index += 1
        return unpad(prob, pads).clone()

    @torch.inference_mode()
    def to_mask(self, prob: torch.Tensor, size: Sequence[int] | None = None) -> np.ndarray:
        """Turn the probabilities (K+1, H, W) of `step` into a uint8 mask of object ids.

        The mask has the size (height, width) if given, else that of prob. The probabilities are
        scaled, not the mask, which keeps its borders smooth.
        """
        channels = resize(prob, size or prob.shape[-2:]).max(0).indices  # argmax is far slower
        ids = torch.tensor([0, *self.object_ids], dtype=torch.uint8, device=prob.device)
        return ids[channels].cpu().numpy()

    @torch.inference_mode()
    def restore(self, frames: Iterable[KeptFrame]) -> None:
        """Continue after the last of these frames (oldest first) as if they had been seen here."""
        for frame in frames:
            keys, values = frame.keys.to(self.device), frame.values.to(self.device)
            self.bank.restore(frame._replace(keys=keys, values=values))
            self.object_ids = list(frame.object_ids)
            self.index = frame.index + 1
            if frame.annotated:
                self._last_annotated = frame.index

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, dtype=amp_dtype(self.device), enabled=self.amp)

    def _prepare(self, image: torch.Tensor) -> tuple[torch.Tensor, Padding]:
        """Move an image (3, H, W) to the device as (1, 3, H', W'), zero in the padding once
        normalised."""
        image = torch.as_tensor(image)
        if image.ndim != 3 or image.shape[0] != 3:
            raise UserError(f'an image must have the shape (3, H, W), not {tuple(image.shape)}')
        height, width = image.shape[-2:]
        self._size = self._size or (height, width)
        if (height, width) != self._size:
            raise UserError(
                f'frame {self.index} is {describe((height, width))}, the frames before it are '
                f'{describe(self._size)}; a video has one size'
            )
        if image.device.type == 'cpu' and self.device.type == 'cuda':
            image = image.pin_memory()  # so that the copy does not wait for running kernels
        image = as_float(image.to(self.device, non_blocking=True))
        pads = padding(height, width, STRIDE)
        return pad(image, pads, self.network.mean).unsqueeze(0), pads

    def _memorize_previous(self) -> None:
        self.last_kept = None
        if self._previous is None:
            return
        image, prob, keep, annotated = self._previous
        keys, values = self.network.memorize(image, prob[None, 1:])
        slots = self.bank.write(keys[0], values[0], keep=keep, annotated=annotated)
        if keep:
            self.last_kept = KeptFrame(
                self.index - 1, annotated, list(self.object_ids), slots, keys[0], values[0]
            )

    def _segment(self, image: torch.Tensor) -> torch.Tensor:
        """Joint probabilities (K+1, H', W') of the objects known so far in an image
        (1, 3, H', W')."""
        if not self.object_ids:
            return image.new_ones(1, *image.shape[-2:])
        query = self.network.encode_query(image)
        readout = self.bank.read(query.key[0], top_k=self.top_k, kernel_sigma=self.kernel_sigma)
        logits = self.network.decode(query, readout[None])[0]
        return aggregate(logits.float().sigmoid())

    def _check_mask(
        self, mask: torch.Tensor | np.ndarray, object_ids: Sequence[int] | None, pads: Padding
    ) -> Annotation | None:
        """Check and pad a mask (H, W); None if it says nothing."""
        mask = torch.as_tensor(mask if torch.is_tensor(mask) else np.asarray(mask))
        where = f'the mask of frame {self.index}'
        assert self._size is not None
        if tuple(mask.shape) != self._size or mask.is_floating_point() or mask.is_complex():
            raise UserError(
                f'{where} must be integer ids of size {describe(self._size)}, not {mask.dtype} of '
                f'shape {tuple(mask.shape)}'
            )
        mask = mask.to(self.device, torch.long)
        present = set(mask.unique().tolist())
        ids = sorted(present - {0}) if object_ids is None else [int(i) for i in object_ids]
        if not (present | set(ids)) <= {*range(256)} or 0 in ids:
            raise UserError(f'{where}: object ids must lie in 1..255 (0 is the background)')
        if not present <= {0, *ids} or len(set(ids)) != len(ids):
            raise UserError(
                f'{where} holds {sorted(present - {0})}, which object_ids {ids} must list once each'
            )
        return Annotation(ids, pad(mask, pads)) if ids else None

    def _merge(self, prob: torch.Tensor, annotation: Annotation) -> torch.Tensor:
        """Lay a mask over the propagated prob (K+1, H', W'); new ids become channels.

        Where the mask shows an object, all others are set to zero; then everything is aggregated
        again. Elsewhere the propagated probabilities stay.
        """
        ids, mask = annotation
        new = [i for i in ids if i not in self.object_ids]
        self.object_ids += new
        objects = torch.cat([prob[1:], prob.new_zeros(len(new), *mask.shape)])
        objects = objects * (mask == 0)
        seen = [i for i in mask.unique().tolist() if i]
        objects[[self.object_ids.index(i) for i in seen]] = one_hot(mask, seen)
        return aggregate(objects)


def amp_dtype(device: torch.device) -> torch.dtype:
    """The half precision of `amp`: CPUs have no fast float16 arithmetic."""
    return torch.bfloat16 if device.type == 'cpu' else torch.float16


def check_count(name: str, value: int | None, *, or_none: bool = False) -> None:
    """Raise UserError unless a value is a whole number of at least 1 (or None, if allowed)."""
    if value is None and or_none:
        return
    if not isinstance(value, Integral) or value < 1:
        raise UserError(f'{name} must be a whole number of at least 1, not {value}')
