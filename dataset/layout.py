"""Where frames and masks lie in every tree that is read, and which mask belongs to which frame."""

import itertools
import os
from functools import lru_cache
from pathlib import Path

from util.errors import UserError
from util.files import list_files, natural_key
from util.images import SUFFIXES

IMAGE_SUFFIXES, MASK_SUFFIXES = ('.jpg', '.jpeg'), ('.png',)


def list_images(folder):
    files = list_files(folder, SUFFIXES)
    if not files:
        raise UserError(f'{folder}: no images in it ({", ".join(SUFFIXES)})')
    return files


def list_frames(folder):
    return list_images(existing(folder, 'the frames of a video'))


def list_masks(folder):
    return list_files(existing(folder, 'the masks of a video'), ('.png',))


def consecutive(frames):
    """Raise UserError where the numbers in the names of a video's frames have a gap."""
    numbers = [int(frame.stem) for frame in frames if frame.stem.isdecimal()]
    for before, after in itertools.pairwise(numbers):
        if after != before + 1:
            missing = f'{before + 1:0{len(frames[0].stem)}}'
            raise UserError(f'{frames[0].parent}: frame {missing} is missing')
    return frames


def check_same(masks, frames, image_folder, mask_folder):
    """Raise UserError unless every frame has a mask and every mask a frame."""
    for lacking, names in (
        (image_folder, masks.keys() - frames),
        (mask_folder, frames - masks.keys()),
    ):
        if names:
            raise UserError(f'{lacking}: {min(names)} is missing ({len(names)} in all)')


def existing(path, what):
    if not path.is_dir():
        raise UserError(f'{path}: no such folder ({what})')
    return path


def first_that_exists(*paths):
    for path in paths:
        if path.is_dir() or path.is_file():
            return path
    raise UserError(f'{paths[0]}: no such file or folder (nor {paths[-1]})')


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


def tree_folders(root):
    """-> the folders of a tree whose subfolders are the frames, or the masks, of each video."""
    folders = []
    for kind in ('JPEGImages', 'Annotations'):
        folder = Path(root) / kind
        if not folder.is_dir():
            raise UserError(f'{folder}: no such folder; a tree has JPEGImages/ and Annotations/')
        folders.append(folder / '480p' if (folder / '480p').is_dir() else folder)
    return folders


def video_names(folder):
    with os.scandir(folder) as entries:
        return sorted(e.name for e in entries if e.is_dir() and not e.name.startswith('.'))


def match_frames(image_folder, mask_folder):
    """File names in the order of time: of frames with a mask, of their masks, and of the rest.

    -> frames, masks (tuples), frames without a mask, masks without a frame (lists)
    """
    frames, masks = files_by_stem(image_folder, SUFFIXES), files_by_stem(mask_folder, ('.png',))
    both = sorted(frames.keys() & masks.keys(), key=frame_order)
    without_mask = sorted(frames.keys() - masks.keys(), key=frame_order)
    without_frame = sorted(masks.keys() - frames.keys(), key=frame_order)
    return (
        tuple(frames[stem] for stem in both),
        tuple(masks[stem] for stem in both),
        [frames[stem] for stem in without_mask],
        [masks[stem] for stem in without_frame],
    )


frame_order = lru_cache(10_000)(natural_key)  # names come again in every video


def files_by_stem(folder, suffixes):
    """`util.files.list_files` for millions of files: dict name without suffix -> file name."""
    try:
        names = os.listdir(folder)
    except OSError as error:
        raise UserError(f'{folder}: cannot be read ({error.strerror})') from error
    files = {}
    for name in names:
        stem, suffix = os.path.splitext(name)
        if suffix.lower() in suffixes and not name.startswith('.'):
            if stem in files:
                raise UserError(f'{folder}: {files[stem]} and {name}: one frame, two files')
            files[stem] = name
    return files


def find_pairs(folder):
    """Every x.jpg with its x.png below a folder, in order -> list of (image path, mask path).

    Raises UserError if one of the two is missing, or if there are none.
    """
    pairs, alone = match_pairs(folder)
    if alone:
        raise UserError(f'{without_partner(alone[0])} ({len(alone)} such files in all)')
    if not pairs:
        raise UserError(f'{folder}: no pairs x.jpg, x.png in it')
    return pairs


def without_partner(path):
    lacking = 'mask .png' if path.suffix.lower() in IMAGE_SUFFIXES else 'image .jpg'
    return f'{path}: its {lacking} of the same name is missing beside it'


def match_pairs(folder):
    """-> list of (image path, mask path), list of the files without a partner."""
    if not Path(folder).is_dir():
        raise UserError(f'{folder}: no such folder')
    pairs, alone = [], []
    for place in walk(folder):
        images = {path.stem: path for path in list_files(place, IMAGE_SUFFIXES)}
        masks = {path.stem: path for path in list_files(place, MASK_SUFFIXES)}
        pairs += [(path, masks[stem]) for stem, path in images.items() if stem in masks]
        alone += [path for stem, path in images.items() if stem not in masks]
        alone += [path for stem, path in masks.items() if stem not in images]
    return pairs, alone


def walk(folder, above=()):
    """Yield a folder and all below it, hidden ones left out, in the order of their names.

    Links are followed. Raises UserError for one that leads back to a folder that it lies in, since
    its files would come again without end; above: these folders.
    """
    folder, real = Path(folder), os.path.realpath(folder)
    if real in above:
        raise UserError(f'{folder}: a link to a folder that it lies in itself; remove it')
    yield folder
    with os.scandir(folder) as entries:
        names = sorted(e.name for e in entries if e.is_dir() and not e.name.startswith('.'))
    for name in names:
        yield from walk(folder / name, (*above, real))
