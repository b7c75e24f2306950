"""DAVIS 2016, DAVIS 2017 and YouTube-VOS: what to segment, from which masks, and ground truth.

Each function returns the videos of a split, from the trees that dataset/README.md describes. If a
tree lacks something, that is a UserError at once, before anything is segmented.
"""

import itertools
import json
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from dataset.benchmark_video import BenchmarkVideo
from dataset.layout import (
    check_consecutive,
    check_one_mask_per_frame,
    existing,
    first_that_exists,
    list_frames,
    list_masks,
)
from dataset.sizes import Size
from util.errors import UserError

SHORT_SIDE = 480  # YouTube-VOS is scaled to it


def davis_2017(root: str | Path, split: str = 'val') -> list[BenchmarkVideo]:
    """DAVIS 2017 at 480p as it is: 'val' with ground truth, 'testdev' with first masks only."""
    tree, listed = {'val': ('trainval', 'val'), 'testdev': ('test-dev', 'test-dev')}[split]
    root = davis_tree(Path(root), tree)
    names = read_list(root / 'ImageSets' / '2017' / f'{listed}.txt')
    images, annotations = at_480p(root / 'JPEGImages'), at_480p(root / 'Annotations')
    has_ground_truth = split == 'val'
    return [davis_video(name, images, annotations, has_ground_truth) for name in names]


def davis_tree(root: Path, tree: str) -> Path:
    """The folder of a DAVIS 2017 tree. Raises UserError, which says what to do with others."""
    folder = root / tree
    advice = ''
    if (root / 'JPEGImages').is_dir():
        advice = f'; {root} is such a tree itself, so move or link it to DIR/{tree}, and name DIR'
        if root.resolve().name == tree:
            advice = f'; name the folder above {root}'
    elif (root / '2017' / tree).is_dir():
        advice = f'; name {root / "2017"}'
    return existing(folder, f'a DAVIS 2017 tree{advice}', parameter='root')


def at_480p(folder: Path) -> Path:
    """480p/ in a folder of DAVIS. Raises UserError, which names what lies there instead."""
    others = ', '.join(sorted(path.name for path in folder.glob('[!.]*'))[:3])
    advice = f'; in its place lies {others}, so rename or link what to use' if others else ''
    return existing(folder / '480p', f'the videos at 480p{advice}')


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
    annotations = at_480p(root / 'Annotations')
    return [
        davis_video(name, images, annotations, True)._replace(binary=True)
        for name in read_list(listed)
    ]


def davis_video(
    name: str, images: Path, annotations: Path, has_ground_truth: bool
) -> BenchmarkVideo:
    frames, masks = list_frames(images / name), list_masks(annotations / name)
    check_no_steps(frames)
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


def check_no_steps(frames: Sequence[Path]) -> None:
    """Raise UserError if the frames are numbered 1, 6, 11, say, as in LVOS."""
    numbers = [int(frame.stem) for frame in frames if frame.stem.isdecimal()]
    steps = {after - before for before, after in itertools.pairwise(numbers)}
    if len(numbers) > 2 and len(steps) == 1 and steps != {1}:
        raise UserError(
            f'{frames[0].parent}: frames are numbered in steps of {steps.pop()} ({frames[0].stem}, '
            f'{frames[1].stem}), which DAVIS does not know; number frames and masks 0, 1, 2 ...'
        )


def youtube_vos(root: str | Path, split: str = 'valid') -> list[BenchmarkVideo]:
    """YouTube-VOS: every frame is segmented; objects start where they are first annotated.

    Frames are scaled to a short side of 480 in the way that the published numbers depend on.
    """
    root = existing(Path(root), 'a YouTube-VOS tree', parameter='root')
    images = root / 'all_frames' / f'{split}_all_frames' / 'JPEGImages'
    sparse = root / split / 'JPEGImages'
    advice = f'; if {sparse} holds every frame, link it there' if sparse.is_dir() else ''
    if root.resolve().name == split and (root / 'JPEGImages').is_dir():
        advice = f'; name the folder above {root}'
    existing(images, f'all frames of {split}{advice}')
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
        videos: dict[str, Any] = json.loads(meta.read_bytes())['videos']
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
    content = path.read_bytes()
    try:
        # Editors of Windows write UTF-8 or UTF-16, with a byte order mark before the first name.
        text = content.decode(json.detect_encoding(content)).replace('\ufeff', '')
    except UnicodeDecodeError as error:
        raise UserError(
            f'{path}: not a text file ({error.reason}); get the list of videos again'
        ) from error
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    pairs = [line for line in lines if len(line.split()) > 1 and '/' in line.split()[0]]
    names = [Path(line.split()[0]).parent.name if line in pairs else line for line in lines]
    if not names:
        raise UserError(f'{path}: lists no videos')
    if len({*lines}) != len(lines):
        raise UserError(f'{path}: lists a video twice')
    for name in names:
        if (
            name in ('', '.', '..') or '/' in name
        ):  # results would be written outside the output folder
            raise UserError(f'{path}: {name!r} is not a valid video name; remove this line')
    return list(dict.fromkeys(names))


# The benchmarks by the name that run.json records. Each opens a split of the tree at a root.
BENCHMARKS: dict[str, Callable[[Path, str], list[BenchmarkVideo]]] = {
    'DAVIS 2016': davis_2016,
    'DAVIS 2017': davis_2017,
    'YouTube-VOS': youtube_vos,
}
