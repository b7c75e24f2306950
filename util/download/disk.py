"""Free space on the disk, and numbers of bytes as people read them."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from util.errors import UserError


def check_space(folder: Path, needed: int, purpose: str) -> None:
    """Raise UserError if the disk of `folder` has less than `needed` bytes free.

    purpose: what needs them, to begin the message with; 'unpacking x.zip', for example.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise UserError(
            f'{folder}: {purpose} needs about {readable_size(needed)}, but only '
            f'{readable_size(free)} is free; make room there or choose another --root'
        )


@contextlib.contextmanager
def naming_file(path: Path) -> Iterator[None]:
    """Add `path` to an OSError that names no file; a full disk raises one while writing."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def file_size(path: Path) -> int:
    """Size in bytes; 0 for a file that does not exist."""
    return path.stat().st_size if path.exists() else 0


def whole_megabytes(size: int) -> int:
    """Bytes in MB, rounded up so that the progress bar of a small file has a length, too."""
    return -(-size // 10**6)


def readable_size(size: int) -> str:
    """Bytes as '1.5 MB' or '2.0 GB'."""
    return f'{size / 1e9:.1f} GB' if size >= 1e9 else f'{size / 1e6:.1f} MB'
