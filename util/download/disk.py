"""Space on the disk, sizes, checksums, and one process at a time."""

import contextlib
import hashlib
import shutil
from pathlib import Path

from util.errors import UserError
from util.progress import progress_bar


def check_md5(path, expected):
    """Raise UserError unless the file has this MD5; None is not known and passes."""
    if expected is None:
        return
    digest = hashlib.md5()
    with open(path, 'rb') as file, progress_bar(in_mb(size_of(path)), 'MB checked') as bar:
        while block := file.read(1 << 20):
            digest.update(block)
            bar.update(in_mb(file.tell()))
    if digest.hexdigest() != expected:
        found = f'its MD5 is {digest.hexdigest()} instead of {expected}'
        raise UserError(f'{path}: {found}, so it is not the published file; get it again')


def check_space(folder, needed, what):
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise UserError(
            f'{folder}: {what} needs about {readable(needed)}, {readable(free)} are free; make '
            'room there or choose another --root'
        )


@contextlib.contextmanager
def naming(path):
    """An OSError in here names `path`: that a disk is full comes without a name."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def size_of(path):
    return Path(path).stat().st_size if Path(path).exists() else 0


def in_mb(number):
    return -(-number // 10**6)  # rounded up, so that a bar is never without a length


def readable(number):
    """Bytes as people count them."""
    return f'{number / 1e9:.1f} GB' if number >= 1e9 else f'{number / 1e6:.1f} MB'
