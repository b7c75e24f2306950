"""Make a folder of images and masks smaller, for resize_static.py and resize_youtube.py.

Images (.jpg) are scaled bicubically with antialiasing, masks (.png) by nearest neighbour; masks
keep their mode and palette. Files that are small enough, and other files, are copied unchanged.
"""

import io
import os
import shutil
from functools import partial

from PIL import Image, ImageOps

from dataset.layout import IMAGE_SUFFIXES, MASK_SUFFIXES, tree_folders, walk
from dataset.sizes import scaled
from util.device import configure_torch
from util.errors import UserError
from util.files import atomic_write, exclusive_lock
from util.images import open_image, read_image
from util.parallel import parallel_map

JPEG_QUALITY = 95


def resize_folder(source, target, short_side, num_workers=None, *, is_tree=False):
    """Write the content of `source` to `target`, which appears when it is complete.

    After an interruption, the next call continues. Raises UserError, also for an image that cannot
    be read and, with is_tree, unless the source is a tree of videos.
    """
    configure_torch()
    if is_tree:
        tree_folders(source)  # raises UserError
    if target.resolve().is_relative_to(source.resolve()):
        raise UserError(f'{target}: lies inside {source}, which is read; choose another folder')
    files = list_tree(source)
    if not any(file.suffix.lower() in IMAGE_SUFFIXES for file in files):
        raise UserError(f'{source}: no images ({", ".join(IMAGE_SUFFIXES)}) in it')
    target.parent.mkdir(parents=True, exist_ok=True)
    with exclusive_lock(target):
        if target.exists():
            return check_complete(files, source, target)
        aside = target.with_name(f'.{target.name}.{short_side}.part')
        for folder in {file.parent for file in files}:
            (aside / folder).mkdir(parents=True, exist_ok=True)
        jobs = [file for file in files if not is_newer(aside / file, source / file)]
        resize = partial(resize_file, source, aside, short_side)
        try:
            for _ in parallel_map(resize, jobs, 'files', num_workers):
                pass
        except BaseException:
            for part in aside.rglob('.*.part'):  # left by workers that were stopped while writing
                part.unlink()
            raise
        os.replace(aside, target)
    print(f'{target}: {len(files)} files, short side {short_side}')


def list_tree(folder):
    """All files below a folder, relative to it, except hidden ones."""
    if not folder.is_dir():
        raise UserError(f'{folder}: no such folder')
    files = []
    for place in walk(folder):
        paths = [path for path in sorted(place.iterdir()) if not path.is_dir()]
        files += [path.relative_to(folder) for path in paths if not path.name.startswith('.')]
    return files


def check_complete(files, source, target):
    """Raise UserError if a target that exists lacks files of the source."""
    lacking = [file for file in files if not (target / file).exists()]
    if lacking:
        what = f'exists, but lacks {lacking[0]} of {source} ({len(lacking)} such files)'
        raise UserError(f'{target}: {what}; move it away and run this again')
    print(f'{target}: already complete')


def is_newer(file, than):
    """Whether a file exists and was written no earlier than another."""
    return file.exists() and file.stat().st_mtime_ns >= than.stat().st_mtime_ns


def resize_file(source, target, short_side, file):
    """Write one file, given relative to both folders, scaled down or as a copy."""
    path, suffix = source / file, file.suffix.lower()
    smaller = None
    if suffix in IMAGE_SUFFIXES:
        smaller = shrink(Image.fromarray(read_image(path)), short_side, Image.Resampling.BICUBIC)
    elif suffix in MASK_SUFFIXES:
        with open_image(path) as mask:
            upright = ImageOps.exif_transpose(mask)
            smaller = shrink(upright, short_side, Image.Resampling.NEAREST)
    with atomic_write(target / file) as part:
        if smaller is None:
            shutil.copyfile(path, part)
        elif suffix in MASK_SUFFIXES:
            smaller.save(part, format='PNG')
        else:
            content = io.BytesIO()  # writing a file, Pillow would not notice that the disk is full
            smaller.save(content, format='JPEG', quality=JPEG_QUALITY)
            part.write_bytes(content.getbuffer())


def shrink(image, short_side, resample):
    """A smaller image, or None if it is small enough."""
    width, height = image.size
    if min(width, height) <= short_side:
        return None
    return image.resize(scaled((width, height), short_side), resample)
