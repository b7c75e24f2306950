"""Where frames and masks lie in the trees that are read, and which mask belongs to which frame."""

import itertools
import os
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from util.errors import UserError
from util.files import list_files, natural_key
from util.images import SUFFIXES

IMAGE_SUFFIXES, MASK_SUFFIXES = ('.jpg', '.jpeg'), ('.png',)  # in training sets
CLUTTER = ('.db', '.ini')  # what Windows leaves in folders of images
TREE = ('JPEGImages', 'Annotations')  # frames and masks, one folder per video in each


def list_images(folder: Path, without: Path | None = None) -> list[Path]:
    """The image files of a folder in natural order. Raises UserError if there are none.

    without: a file that is not listed even if it lies there.
    """
    place, name = os.path.split(os.path.realpath(without or ''))
    files = list_files(folder, SUFFIXES, name if place == os.path.realpath(folder) else None)
    if not files:
        raise UserError(f'{folder}: no images in it ({", ".join(SUFFIXES)})')
    return files


def left_out(folder: Path) -> list[str]:
    """A sentence on the files of a folder that `list_images` does not list, if there are any."""
    kinds: dict[str, list[str]] = {}
    for path in sorted(folder.iterdir()):
        suffix = path.suffix.lower()
        if suffix not in (*SUFFIXES, *CLUTTER) and path.name[0] != '.' and path.is_file():
            kinds.setdefault(suffix, []).append(path.name)
    named = [f'{names[0]} ({len(names)} {suffix} in all)' for suffix, names in kinds.items()]
    return [f'{folder}: left out, as they are not read: {", ".join(named)}'] if named else []


def list_frames(folder: Path) -> list[Path]:
    return list_images(existing(folder, 'the frames of a video'))


def list_masks(folder: Path) -> list[Path]:
    return list_files(existing(folder, 'the masks of a video'), MASK_SUFFIXES)


def existing(path: Path, what: str, parameter: str | None = None) -> Path:
    """Return a folder that is there. Raises UserError, which says what it was expected to be."""
    if not path.is_dir():
        raise UserError(f'{path}: no such folder ({what})', parameter=parameter)
    return path


def first_that_exists(*paths: Path) -> Path:
    for path in paths:
        if path.exists():
            return path
    raise UserError(f'{paths[0]}: no such file or folder (nor {paths[-1]})')


def check_consecutive(frames: Sequence[Path]) -> None:
    """Raise UserError where the numbers in the names of a video's frames have a gap."""
    numbers = [int(frame.stem) for frame in frames if frame.stem.isdecimal()]
    for before, after in itertools.pairwise(numbers):
        if after != before + 1:
            missing = f'{before + 1:0{len(frames[0].stem)}}'
            raise UserError(f'{frames[0].parent}: frame {missing} is missing')


def check_one_mask_per_frame(frames: Sequence[Path], masks: Sequence[Path]) -> None:
    """Raise UserError unless the files of two folders have the same names, suffixes aside."""
    frame_names, mask_names = ({path.stem for path in files} for files in (frames, masks))
    for files, lacking in ((frames, mask_names - frame_names), (masks, frame_names - mask_names)):
        if lacking:
            folder = files[0].parent
            raise UserError(f'{folder}: {min(lacking)} is missing ({len(lacking)} in all)')


class TreeFolders(NamedTuple):
    """The two folders of a tree of videos; each holds one folder per video."""

    images: Path
    annotations: Path


def tree_folders(root: Path) -> TreeFolders:
    """JPEGImages/ and Annotations/ of a tree; in DAVIS, the folder 480p/ inside each of them."""
    folders = [video_folder(Path(root) / kind) for kind in TREE]
    for folder in folders:
        if not folder.is_dir():
            raise UserError(f'{folder}: no such folder; a tree has JPEGImages/ and Annotations/')
    return TreeFolders(*folders)


def video_folder(folder: Path) -> Path:
    """Where the videos of one kind lie in a tree: in 480p/ if the folder has it."""
    return folder / '480p' if (folder / '480p').is_dir() else folder


def video_names(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(e.name for e in entries if e.is_dir() and not e.name.startswith('.'))


class MatchedFrames(NamedTuple):
    """File names of one video, in order of time."""

    frames: tuple[str, ...]  # those that have a mask
    masks: tuple[str, ...]  # one for each of them
    without_mask: list[str]  # frames
    without_frame: list[str]  # masks


def match_frames(image_folder: Path, mask_folder: Path) -> MatchedFrames:
    """Pair the frames and masks of a video by their names, suffixes aside."""
    frames, masks = files_by_stem(image_folder, SUFFIXES), files_by_stem(mask_folder, MASK_SUFFIXES)
    both = sorted(frames.keys() & masks.keys(), key=frame_order)
    without_mask = sorted(frames.keys() - masks.keys(), key=frame_order)
    without_frame = sorted(masks.keys() - frames.keys(), key=frame_order)
    return MatchedFrames(
        tuple(frames[stem] for stem in both),
        tuple(masks[stem] for stem in both),
        [frames[stem] for stem in without_mask],
        [masks[stem] for stem in without_frame],
    )


frame_order = lru_cache(10_000)(natural_key)  # the same names come again in every video


def files_by_stem(folder: Path, suffixes: Collection[str]) -> dict[str, str]:
    """File names by their stem. BL30K has millions of them, too many for `list_files`' Paths.

    Raises UserError if two files differ in the suffix only, or if the folder cannot be read.
    """
    try:
        names = os.listdir(folder)
    except OSError as error:
        raise UserError(f'{folder}: cannot be read ({error.strerror})') from error
    files: dict[str, str] = {}
    for name in names:
        stem, suffix = os.path.splitext(name)
        if suffix.lower() in suffixes and not name.startswith('.'):
            if stem in files:
                raise UserError(f'{folder}: {files[stem]} and {name} are two files for one frame')
            files[stem] = name
    return files


class Pair(NamedTuple):
    """A static image and its mask."""

    image: Path
    mask: Path


def find_pairs(folder: Path) -> list[Pair]:
    """Every x.jpg with its x.png below a folder, in order.

    Raises UserError if one of the two is missing, or if there are none.
    """
    pairs, alone = match_pairs(folder)
    if alone:
        raise UserError(f'{without_partner(alone[0])} ({len(alone)} such files in all)')
    if not pairs:
        raise UserError(f'{folder}: no pairs x.jpg, x.png in it')
    return pairs


def without_partner(path: Path) -> str:
    lacking = 'mask .png' if path.suffix.lower() in IMAGE_SUFFIXES else 'image .jpg'
    return f'{path}: its {lacking} of the same name is missing beside it'


def match_pairs(folder: Path) -> tuple[list[Pair], list[Path]]:
    """The pairs below a folder, and the files without a partner."""
    if not Path(folder).is_dir():
        raise UserError(f'{folder}: no such folder')
    pairs, alone = [], []
    for place in walk(folder):
        images = {path.stem: path for path in list_files(place, IMAGE_SUFFIXES)}
        masks = {path.stem: path for path in list_files(place, MASK_SUFFIXES)}
        pairs += [Pair(path, masks[stem]) for stem, path in images.items() if stem in masks]
        alone += [path for stem, path in images.items() if stem not in masks]
        alone += [path for stem, path in masks.items() if stem not in images]
    return pairs, alone


def walk(folder: Path, above: tuple[str, ...] = ()) -> Iterator[Path]:
    """Yield a folder and all folders below it in the order of their names, except hidden ones.

    Links are followed. Raises UserError for a link to one of the folders above it, because its
    files would come again without end.
    """
    folder, real = Path(folder), os.path.realpath(folder)
    if real in above:
        raise UserError(
            f'{folder}: symbolic link to one of its own parent folders; remove the link'
        )
    yield folder
    with os.scandir(folder) as entries:
        names = sorted(e.name for e in entries if e.is_dir() and not e.name.startswith('.'))
    for name in names:
        yield from walk(folder / name, (*above, real))
