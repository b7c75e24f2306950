"""What resize_static.py and resize_youtube.py share: a folder of pictures and masks, made smaller.

Pictures (.jpg) bicubic, smoothed; masks (.png) nearest, of the same mode and palette. What is small
enough, and other files, are copied as they are: nothing is made larger.
"""

import io
import os
import shutil
from functools import partial

from PIL import Image, ImageOps

from dataset.layout import IMAGE_SUFFIXES, MASK_SUFFIXES, walk
from dataset.sizes import scaled
from util.errors import UserError
from util.files import atomic_write, exclusive_lock
from util.images import open_image, read_image
from util.parallel import parallel_map

QUALITY = 95  # of JPEG


def resize_folder(source, target, short_side, num_workers=None):
    """Fill `target`, which appears when all is done; interrupted, the next call goes on.

    Raises UserError, also for a picture that cannot be read.
    """
    if target.resolve().is_relative_to(source.resolve()):
        raise UserError(f'{target}: lies in {source}, whose pictures it would get; choose another')
    files = list_tree(source)
    if not any(file.suffix.lower() in IMAGE_SUFFIXES for file in files):
        raise UserError(f'{source}: no pictures ({", ".join(IMAGE_SUFFIXES)}) in it')
    target.parent.mkdir(parents=True, exist_ok=True)
    with exclusive_lock(target):
        if target.exists():
            return check_whole(files, source, target)
        aside = target.with_name(f'.{target.name}.{short_side}.part')
        for folder in {file.parent for file in files}:
            (aside / folder).mkdir(parents=True, exist_ok=True)
        jobs = [file for file in files if not is_newer(aside / file, source / file)]
        resize = partial(resize_file, source, aside, short_side)
        try:
            for _ in parallel_map(resize, jobs, 'files', num_workers):
                pass
        except BaseException:
            for part in aside.rglob('.*.part'):  # of workers that were ended as they wrote
                part.unlink()
            raise
        os.replace(aside, target)
    print(f'{target}: {len(files)} files, short side {short_side}')


def list_tree(folder):
    """Every file below a folder, relative to it; hidden ones are left out."""
    if not folder.is_dir():
        raise UserError(f'{folder}: no such folder')
    files = []
    for place in walk(folder):
        paths = [path for path in sorted(place.iterdir()) if not path.is_dir()]
        files += [path.relative_to(folder) for path in paths if not path.name.startswith('.')]
    return files


def check_whole(files, source, target):
    lacking = [file for file in files if not (target / file).exists()]
    if lacking:
        what = f'is there, but without {lacking[0]} of {source} ({len(lacking)} such files)'
        raise UserError(f'{target}: {what}; move it away to have it made anew')
    print(f'{target}: there already')


def is_newer(file, than):
    return file.exists() and file.stat().st_mtime_ns >= than.stat().st_mtime_ns


def resize_file(source, target, short_side, file):
    """source, target: folders; file: relative to both."""
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
            content = io.BytesIO()  # to a file, Pillow does not notice that a full disk cuts it off
            smaller.save(content, format='JPEG', quality=QUALITY)
            part.write_bytes(content.getbuffer())


def shrink(image, short_side, resample):
    """-> a smaller image, or None if it is small enough."""
    width, height = image.size
    if min(width, height) <= short_side:
        return None
    return image.resize(scaled((width, height), short_side), resample)
