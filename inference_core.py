"""Propagation through one video, frame by frame: the main entry point of the library.

    network = load_for_inference()
    core = InferenceCore(network)
    prob = core.step(image, mask)    # the first frame, with its mask
    prob = core.step(image)          # every later frame
    mask = core.to_mask(prob)        # object ids, uint8 (H, W)

`segment_frames` does this for a whole video. The method is described in MiVOS (CVPR 2021),
section 3.

Legend: K objects, H W image size, H' W' image size padded to multiples of 16, h w = H'/16 W'/16
(size of the feature grid, in cells).
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
        path: a checkpoint file. By default, the published weights (saves/propagation_model.pth) if
            they have been downloaded, otherwise the bundled ones.
        device: 'auto' (the fastest one available), 'cpu', 'cuda', 'cuda:N' or 'mps'.
        compiled: compile the network with torch.compile, which adds about a minute to the first
            frame.
    Returns:
        The network. Its attribute `short_side` is the frame size at which it works best (length of
        the short side in pixels), or None if the checkpoint does not state it.
    Raises:
        UserError: the file is not a checkpoint of this network.
    """
    if not isinstance(device, torch.device):
        device = choose_device(device)
    return load_network(
        path or default_model(), device, multi_object=True, for_inference=True, compiled=compiled
    )


def segment_frames(
    core: 'InferenceCore', video: Iterable[Frame], watch: Stopwatch | None = None
) -> Iterator[tuple[Frame, np.ndarray]]:
    """Segment a video frame by frame, yielding each frame together with its mask.

    Arguments:
        core: a new InferenceCore, or one that has been restored to continue with these frames.
        video: the frames, usually a dataset.video.Video.
        watch: a stopwatch for the time spent in the network.
    Yields:
        The frame, and its mask at the size of the input: object ids, uint8 (H, W).
    """
    watch = watch or Stopwatch(core.device)
    for frame in video:
        with watch:
            prob = core.step(frame.image, frame.mask, frame.object_ids)
            mask = core.to_mask(prob, frame.picture.shape[:2])
        yield frame, mask


class PreviousFrame(NamedTuple):
    """A segmented frame that has not been memorised yet."""

    image: torch.Tensor  # 1, 3, H', W'
    prob: torch.Tensor  # K+1, H', W'
    keep: bool  # True: it stays in memory for good; False: only until the next frame
    annotated: bool


class Annotation(NamedTuple):
    """A validated mask, and the ids of the objects it annotates."""

    object_ids: list[int]
    mask: torch.Tensor  # H', W' int64


class InferenceCore:
    """Follows objects through one video. Create a new instance for each video.

    Arguments:
        network: the network; computation runs on its device.
        mem_every: keep every n-th frame in memory, counting from the last annotated one.
        top_k: number of memory positions that each query position reads from; None reads from all.
        kernel_sigma: standard deviation of the Gaussian of kernelized memory, in feature cells (5.6
            in the published results); None switches kernelized memory off.
        max_mem_frames: maximum number of frames kept in memory per object; None for no limit. When
            it is reached, the oldest frame is dropped, but annotated frames are always kept.
        amp: compute in half precision: bfloat16 on a CPU, float16 elsewhere. Affinity and
            aggregation stay in float32.
    Attributes:
        object_ids: ids of the objects so far; channel i + 1 of a result belongs to object_ids[i].
        index: index of the next frame, counting calls of `step` from 0.
        last_kept: the frame that the latest call of `step` added to memory for good, if any.
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
        self.index = 0
        self.last_kept: KeptFrame | None = None
        self._last_annotated = 0
        self._size: Size | None = None
        self._previous: PreviousFrame | None = None

    @property
    def device(self) -> torch.device:
        """The device that the network computes on."""
        return self.network.device

    def step(
        self,
        image: torch.Tensor,
        mask: torch.Tensor | np.ndarray | None = None,
        object_ids: Sequence[int] | None = None,
    ) -> torch.Tensor:
        """Segment the next frame.

        Arguments:
            image: (3, H, W), uint8 or float in [0, 1]. All frames of a video must have the same
                size.
            mask: (H, W), integer object ids in 1..255, or 0 where the propagated result is to be
                kept. Any frame may come with a mask, which may add new objects and correct known
                ones.
            object_ids: ids of the objects that the mask annotates, which must include every id in
                it. A new id without pixels still gets a channel; a known id without pixels is left
                unchanged. Defaults to the ids in the mask.
        Returns:
            Probabilities, float32 (K+1, H, W), which sum to 1 over the channels; channel 0 is the
            background. The caller may change the tensor.
        Raises:
            UserError: the image or the mask has a wrong shape, size or dtype, or the ids are not
                valid.
        """
        with torch.inference_mode():
            image, pads = self._prepare(image)
            with self._autocast():
                # 1. Memorise the previous frame. Because this is put off until the next frame
                #    arrives, the last frame of a video is never encoded for nothing, and the length
                #    of the video need not be known.
                self._memorize_previous()
                # 2. Read from memory and decode.
                prob = self._segment(image)
            # 3. If the frame comes with a mask, merge it into the result.
            annotation = None if mask is None else self._check_mask(mask, object_ids, pads)
            if annotation is not None:
                prob = self._merge(prob, annotation)
                self._last_annotated = self.index
            # 4. Decide whether this frame stays in memory.
            if self.object_ids:
                keep = (self.index - self._last_annotated) % self.mem_every == 0
                self._previous = PreviousFrame(image, prob, keep, annotation is not None)
            self.index += 1
        return unpad(prob, pads).clone()  # outside inference mode, so that callers can modify it

    @torch.inference_mode()
    def to_mask(self, prob: torch.Tensor, size: Sequence[int] | None = None) -> np.ndarray:
        """Turn the probabilities returned by `step` into a mask of object ids.

        Arguments:
            prob: (K+1, H, W).
            size: (height, width) of the mask; by default, that of `prob`. The probabilities are
                resized rather than the mask, so that its borders stay smooth.
        Returns:
            uint8 (height, width); 0 is the background.
        """
        # max(...).indices is far faster than argmax
        channels = resize(prob, size or prob.shape[-2:]).max(0).indices
        ids = torch.tensor([0, *self.object_ids], dtype=torch.uint8, device=prob.device)
        return ids[channels].cpu().numpy()

    @torch.inference_mode()
    def restore(self, frames: Iterable[KeptFrame]) -> None:
        """Load frames kept by an earlier run, oldest first, and continue after the last of them."""
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
        """Check an image (3, H, W), move it to the device and pad it to (1, 3, H', W').

        The padding has the mean colour, so that it is zero after normalisation.
        """
        image = torch.as_tensor(image)
        if image.ndim != 3 or image.shape[0] != 3:
            raise UserError(f'an image must have the shape (3, H, W), not {tuple(image.shape)}')
        check_values(self.index, image)
        height, width = image.shape[-2:]
        self._size = self._size or (height, width)
        if (height, width) != self._size:
            raise UserError(
                f'frame {self.index} is {describe((height, width))}, but the frames before it are '
                f'{describe(self._size)}; all frames of a video must have the same size'
            )
        if image.device.type == 'cpu' and self.device.type == 'cuda':
            image = image.pin_memory()  # so that the CPU need not wait for the GPU to copy it
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
        """Propagate the objects known so far to an image (1, 3, H', W').

        Returns their joint probabilities (K+1, H', W').
        """
        if not self.object_ids:
            return image.new_ones(1, *image.shape[-2:])
        query = self.network.encode_query(image)
        readout = self.bank.read(query.key[0], top_k=self.top_k, kernel_sigma=self.kernel_sigma)
        logits = self.network.decode(query, readout[None])[0]
        return aggregate(logits.float().sigmoid())

    def _check_mask(
        self, mask: torch.Tensor | np.ndarray, object_ids: Sequence[int] | None, pads: Padding
    ) -> Annotation | None:
        """Check and pad a mask (H, W). Returns None if it does not annotate any object."""
        mask = torch.as_tensor(mask if torch.is_tensor(mask) else np.asarray(mask))
        where = f'the mask of frame {self.index}'
        assert self._size is not None
        if tuple(mask.shape) != self._size or mask.is_floating_point() or mask.is_complex():
            raise UserError(
                f'{where} must be an integer array of size {describe(self._size)}, not '
                f'{mask.dtype} of shape {tuple(mask.shape)}'
            )
        mask = mask.to(self.device, torch.long)
        present = set(mask.unique().tolist())
        ids = sorted(present - {0}) if object_ids is None else [int(i) for i in object_ids]
        if not (present | set(ids)) <= {*range(256)} or 0 in ids:
            raise UserError(f'{where}: object ids must be in 1..255 (0 is the background)')
        if not present <= {0, *ids} or len(set(ids)) != len(ids):
            raise UserError(
                f'{where} holds the ids {sorted(present - {0})}; object_ids must list each of them '
                f'exactly once, but is {ids}'
            )
        return Annotation(ids, pad(mask, pads)) if ids else None

    def _merge(self, prob: torch.Tensor, annotation: Annotation) -> torch.Tensor:
        """Merge a mask into the propagated probabilities (K+1, H', W'). New ids get a channel each.

        Where the mask shows an object, that object gets probability 1 and all others 0. Elsewhere,
        the propagated probabilities are kept. Finally, all of them are aggregated again.
        """
        ids, mask = annotation
        new = [i for i in ids if i not in self.object_ids]
        self.object_ids += new
        objects = torch.cat([prob[1:], prob.new_zeros(len(new), *mask.shape)])
        objects = objects * (mask == 0)
        seen = [i for i in mask.unique().tolist() if i]
        objects[[self.object_ids.index(i) for i in seen]] = one_hot(mask, seen)
        return aggregate(objects)


def check_values(index: int, image: torch.Tensor) -> None:
    """Raise UserError unless an image is uint8, or float with values in about [0, 1].

    Bicubic scaling overshoots that range by up to 0.45.
    """
    if image.dtype == torch.uint8 or not image.numel():
        return
    found = str(image.dtype).removeprefix('torch.')
    if image.is_floating_point():
        low, high = (bound.item() for bound in image.aminmax())
        if low >= -0.5 and high <= 1.5:
            return
        found += f' from {low:.4g} to {high:.4g}'
    raise UserError(
        f'frame {index}: an image must be uint8, or float in [0, 1], not {found}; divide 8-bit '
        'values by 255, and do not subtract a mean'
    )


def amp_dtype(device: torch.device) -> torch.dtype:
    """The half-precision type that `amp` uses: bfloat16 on CPUs, which lack fast float16."""
    return torch.bfloat16 if device.type == 'cpu' else torch.float16


def check_count(name: str, value: int | None, *, or_none: bool = False) -> None:
    """Raise UserError unless a value is an integer of at least 1, or None if that is allowed."""
    if value is None and or_none:
        return
    if not isinstance(value, Integral) or value < 1:
        raise UserError(f'{name} must be a whole number of at least 1, not {value}')
