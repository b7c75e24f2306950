"""One video with its masks, as frames for the network.

`Video` is what `inference_core.segment_frames` reads: a clip of a user's own, or a video of a
benchmark (`dataset.benchmarks`). H W is the size of the input, h w the size the network gets.
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

from dataset.layout import masks_by_name
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
from util.errors import UserError
from util.masks import MaskReader
from util.parallel import prefetch


@dataclass(frozen=True, eq=False)
class Frame:
    """A frame as `InferenceCore.step` takes it, and as people see it."""

    index: int  # in the input, from 0
    name: str
    image: torch.Tensor  # 3, h, w float32 in [0, 1]
    mask: torch.Tensor | None  # h, w uint8 ids; None where the frame is not annotated
    object_ids: list[int] | None  # ids in the mask, including ids lost when it is scaled down
    picture: np.ndarray  # H, W, 3 uint8
    annotation: np.ndarray | None  # H, W uint8: the mask at the size of the input


class Video:
    """Iterates over the frames of a source, in the order of `indices`. Decodes ahead, in threads.

    Arguments:
      source: where the frames come from.
      masks: path of the mask by frame index, for annotated frames.
      read_mask: reads such a path into a uint8 array (H, W) of ids.
      short_side: length to which `resize` brings the short side for the network; None keeps it.
      indices: which frames, in which order; by default all.
      resize: scales an image (3, H, W) to a size; by default `resize_image`.
    """

    def __init__(
        self,
        source: Source,
        masks: Mapping[int, Path],
        read_mask: Callable[[Path], np.ndarray],
        *,
        short_side: int | None = None,
        indices: range | None = None,
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
        return f'{index:05}' if self.is_live else self.source.names[index]

    def __iter__(self) -> Iterator[Frame]:
        indices, again = itertools.tee(self.indices)
        jobs = (
            partial(self._load, index, job)
            for index, job in zip(indices, self.source.jobs(again), strict=False)
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
        """Runs outside the reading threads: each thread that computes with torch would start its
        own team of OpenMP threads, and these would compete with the network's."""
        image = torch.from_numpy(picture).permute(2, 0, 1).float() / 255
        image = self.resize(image, self.network_size)
        mask = ids = None
        if annotation is not None:
            mask = resize_mask(torch.from_numpy(annotation), self.network_size)
            ids = np.unique(annotation[annotation > 0]).tolist()
        return Frame(index, self.name(index), image, mask, ids, picture, annotation)


class MatchedMasks(NamedTuple):
    """The masks that belong to a source."""

    paths: dict[int, Path]  # by frame index; only masks that show an object
    reader: MaskReader
    notes: list[str]  # sentences to tell the user: what was scaled or cleaned


def open_video(spec: str | Path, masks: str | Path, *, short_side: int | None = 480) -> Video:
    """Open a video with the mask of its first frame, or a folder of masks named like frames.

    The video starts at the first annotated frame.

    Arguments:
      spec: a video file, a folder of images, or the number of a camera.
      masks: an image of ids or colours, or a folder of such images.
      short_side: what the network gets (see `PropagationNetwork.short_side`); None keeps the size.

    Raises UserError for whatever cannot be read or does not fit together.
    """
    source = open_source(spec)
    matched = match_masks(masks, source, all_indices(source))
    indices = all_indices(source)[min(matched.paths) :]
    return Video(source, matched.paths, matched.reader.read, short_side=short_side, indices=indices)


def all_indices(source: Source) -> range:
    """The frame indices of a source; without an end for a camera."""
    return range(sys.maxsize if source.is_live else len(source.names))


def match_masks(
    path: str | Path, source: Source, indices: range, *, clean: bool = False
) -> MatchedMasks:
    """Find, read and check the masks for the chosen frames of a source before work starts.

    Arguments:
      path: one image, for the first of `indices`, or a folder of masks named like frames.
      clean: snap soft borders to solid areas instead of refusing them.
    """
    path = Path(path)
    if not path.exists():
        raise UserError(f'{path}: no such mask; give an image or a folder', parameter='mask')
    if path.is_file():
        masks = {indices[0]: path}
    elif source.is_live:
        raise UserError(f'{path}: a camera takes one mask, for its first frame')
    else:
        masks = masks_by_name(path, source.names, indices)
    reader = MaskReader(list(masks.values()), clean=clean)
    notes = [*reader.cleaned, *check_sizes(masks.values(), reader, source)]
    shown = {index: mask for index, mask in masks.items() if reader.ids[mask]}
    return MatchedMasks(shown, reader, notes)


def check_sizes(paths: Iterable[Path], reader: MaskReader, source: Source) -> Iterator[str]:
    """Raise UserError for a mask of another size; yield a note on each that has to be scaled."""
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
    """Whether a mask was drawn on frames with non-square pixels as players show them.

    They stretch either the width or the height; sizes may differ by a pixel, as in `check_fit`.
    """
    (height, width), shape = source.size, source.pixel_shape
    shown = [(height, round(width * shape)), (round(height / shape), width)]
    fits = any(abs(size[0] - h) <= 1 and abs(size[1] - w) <= 1 for h, w in shown)
    return fits and shape != 1 and tuple(size) != tuple(source.size)
