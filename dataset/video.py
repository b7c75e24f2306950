"""One video with its masks, as frames for the network.

`inference_core.segment_frames` iterates over a `Video`, which is either the user's own clip or a
video of a benchmark (`dataset.benchmarks`). H W is the size of the input, h w the size to which it
is resized for the network.
"""

import itertools
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from dataset.mask_names import check_is_image, check_name, masks_by_name
from dataset.sizes import (
    Size,
    check_fit,
    describe,
    fit_mask,
    resize_image,
    resize_mask,
    size_for_network,
)
from dataset.sources import ReadJob, Source, open_source
from dataset.video_file import VideoFile
from util.errors import UserError
from util.masks import MaskReader
from util.masks.ids import some
from util.parallel import prefetch


@dataclass(frozen=True, eq=False)
class Frame:
    """A frame, both resized for `InferenceCore.step` and at its original size."""

    index: int  # position in the input, from 0
    name: str
    image: torch.Tensor  # 3, h, w float32 in [0, 1]
    mask: torch.Tensor | None  # h, w uint8 ids; None if the frame is not annotated
    object_ids: list[int] | None  # ids in the annotation, even if scaling it down loses some
    picture: np.ndarray  # H, W, 3 uint8: the image at its original size
    annotation: np.ndarray | None  # H, W uint8: the mask at its original size


class Video:
    """The frames of a source, in the order of `indices`. Threads decode them ahead of time.

    Arguments:
        source: where the frames come from.
        masks: frame index -> path of its mask, for annotated frames.
        read_mask: reads a mask file into a uint8 array (H, W) of ids.
        short_side: length in pixels to which the short side is scaled for the network; None keeps
            the original size.
        indices: which frames to read, and in which order; by default, all of them.
        resize: scales an image (3, H, W) to a given size; by default, `resize_image`.
    """

    def __init__(
        self,
        source: Source,
        masks: Mapping[int, Path],
        read_mask: Callable[[Path], np.ndarray],
        *,
        short_side: int | None = None,
        indices: Sequence[int] | None = None,
        resize: Callable[[torch.Tensor, Size], torch.Tensor] | None = None,
    ) -> None:
        self.source = source
        self.masks = masks
        self.read_mask = read_mask
        self.resize = resize or resize_image
        self.size = source.size  # H, W
        self.is_live = source.is_live
        self.network_size = size_for_network('the input', source.size, short_side)
        self.indices = all_indices(source) if indices is None else indices

    def name(self, index: int) -> str:
        """The name of a frame: its number for a camera, the name in the source otherwise."""
        return f'{index:05}' if self.is_live else self.source.names[index]

    def __iter__(self) -> Iterator[Frame]:
        indices, to_read = itertools.tee(self.indices)
        jobs = (
            partial(self._load, index, job)
            for index, job in zip(indices, self.source.jobs(to_read), strict=False)
        )
        for index, picture, annotation in prefetch(jobs, self.source.num_workers):
            if picture is None:
                return
            yield self._frame(index, picture, annotation)

    def _load(self, index: int, job: ReadJob) -> tuple[int, np.ndarray | None, np.ndarray | None]:
        picture, path = job(), self.masks.get(index)
        annotation = None
        if picture is not None and path is not None:
            annotation = self.read_mask(path)
            if is_display_size(annotation.shape, self.source):
                annotation = resize_mask(torch.from_numpy(annotation), self.size).numpy()
            annotation = fit_mask(path, annotation, self.size)
        return index, picture, annotation

    def _frame(self, index: int, picture: np.ndarray, annotation: np.ndarray | None) -> Frame:
        """Build a frame, resized for the network, from the data that was read for it.

        This must not run in the reading threads: each of them would start its own OpenMP threads,
        which would compete with those of the network.
        """
        image = torch.from_numpy(picture).permute(2, 0, 1).float() / 255
        image = self.resize(image, self.network_size)
        mask = ids = None
        if annotation is not None:
            mask = resize_mask(torch.from_numpy(annotation), self.network_size)
            ids = np.unique(annotation[annotation > 0]).tolist()
        return Frame(index, self.name(index), image, mask, ids, picture, annotation)


class MatchedMasks(NamedTuple):
    """The masks that belong to the frames of a source."""

    paths: dict[int, Path]  # frame index -> mask; unless asked for, none without objects
    reader: MaskReader
    notes: list[str]  # messages for the user: what was left out, guessed, scaled or cleaned


def open_video(spec: str | Path, masks: str | Path, *, short_side: int | None = 480) -> Video:
    """Open a video and its masks. The result starts at the first annotated frame.

    Arguments:
        spec: a video file, a folder of images, or the number of a camera.
        masks: a mask for the first frame (an image of ids or colours), or a folder of masks named
            like their frames.
        short_side: length in pixels to which the short side is scaled for the network (see
            `PropagationNetwork.short_side`); None keeps the original size.
    Raises:
        UserError: the frames or masks cannot be read, or do not match.
    """
    source = open_source(spec, masks)
    matched = match_masks(masks, source, all_indices(source))
    indices = all_indices(source)[min(matched.paths) :]
    return Video(source, matched.paths, matched.reader.read, short_side=short_side, indices=indices)


def all_indices(source: Source) -> range:
    """The indices of all frames of a source; for a camera, the range is practically endless."""
    return range(sys.maxsize if source.is_live else len(source.names))


def match_masks(
    path: str | Path,
    source: Source,
    indices: range,
    *,
    clean: bool = False,
    keep_empty: bool = False,
) -> MatchedMasks:
    """Find and check the masks for the chosen frames of a source.

    Arguments:
        path: a mask for the first of `indices`, or a folder of masks named like their frames.
        source: where the frames come from.
        indices: the chosen frames.
        clean: snap soft mask borders to the nearest solid area instead of rejecting such masks.
        keep_empty: use masks that show no object, which otherwise say nothing.
    Raises:
        UserError: a mask is missing, cannot be read or does not match its frame.
    """
    path = Path(path)
    if not path.exists():
        raise UserError(f'{path}: no such mask; give an image or a folder', parameter='mask')
    notes: list[str] = []
    if path.is_file():
        check_is_image(path)
        if not source.is_live:
            check_name(path, source.names, indices[0])
        masks = {indices[0]: path}
    elif source.is_live:
        raise UserError(f'{path}: a camera takes a single mask, for its first frame')
    else:
        is_counted = isinstance(source, VideoFile)
        masks, found = masks_by_name(path, source.names, indices, is_counted=is_counted)
        notes += found
    reader = MaskReader(list(masks.values()), clean=clean)
    notes += [*reader.notes, *check_sizes(masks.values(), reader, source)]
    empty = [mask for mask in masks.values() if not reader.ids[mask] and not keep_empty]
    if empty:
        notes.append(f'{some(empty)}: no object in the mask, so it is ignored and corrects nothing')
    shown = {index: mask for index, mask in masks.items() if mask not in empty}
    return MatchedMasks(shown, reader, notes)


def check_sizes(paths: Iterable[Path], reader: MaskReader, source: Source) -> Iterator[str]:
    """Raise UserError for a mask of another size; yield a note on each one to be scaled."""
    for path in paths:
        size = reader.sizes[path]
        if is_display_size(size, source):
            coded = describe(source.size)
            yield f'{path}: {describe(size)}, scaled to {coded}, because the pixels are not square'
            continue
        check_fit(path, size, source.size)
        if tuple(size) != tuple(source.size):
            yield f'{path}: {describe(size)}, scaled by one pixel to the size of its frame'


def is_display_size(size: Sequence[int], source: Source) -> bool:
    """Whether a mask has the size at which players show a video with non-square pixels.

    Players stretch either the width or the height; sizes may differ by a pixel, as in `check_fit`.
    """
    (height, width), shape = source.size, source.pixel_shape
    shown = [(height, round(width * shape)), (round(height / shape), width)]
    fits = any(abs(size[0] - h) <= 1 and abs(size[1] - w) <= 1 for h, w in shown)
    return fits and shape != 1 and tuple(size) != tuple(source.size)
