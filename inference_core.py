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
from pathlib import Path

import numpy as np
import torch

from dataset.sizes import Size, check_size
from dataset.video import Frame
from model.bank import KeptFrame, MemoryBank, PreviousFrame
from model.inference_conv import keep_half_weights
from model.inputs import check_count, prepare
from model.memory import aggregate
from model.merging import merge
from model.network import PropagationNetwork, load_network
from util.device import choose_device
from util.errors import UserError
from util.options import default_model
from util.run_info import Stopwatch
from util.tensor import one_hot, resize, unpad


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
    core: 'InferenceCore',
    video: Iterable[Frame],
    watch: Stopwatch | None = None,
    *,
    whole: bool = False,
) -> Iterator[tuple[Frame, np.ndarray]]:
    """Segment a video frame by frame, yielding each frame together with its mask.

    Arguments:
        core: a new InferenceCore, or one that has been restored to continue with these frames.
        video: the frames, usually a dataset.video.Video.
        watch: a stopwatch for the time spent in the network.
        whole: the masks of the frames say everything; see `InferenceCore.step`.
    Yields:
        The frame, and its mask at the size of the input: object ids, uint8 (H, W).
    """
    watch = watch or Stopwatch(core.device)
    for frame in video:
        with watch:
            prob = core.step(frame.image, frame.mask, frame.object_ids, whole=whole)
            mask = core.to_mask(prob, frame.picture.shape[:2])
        yield frame, mask


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
            Reference frames do not count.
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
        if amp:
            keep_half_weights(network, amp_dtype(network.device))
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
        *,
        whole: bool = False,
    ) -> torch.Tensor:
        """Segment the next frame.

        Arguments:
            image: (3, H, W), uint8 or float in [0, 1]. All frames of a video must have the same
                size.
            mask: (H, W), integer object ids in 1..255, or 0 where the propagated result is to be
                kept. Any frame may come with a mask, which may add new objects and correct known
                ones. As published, a frame whose mask shows no object stays in memory, too.
            object_ids: ids of the objects that the mask annotates, which must include every id in
                it. A new id without pixels still gets a channel; a known id without pixels is left
                unchanged. Defaults to the ids in the mask.
            whole: the mask says everything: 0 is background, and a known object without pixels is
                not in this frame.
        Returns:
            Probabilities, float32 (K+1, H, W), which sum to 1 over the channels; channel 0 is the
            background. The caller may change the tensor.
        Raises:
            UserError: the image or the mask has a wrong shape, size or dtype, or the ids are not
                valid.
        """
        what = f'frame {self.index}'
        with torch.inference_mode():
            image, size, pads, annotation = prepare(self.network, what, image, mask, object_ids)
            self._size = self._size or size
            check_size(what, size, self._size)
            if annotation is not None and not (annotation.object_ids or self.object_ids):
                annotation = None  # nothing is known that could be followed
            # 1. Memorise the previous frame. Because this is put off until the next frame arrives,
            #    the last frame of a video is never encoded for nothing, and the length of the video
            #    need not be known.
            self._memorize_previous()
            # 2. Read from memory and decode.
            prob = self._segment(image)
            # 3. If the frame comes with a mask, merge it into the result.
            if annotation is not None:
                self._add_objects(annotation.object_ids)
                prob = merge(prob, annotation.mask, self.object_ids, whole=whole)
                self._last_annotated = self.index
            # 4. Decide whether this frame stays in memory.
            if self.object_ids:
                keep = (self.index - self._last_annotated) % self.mem_every == 0
                self._previous = PreviousFrame(
                    image, list(self.object_ids), prob[1:], keep, annotation is not None
                )
            self.index += 1
        return unpad(prob, pads).clone()  # outside inference mode, so that callers can modify it

    @torch.inference_mode()
    def memorize(
        self,
        image: torch.Tensor,
        mask: torch.Tensor | np.ndarray,
        object_ids: Sequence[int] | None = None,
    ) -> None:
        """Add a reference frame to memory, where it stays, without advancing to the next frame.

        References may come from anywhere in the video, or from another one of any size. If there
        are some before the first step, that step needs no mask.

        Arguments:
            image: (3, H, W), as for `step`.
            mask: (H, W), integer object ids in 1..255; 0 is background.
            object_ids: ids of the objects that the mask annotates, which must include every id in
                it. One without pixels is not in this frame. Defaults to the ids in the mask. The
                frame is added to the memory of these objects only.
        Raises:
            UserError: the image or the mask is not valid (see `step`), or annotates no object.
        """
        what = 'the reference frame'
        image, *_, annotation = prepare(self.network, what, image, mask, object_ids)
        assert annotation is not None
        ids = annotation.object_ids
        if not ids:
            raise UserError(f'the mask of {what} shows no object; draw one, or pass object_ids')
        keys, values = self._encode(image, aggregate(one_hot(annotation.mask, ids))[1:])
        self.bank.add_reference(ids, keys, values)
        self._add_objects(ids)

    def remove(self, object_ids: Iterable[int]) -> None:
        """Drop objects with their channels and their memory. Their ids may be used again.

        Call `to_mask` first for results of earlier steps, which still have the dropped channels.

        Raises:
            UserError: one of the ids is not that of an object.
        """
        gone = set(object_ids)
        if unknown := gone - set(self.object_ids):
            raise UserError(f'object {min(unknown)} is not one of the objects {self.object_ids}')
        self.bank.remove(gone)
        self.object_ids = [i for i in self.object_ids if i not in gone]
        if self._previous is not None:
            self._previous = self._previous.without(gone)

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
        """Load frames kept by an earlier run, oldest first, and continue after the last of them.

        Reference frames are not among them: memorise those again first. Objects that have been
        removed come back.
        """
        for frame in frames:
            keys, values = frame.keys.to(self.device), frame.values.to(self.device)
            self.bank.restore(frame._replace(keys=keys, values=values))
            self._add_objects(frame.object_ids)
            self.index = frame.index + 1
            if frame.annotated:
                self._last_annotated = frame.index

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, dtype=amp_dtype(self.device), enabled=self.amp)

    def _encode(
        self, image: torch.Tensor, masks: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys (K, CK, h, w) and values (K, CV, h, w) of an image (1, 3, H', W').

        masks: (K, H', W'), probabilities.
        """
        with self._autocast():
            keys, values = self.network.memorize(image, masks[None])
        return keys[0], values[0]

    def _memorize_previous(self) -> None:
        self.last_kept = None
        frame = self._previous
        if frame is None:
            return
        ids, keep, annotated = frame.object_ids, frame.keep, frame.annotated
        keys, values = self._encode(frame.image, frame.masks)
        slots = self.bank.write(ids, keys, values, keep=keep, annotated=annotated)
        if keep:
            self.last_kept = KeptFrame(self.index - 1, annotated, ids, slots, keys, values)

    def _segment(self, image: torch.Tensor) -> torch.Tensor:
        """Propagate the objects known so far to an image (1, 3, H', W').

        Returns their joint probabilities (K+1, H', W').
        """
        if not self.object_ids:
            return image.new_ones(1, *image.shape[-2:])
        with self._autocast():
            query = self.network.encode_query(image)
            readout = self.bank.read(
                self.object_ids, query.key[0], top_k=self.top_k, kernel_sigma=self.kernel_sigma
            )
            logits = self.network.decode(query, readout[None])[0]
        return aggregate(logits.float().sigmoid())

    def _add_objects(self, object_ids: Iterable[int]) -> None:
        self.object_ids += [i for i in object_ids if i not in self.object_ids]


def amp_dtype(device: torch.device) -> torch.dtype:
    """The half-precision type that `amp` uses: bfloat16 on CPUs, which lack fast float16."""
    return torch.bfloat16 if device.type == 'cpu' else torch.float16
