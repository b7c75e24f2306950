"""Matching the masks of a user's clip to its frames by name."""

import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from string import digits
from typing import NamedTuple

from dataset.layout import left_out, list_images
from util.errors import UserError
from util.images import JPEG_SUFFIXES, SUFFIXES

# Frame numbers as tools write them: 7, frame_000007, 00007_mask, and mask_007, but not mask7.
MASK_WORD = r'(?:mask|label|seg|gt|annotation)s?'
NUMBERED = re.compile(
    rf'(?:(?:frame|image|img)[ _.-]*|{MASK_WORD}[ _.-]*(?=\d{{3}}))?(\d+)(?:[ _.-]*{MASK_WORD})?',
    re.IGNORECASE,
)
# Stricter, for a single mask: img_0001.png may be named after its video.
NUMBERED_ALONE = re.compile(rf'(?:frame[ _.-]*)?(\d+)(?:[ _.-]*{MASK_WORD})?', re.IGNORECASE)
ANNOTATIONS = ('.json', '.xml', '.txt', '.csv', '.npy', '.npz', '.mat', '.pkl', '.zip')


class MasksByFrame(NamedTuple):
    """Masks by the index of their frame, in order, and messages for the user."""

    paths: dict[int, Path]
    notes: list[str]


class FrameNames:
    """Finds the frame with a given name or, where names are numbers, the same number."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self.index_of = {name: index for index, name in enumerate(names)}
        self.prefix, self.suffix = around_numbers(names)
        numbers = [self.number(name) for name in names]
        count = Counter(numbers)
        self.by_number = {n: index for index, n in enumerate(numbers) if count[n] == 1}

    def number(self, name: str, pattern: re.Pattern[str] = NUMBERED) -> int | None:
        middle = plain(name).removeprefix(self.prefix).removesuffix(self.suffix)
        found = pattern.fullmatch(middle)
        return int(found[1]) if found else None

    def find(self, name: str, pattern: re.Pattern[str] = NUMBERED) -> int | None:
        """The index of the frame that a mask is named after; None if there is none."""
        for exact in (name, plain(name)):
            if exact in self.index_of:
                return self.index_of[exact]
        number = self.number(name, pattern)
        return None if number is None else self.by_number.get(number)


def around_numbers(names: Sequence[str]) -> tuple[str, str]:
    """The prefix and the suffix that all names share around the numbers in which they differ."""
    if len(names) < 2:
        return '', ''
    backwards = [name[::-1] for name in names]
    start, end = (os.path.commonprefix(n) for n in (list(names), backwards))  # noqa: RUF071
    return start.rstrip(digits), end.rstrip(digits)[::-1]


def plain(name: str) -> str:
    """Remove an image suffix from a name: a mask 00000.jpg.png has the name 00000.jpg."""
    stem, suffix = os.path.splitext(name)
    return stem if suffix.lower() in SUFFIXES else name


def check_name(path: Path, names: Sequence[str], first: int) -> None:
    """Raise UserError if a single mask, for frame `first`, is named like another frame."""
    index = FrameNames(names).find(path.stem, NUMBERED_ALONE)
    if index not in (None, first):
        assert index is not None
        raise UserError(
            f'{path}: named like frame {names[index]}, but a single mask is for the first chosen '
            f'frame, {names[first]}; start at frame {index}, or rename the mask',
            parameter='start',
        )


def masks_by_name(
    folder: Path, names: Sequence[str], indices: range, *, is_counted: bool = False
) -> MasksByFrame:
    """Match the masks in a folder to the frames of a video.

    Arguments:
        folder: the folder of the masks.
        names: the names of all frames of the video.
        indices: the chosen frames; a mask for a frame skipped between them is rejected.
        is_counted: the frames have no names of their own and were counted from 0. Masks are taken
            to count from 1 if none is 0 and the last one would be one frame too far.
    """
    check_annotations(folder)
    frames, files = FrameNames(names), list_images(folder)
    numbers = [frames.number(file.stem) for file in files]
    counts_from_1 = is_counted and 0 not in numbers and len(names) in numbers
    masks: dict[int, Path] = {}
    for file, number in zip(files, numbers, strict=True):
        index = frames.find(file.stem)
        if counts_from_1 and number is not None:
            index = number - 1
        if index is None or index >= len(names):
            raise UserError(
                f'{file}: a mask for a frame that does not exist; frames are named {names[0]} to '
                f'{names[-1]}, and each takes one mask that shows all objects'
            )
        if index in indices:
            if index in masks:
                both = f'{masks[index].name} and {file.name}'
                raise UserError(f'{folder}: {both} are masks for the same frame; remove one')
            masks[index] = file
        elif index in range(indices.start, indices.stop):
            raise UserError(
                f'{file}: a stride of {indices.step} skips its frame; choose a stride and a '
                'start that include it, or remove the mask',
                parameter='stride',
            )
    if not masks:
        raise UserError(
            f'{folder}: none of its masks is for a frame between the chosen start and end',
            parameter='start',
        )
    masks = dict(sorted(masks.items()))
    notes = left_out(folder)
    first, file = next(iter(masks.items()))
    meant = f'{file} is for frame {names[first]}'
    if counts_from_1:
        notes.append(f'{meant}, because masks are counted from 1')
    elif is_counted and first > indices[0]:
        before = [names[indices[0]], names[first - indices.step]]
        notes.append(
            f'{meant}, because frames are counted from 0; a forward pass writes no masks for '
            f'earlier frames ({" to ".join(dict.fromkeys(before))})'
        )
    elif file.stem != names[first] and not file.stem.isdecimal():
        notes.append(meant)
    return MasksByFrame(masks, notes)


def check_annotations(folder: Path) -> None:
    """Raise UserError for annotations that are not images, or that lie in folders of their own."""
    names = sorted(path.name for path in folder.iterdir() if not path.name.startswith('.'))
    pictures = {name for name in names if name.lower().endswith(SUFFIXES)}
    remedy = 'export them as masks, one PNG per frame that shows all objects'
    for name in names:
        stem, suffix = os.path.splitext(name)
        if suffix.lower() in ANNOTATIONS:
            if photographs := pictures & {stem + jpeg for jpeg in JPEG_SUFFIXES}:
                raise UserError(
                    f'{folder}: {min(photographs)} is a photograph, and its annotation {name} '
                    f'cannot be read; {remedy}'
                )
            if not pictures:
                raise UserError(f'{folder}: no images in it, and {name} cannot be read; {remedy}')
    folders = [name for name in names if (folder / name).is_dir()]
    if folders and not pictures:
        raise UserError(
            f'{folder}: no images in it, only folders ({folders[0]}); pass one of them or, if each '
            'holds one object, merge their masks into one PNG per frame'
        )


def check_is_image(path: Path) -> None:
    """Raise UserError if the suffix of an annotation file shows that it is not an image."""
    if path.suffix.lower() in ANNOTATIONS:
        raise UserError(
            f'{path}: {path.suffix} files cannot be read as masks; export it as an indexed, grey '
            'or RGB PNG that shows all objects'
        )
