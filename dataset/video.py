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
import torch.nn.functional as F

from dataset.sources import list_images
from util.ahead import run_ahead
from util.errors import UserError
from util.masks import MaskReader

MAX_PIXELS = 2**25  # for the network, which takes about 1 KiB each; a frame of 8K has as many


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
        for index, picture, annotation in run_ahead(jobs, self.source.num_workers):
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


def scaled(size, short_side):
    """(height, width) with the short side brought to a length; the long one is rounded down."""
    if short_side is None:
        return tuple(size)
    return tuple(int(short_side * side / min(size)) for side in size)


def size_for_network(what, size, short_side):
    """`scaled`; raises UserError where that would be too much for the network."""
    height, width = scaled(size, short_side)
    if height * width > MAX_PIXELS:
        sizes = f'{size[1]}x{size[0]}, of which --size {short_side or -1} makes {width}x{height}'
        limit = f'the network takes up to {MAX_PIXELS // 10**6} million pixels'
        raise UserError(f'{what}: {sizes}, and {limit}; choose another --size')
    return height, width


def resize_image(image, size):
    """(3, H, W) in [0, 1] -> (3, *size): bicubic, smoothed when scaled down, clamped."""
    if tuple(image.shape[-2:]) == tuple(size):
        return image
    resized = F.interpolate(image[None], size, mode='bicubic', antialias=True, align_corners=False)
    return resized[0].clamp(0, 1)


def resize_mask(mask, size):
    """uint8 (H, W) -> (*size), nearest neighbour."""
    if tuple(mask.shape) == tuple(size):
        return mask
    return F.interpolate(mask[None, None], size, mode='nearest')[0, 0]


def fit_mask(path, mask, size):
    """A mask (H, W) one pixel off its frame, as rounding leaves them, is scaled."""
    check_fit(path, mask.shape, size)
    return resize_mask(torch.from_numpy(mask), size).numpy()


def check_fit(path, size, frame_size):
    if max(abs(a - b) for a, b in zip(size, frame_size, strict=True)) > 1:
        sizes = f'{size[1]}x{size[0]}, its frame {frame_size[1]}x{frame_size[0]}'
        raise UserError(f'{path}: the mask is {sizes}; scale it with nearest neighbour')


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


def masks_by_name(folder, source, indices):
    """A mask belongs to the frame of the same name, or, for unnamed frames, of the same number."""
    files = {file.stem: file for file in list_images(folder)}
    if source.names is None:
        raise UserError(f'{folder}: a camera takes one mask, for its first frame')
    index_of = {name: index for index, name in enumerate(source.names)}
    numbered = {int(name): index for name, index in index_of.items() if name.isdecimal()}
    masks = {}
    for stem, file in files.items():
        index = index_of.get(stem, numbered.get(int(stem)) if stem.isdecimal() else None)
        if index is None:
            raise UserError(
                f'{file}: a mask for a frame that is not there; frames are named '
                f'{source.names[0]} to {source.names[-1]}'
            )
        if index in indices:
            if index in masks:
                names = f'{masks[index].name} and {file.name}'
                raise UserError(f'{folder}: {names} are masks for one frame; remove one')
            masks[index] = file
        elif index in range(indices.start, indices.stop):
            raise UserError(
                f'{file}: its frame is left out by --stride {indices.step}; choose a --stride and '
                '--start that meet it, or remove the mask'
            )
    if not masks:
        raise UserError(f'{folder}: none of its masks is for a frame between --start and --end')
    return dict(sorted(masks.items()))
