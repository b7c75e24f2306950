"""DAVIS 2016, DAVIS 2017 and YouTube-VOS: what to segment, from which masks, and the truth.

Each function gives a list of Sequence, from the trees that spec and README describe. What a tree
lacks is told at once (UserError), before anything is segmented.
"""

import json
from pathlib import Path
from typing import NamedTuple

import torch.nn.functional as F

from dataset.layout import (
    check_same,
    consecutive,
    existing,
    first_that_exists,
    list_frames,
    list_masks,
)
from dataset.sources import ImageFolder
from dataset.video import Video
from util.errors import UserError
from util.masks import load_foreground, load_mask

SHORT_SIDE = 480  # to which YouTube-VOS is scaled


class Sequence(NamedTuple):
    """One video of a benchmark; `open` gives its frames."""

    name: str
    frames: list  # paths
    masks: dict  # frame index -> path of a mask, from which objects start
    truth: dict | None  # file name -> path of the true mask, of every frame; None where not public
    required: list  # names of the frames whose masks an evaluation server asks for
    binary: bool = False  # foreground against background: any id is the one object
    short_side: int | None = None
    resize: callable = None  # to the network's size; None: dataset.sizes.resize_image

    def open(self, num_workers=2):
        first = min(self.masks)
        source = ImageFolder(self.frames)
        source.num_workers = num_workers
        return Video(
            source,
            self.masks,
            self.read_mask,
            short_side=self.short_side,
            indices=range(first, len(self.frames)),
            resize=self.resize,
        )

    def read_mask(self, path):
        """-> uint8 (H, W) of ids; of 0 and 1 if any id is the one object."""
        mask = load_foreground(path) if self.binary else load_mask(path)
        if len(self.masks) == 1 and not mask.any():
            raise UserError(f'{path}: a mask without objects, every pixel is background (0)')
        return mask


def davis_2017(root, split='val'):
    """split 'val' (truth for every frame) or 'testdev' (first masks only), 480p as it is."""
    tree, listed = {'val': ('trainval', 'val'), 'testdev': ('test-dev', 'test-dev')}[split]
    root = existing(Path(root) / tree, 'a DAVIS 2017 tree; give its place with --davis')
    names = read_list(root / 'ImageSets' / '2017' / f'{listed}.txt')
    images, annotations = root / 'JPEGImages' / '480p', root / 'Annotations' / '480p'
    return [davis_sequence(name, images, annotations, split == 'val') for name in names]


def davis_2016(root):
    """The 2016 validation set: one object, every frame has its truth.

    Pictures and the list are those of the tree, or of a DAVIS 2017 tree beside it.
    """
    root = existing(Path(root), 'a DAVIS 2016 tree; give its place with --davis')
    beside = root.parent / '2017' / 'trainval'
    images = first_that_exists(root / 'JPEGImages' / '480p', beside / 'JPEGImages' / '480p')
    listed = first_that_exists(
        root / 'ImageSets' / '480p' / 'val.txt',
        root / 'ImageSets' / '2016' / 'val.txt',
        beside / 'ImageSets' / '2016' / 'val.txt',
    )
    annotations = root / 'Annotations' / '480p'
    return [
        davis_sequence(name, images, annotations, True)._replace(binary=True)
        for name in read_list(listed)
    ]


def davis_sequence(name, images, annotations, has_truth):
    frames = consecutive(list_frames(images / name))
    masks = {file.stem: file for file in list_masks(annotations / name)}
    first = masks.get(frames[0].stem)
    if first is None:
        raise UserError(f'{annotations / name}: has no mask for the first frame {frames[0].stem}')
    if has_truth:
        check_same(masks, {frame.stem for frame in frames}, images / name, annotations / name)
    truth = {path.name: path for path in masks.values()} if has_truth else None
    return Sequence(name, frames, {0: first}, truth, [frame.stem for frame in frames])


def youtube_vos(root, split='valid'):
    """YouTube-VOS: every frame is segmented, objects start where they are annotated.

    Frames are scaled to a short side of 480 in the way that the published numbers depend on.
    """
    root = existing(Path(root), 'a YouTube-VOS tree; give its place with --yv')
    images = root / 'all_frames' / f'{split}_all_frames' / 'JPEGImages'
    existing(images, f'all frames of {split}')
    annotations = existing(root / split / 'Annotations', f'the masks of {split}')
    names = sorted(path.name for path in annotations.iterdir() if path.is_dir())
    if not names:
        raise UserError(f'{annotations}: holds no videos')
    required = required_frames(root / split, names)
    return [youtube_sequence(name, images, annotations, required.get(name)) for name in names]


def youtube_sequence(name, images, annotations, required):
    """required: names of the frames that are evaluated; None or none: all of them."""
    frames = list_frames(images / name)
    index_of = {frame.stem: index for index, frame in enumerate(frames)}
    masks = {}
    for file in list_masks(annotations / name):
        if file.stem not in index_of:
            raise UserError(f'{file}: a mask for a frame that {images / name} lacks')
        masks[index_of[file.stem]] = file
    if not masks:
        raise UserError(f'{annotations / name}: holds no masks')
    required = required or index_of.keys()
    for stem in required:
        if stem not in index_of:
            raise UserError(f'{images / name}: frame {stem} is missing')
    required = sorted(stem for stem in required if index_of[stem] >= min(masks))
    return Sequence(
        name, frames, masks, None, required, short_side=SHORT_SIDE, resize=resize_as_published
    )


def required_frames(split_root, names):
    """dict video -> the frames that are evaluated, by meta.json or the sparse JPEGImages tree."""
    meta = split_root / 'meta.json'
    if not meta.is_file():
        folders = [split_root / 'JPEGImages' / name for name in names]
        return {f.name: {frame.stem for frame in list_frames(f)} for f in folders if f.is_dir()}
    try:
        videos = json.loads(meta.read_text())['videos']
        objects = {name: videos.get(name, {}).get('objects', {}).values() for name in names}
        return {
            name: {frame for entry in entries for frame in entry['frames']}
            for name, entries in objects.items()
        }
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise UserError(f'{meta}: damaged ({error}); get it again, or remove it') from error


def resize_as_published(image, size):
    """(3, H, W) -> (3, *size): bicubic without antialiasing or clamping."""
    if tuple(image.shape[-2:]) == tuple(size):
        return image
    return F.interpolate(image[None], size, mode='bicubic', antialias=False, align_corners=False)[0]


def read_list(path):
    """Video names, one a line; or the 2016 lists, with a frame and its mask in each line."""
    if not path.is_file():
        raise UserError(f'{path}: no such file (the list of videos)')
    try:
        lines = [line.split() for line in path.read_text().splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise UserError(
            f'{path}: no text ({error.reason}); get the list of videos again'
        ) from error
    names = [words[0] if len(words) == 1 else Path(words[0]).parent.name for words in lines]
    if not names:
        raise UserError(f'{path}: lists no videos')
    plain = [words[0] for words in lines if len(words) == 1]
    if len(plain) != len(set(plain)):
        raise UserError(f'{path}: lists a video twice')
    for name in names:
        if name in ('.', '..') or '/' in name:  # results would be written elsewhere
            raise UserError(f'{path}: {name!r} is no name of a video; remove this line')
    return list(dict.fromkeys(names))
