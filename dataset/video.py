"""One video with its masks, as frames for the network. Legend: H W the input, h w the network's.

`Video` is what `InferenceCore` is fed from: a user's clip here, a benchmark's in
`dataset.benchmarks`.
"""

import itertools
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from dataset.layout import masks_by_name
from dataset.sizes import check_fit, fit_mask, resize_image, resize_mask, size_for_network
from util.errors import UserError
from util.masks import MaskReader
from util.parallel import prefetch


class Frame(NamedTuple):
    """A frame as `InferenceCore.step` takes it, and as people see it."""

    index: int  # in the input
    name: str
    image: torch.Tensor  # 3, h, w float32 in [0, 1]
    mask: torch.Tensor | None  # h, w uint8 ids, where this frame is annotated
    object_ids: list | None  # the ids in its mask, also such as vanish when it is scaled down
    picture: np.ndarray  # H, W, 3 uint8
    annotation: np.ndarray | None  # H, W uint8: the mask at the input's size


class Video:
    """The chosen frames of a source, in the order of `indices`, with masks where there are any.

    source: see `dataset.sources`. masks: dict frame index -> path of its mask. read_mask: path ->
    uint8 (H, W) of ids. short_side: the network's size (None: as it is), which `resize` brings an
    image to. indices: which frames, in which order; all by default. Iterating decodes ahead, in
    threads.
    """

    def __init__(self, source, masks, read_mask, *, short_side=None, indices=None, resize=None):
        self.source = source
        self.masks = masks
        self.read_mask = read_mask
        self.resize = resize or resize_image
        self.size = source.size  # H, W
        self.is_live = source.names is None
        self.network_size = size_for_network('the input', source.size, short_side)
        self.indices = indices if indices is not None else range(len(source.names))

    def name(self, index):
        return self.source.names[index] if self.source.names else f'{index:05}'

    def __iter__(self):
        indices, again = itertools.tee(self.indices)
        jobs = (
            partial(self._load, index, job)
            for index, job in zip(indices, self.source.jobs(again), strict=False)
        )
        for index, picture, annotation in prefetch(jobs, self.source.num_workers):
            if picture is None:
                return
            yield self._frame(index, picture, annotation)

    def _load(self, index, job):
        picture, path = job(), self.masks.get(index)
        annotation = None
        if picture is not None and path is not None:
            annotation = fit_mask(path, self.read_mask(path), self.size)
        return index, picture, annotation

    def _frame(self, index, picture, annotation):
        """Not in the reading threads: each that computes with torch would start its own team of
        OpenMP threads, and these would fight with the network's."""
        image = torch.from_numpy(picture).permute(2, 0, 1).float() / 255
        image = self.resize(image, self.network_size)
        mask = ids = None
        if annotation is not None:
            mask = resize_mask(torch.from_numpy(annotation), self.network_size)
            ids = np.unique(annotation[annotation > 0]).tolist()
        return Frame(index, self.name(index), image, mask, ids, picture, annotation)


def match_masks(path, source, indices, *, clean=False):
    """The masks for a source -> (dict frame index -> path, MaskReader, sentences to tell the user).

    path: one image, for the first of `indices`, or a folder of masks named like frames. Every mask
    is read and checked here, so that a mistake is told before work starts.
    """
    path = Path(path)
    if not path.exists():
        raise UserError(f'{path}: no such mask; give an image or a folder with --mask')
    first = next(iter(indices))
    masks = {first: path} if path.is_file() else masks_by_name(path, source, indices)
    reader = MaskReader(list(masks.values()), clean=clean)
    notes = list(reader.cleaned)
    for mask_path in masks.values():
        size = reader.sizes[mask_path]
        check_fit(mask_path, size, source.size)
        if size != tuple(source.size):
            wide = f'{size[1]}x{size[0]}'
            notes.append(f'{mask_path}: {wide}, scaled by one pixel to the size of its frame')
    masks = {index: mask for index, mask in masks.items() if reader.ids[mask]}
    return masks, reader, notes
