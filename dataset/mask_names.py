"""Which frame of a user's clip a mask belongs to: its name says so."""

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

# Frame numbers, as tools write them: 7, frame_000007, 00007_mask, and mask_007, but not mask7.
MASK_WORD = r'(?:mask|label|seg|gt|annotation)s?'
NUMBERED = re.compile(
    rf'(?:(?:frame|image|img)[ _.-]*|{MASK_WORD}[ _.-]*(?=\d{{3}}))?(\d+)(?:[ _.-]*{MASK_WORD})?',
    re.IGNORECASE,
)
# Of a single mask, fewer names mean a frame: img_0001.png may be named after its video.
NUMBERED_ALONE = re.compile(rf'(?:frame[ _.-]*)?(\d+)(?:[ _.-]*{MASK_WORD})?', re.IGNORECASE)
ANNOTATIONS = ('.json', '.xml', '.txt', '.csv', '.npy', '.npz', '.mat', '.pkl', '.zip')


class MasksByFrame(NamedTuple):
    """Masks by the index of their frame, in order, and sentences to tell the user."""

    paths: dict[int, Path]
    notes: list[str]


class FrameNames:
    """Finds frames by name: by the same name or, where names are numbers, the same number."""

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
        """The index of the frame that a mask's name means; None if it means none."""
        for exact in (name, plain(name)):
            if exact in self.index_of:
                return self.index_of[exact]
        number = self.number(name, pattern)
        return None if number is None else self.by_number.get(number)


def around_numbers(names: Sequence[str]) -> tuple[str, str]:
    """What all names begin with and end with, up to the numbers in which they differ."""
    if len(names) < 2:
        return '', ''
    backwards = [name[::-1] for name in names]
    start, end = (os.path.commonprefix(n) for n in (list(names), backwards))  # noqa: RUF071
    return start.rstrip(digits), end.rstrip(digits)[::-1]


def plain(name: str) -> str:
    """A name without the suffix of the image that it was made for: 00000.jpg of 00000.jpg.png."""
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
    """The masks in a folder by the index of their frame.

    Arguments:
      names: those of all frames of the video.
      indices: the frames that are chosen; a mask for another frame inside their range is refused.
      is_counted: the frames were counted from 0, as they have no names of their own. Masks may then
        be counted from 1: if none is 0 and the last one would be a frame too far.
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
                f'{file}: a mask for a frame that is not there; frames are named {names[0]} to '
                f'{names[-1]}, and each takes one mask, which shows all objects'
            )
        if index in indices:
            if index in masks:
                both = f'{masks[index].name} and {file.name}'
                raise UserError(f'{folder}: {both} are masks for one frame; remove one')
            masks[index] = file
        elif index in range(indices.start, indices.stop):
            raise UserError(
                f'{file}: a stride of {indices.step} leaves out its frame; choose a stride and a '
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
        notes.append(f'{meant}, as the masks count from 1')
    elif is_counted and first > indices[0]:
        before = [names[indices[0]], names[first - indices.step]]
        notes.append(
            f'{meant}, as frames count from 0; before it, a forward pass gives none to '
            f'{" to ".join(dict.fromkeys(before))}'
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
                    f'{folder}: {min(photographs)} is a picture and {name} its annotation, which '
                    f'is not read; {remedy}'
                )
            if not pictures:
                raise UserError(f'{folder}: no images in it, and {name} is not read; {remedy}')
    folders = [name for name in names if (folder / name).is_dir()]
    if folders and not pictures:
        raise UserError(
            f'{folder}: no images in it, but folders ({folders[0]}); name one of them or, if each '
            'holds one object, merge their masks into one PNG per frame'
        )


def check_is_image(path: Path) -> None:
    """Raise UserError for a file of annotations that are not an image, by its suffix."""
    if path.suffix.lower() in ANNOTATIONS:
        raise UserError(
            f'{path}: {path.suffix} files are not read as masks; export it as an indexed, grey or '
            'RGB PNG that shows all objects'
        )
