"""DAVIS 2016, DAVIS 2017 and YouTube-VOS: what to segment, from which masks, and ground truth.

Each function returns the videos of a split, from the trees that dataset/README.md describes. If a
tree lacks something, that is a UserError at once, before anything is segmented.
"""

import json
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from dataset.layout import (
    check_consecutive,
    check_one_mask_per_frame,
    existing,
    first_that_exists,
    list_frames,
    list_masks,
)
from dataset.sizes import Size
from dataset.sources import ImageFolder
from dataset.video import Video
from util.errors import UserError
from util.mask_codes import VOID, any_void
from util.masks import load_foreground, load_mask

SHORT_SIDE = 480  # YouTube-VOS is scaled to it


class BenchmarkVideo(NamedTuple):
    """One video of a benchmark; `open` reads its frames."""

    name: str
    frames: list[Path]
    masks: dict[int, Path]  # masks that objects start from, by frame index
    ground_truth: dict[str, Path] | None  # masks of all frames by file name; None if not public
    required: list[str]  # names of the frames whose masks an evaluation server asks for
    binary: bool = False  # one object: any id is foreground
    short_side: int | None = None  # what the network gets; None keeps the size
    resize: Callable[[torch.Tensor, Size], torch.Tensor] | None = None  # None: resize_image

    def open(self, num_workers: int = 2) -> Video:
        """The frames from the first mask on."""
        source = ImageFolder(self.frames)
        source.num_workers = num_workers
        return Video(
            source,
            self.masks,
            self.read_mask,
            short_side=self.short_side,
            indices=range(min(self.masks), len(self.frames)),
            resize=self.resize,
        )

    def read_mask(self, path: Path) -> np.ndarray:
        """A uint8 array (H, W) of ids, or of 0 and 1 if the video is binary; void becomes 0."""
        mask = load_foreground(path) if self.binary else load_mask(path)
        if VOID in mask and any_void(np.unique(load_mask(p)).tolist() for p in self.masks.values()):
            mask[mask == VOID] = 0
        if len(self.masks) == 1 and not mask.any():
            raise UserError(f'{path}: a mask without objects; every pixel is background (0)')
        return mask


def davis_2017(root: str | Path, split: str = 'val') -> list[BenchmarkVideo]:
    """DAVIS 2017 at 480p as it is: 'val' with ground truth, 'testdev' with first masks only."""
    tree, listed = {'val': ('trainval', 'val'), 'testdev': ('test-dev', 'test-dev')}[split]
    root = existing(Path(root) / tree, 'a DAVIS 2017 tree', parameter='root')
    names = read_list(root / 'ImageSets' / '2017' / f'{listed}.txt')
    images, annotations = root / 'JPEGImages' / '480p', root / 'Annotations' / '480p'
    has_ground_truth = split == 'val'
    return [davis_video(name, images, annotations, has_ground_truth) for name in names]


def davis_2016(root: str | Path, split: str = 'val') -> list[BenchmarkVideo]:
    """The DAVIS 2016 validation set: one object per video, ground truth for every frame.

    Images and the list of videos may also lie in a DAVIS 2017 tree beside this one.
    """
    root = existing(Path(root), 'a DAVIS 2016 tree', parameter='root')
    beside = root.parent / '2017' / 'trainval'
    images = first_that_exists(root / 'JPEGImages' / '480p', beside / 'JPEGImages' / '480p')
    listed = first_that_exists(
        root / 'ImageSets' / '480p' / 'val.txt',
        root / 'ImageSets' / '2016' / 'val.txt',
        beside / 'ImageSets' / '2016' / 'val.txt',
    )
    annotations = root / 'Annotations' / '480p'
    return [
        davis_video(name, images, annotations, True)._replace(binary=True)
        for name in read_list(listed)
    ]


def davis_video(
    name: str, images: Path, annotations: Path, has_ground_truth: bool
) -> BenchmarkVideo:
    frames, masks = list_frames(images / name), list_masks(annotations / name)
    check_consecutive(frames)
    first = next((mask for mask in masks if mask.stem == frames[0].stem), None)
    if first is None:
        raise UserError(f'{annotations / name}: has no mask for the first frame {frames[0].stem}')
    ground_truth = None
    if has_ground_truth:
        check_one_mask_per_frame(frames, masks)
        ground_truth = {path.name: path for path in masks}
    required = [frame.stem for frame in frames]
    return BenchmarkVideo(name, frames, {0: first}, ground_truth, required)


def youtube_vos(root: str | Path, split: str = 'valid') -> list[BenchmarkVideo]:
    """YouTube-VOS: every frame is segmented; objects start where they are first annotated.

    Frames are scaled to a short side of 480 in the way that the published numbers depend on.
    """
    root = existing(Path(root), 'a YouTube-VOS tree', parameter='root')
    images = root / 'all_frames' / f'{split}_all_frames' / 'JPEGImages'
    existing(images, f'all frames of {split}')
    annotations = existing(root / split / 'Annotations', f'the masks of {split}')
    names = sorted(path.name for path in annotations.iterdir() if path.is_dir())
    if not names:
        raise UserError(f'{annotations}: holds no videos')
    required = required_frames(root / split, names)
    return [youtube_video(name, images, annotations, required.get(name, ())) for name in names]


def youtube_video(
    name: str, images: Path, annotations: Path, required: Collection[str]
) -> BenchmarkVideo:
    """required: names of the frames that are evaluated; empty for all of them."""
    frames = list_frames(images / name)
    index_of = {frame.stem: index for index, frame in enumerate(frames)}
    masks = {}
    for file in list_masks(annotations / name):
        if file.stem not in index_of:
            raise UserError(f'{file}: a mask for a frame that {images / name} lacks')
        masks[index_of[file.stem]] = file
    if not masks:
        raise UserError(f'{annotations / name}: holds no masks')
    for stem in required:
        if stem not in index_of:
            raise UserError(f'{images / name}: frame {stem} is missing')
    evaluated = sorted(stem for stem in required or index_of if index_of[stem] >= min(masks))
    video = BenchmarkVideo(name, frames, masks, None, evaluated)
    return video._replace(short_side=SHORT_SIDE, resize=resize_as_published)


def required_frames(split_root: Path, names: Sequence[str]) -> dict[str, set[str]]:
    """The frames that are evaluated, by video: those in meta.json, or in JPEGImages/ (sparse)."""
    meta = split_root / 'meta.json'
    if not meta.is_file():
        folders = [split_root / 'JPEGImages' / name for name in names]
        return {f.name: {frame.stem for frame in list_frames(f)} for f in folders if f.is_dir()}
    try:
        videos: dict[str, Any] = json.loads(meta.read_text())['videos']
        objects = {name: videos.get(name, {}).get('objects', {}).values() for name in names}
        return {
            name: {frame for entry in entries for frame in entry['frames']}
            for name, entries in objects.items()
        }
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise UserError(f'{meta}: damaged ({error}); get it again, or remove it') from error


def resize_as_published(image: torch.Tensor, size: Size) -> torch.Tensor:
    """Scale an image (3, H, W) bicubically, without antialiasing and without clamping."""
    if tuple(image.shape[-2:]) == tuple(size):
        return image
    return F.interpolate(image[None], size, mode='bicubic', antialias=False, align_corners=False)[0]


def read_list(path: Path) -> list[str]:
    """Names of videos from a file with one name per line.

    The lists of 2016 have an image and its mask in each line instead; their folder is the name.
    """
    if not path.is_file():
        raise UserError(f'{path}: no such file (the list of videos)')
    try:
        lines = [line.split() for line in path.read_text().splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise UserError(
            f'{path}: not a text file ({error.reason}); get the list of videos again'
        ) from error
    names = [words[0] if len(words) == 1 else Path(words[0]).parent.name for words in lines]
    if not names:
        raise UserError(f'{path}: lists no videos')
    plain = [words[0] for words in lines if len(words) == 1]
    if len(plain) != len(set(plain)):
        raise UserError(f'{path}: lists a video twice')
    for name in names:
        if name in ('.', '..') or '/' in name:  # results would be written outside the output folder
            raise UserError(f'{path}: {name!r} is not a valid video name; remove this line')
    return list(dict.fromkeys(names))


# The benchmarks by the name that run.json records. Each opens a split of the tree at a root.
BENCHMARKS: dict[str, Callable[[Path, str], list[BenchmarkVideo]]] = {
    'DAVIS 2016': davis_2016,
    'DAVIS 2017': davis_2017,
    'YouTube-VOS': youtube_vos,
}
