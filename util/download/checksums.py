"""Checksums of downloaded files: MD5s that are published, SHA-256s that the first check records."""

import hashlib
from pathlib import Path

from util.download.disk import file_size, whole_megabytes
from util.errors import UserError
from util.files import atomic_write, sha256
from util.progress import progress_bar


def check_md5(path: Path, expected: str | None) -> None:
    """Raise UserError unless the file has this MD5; None means that no MD5 is published."""
    if expected is None:
        return
    digest = hashlib.md5()
    size = whole_megabytes(file_size(path))
    with open(path, 'rb') as file, progress_bar(size, 'MB checked') as bar:
        while block := file.read(1 << 20):
            digest.update(block)
            bar.update(whole_megabytes(file.tell()))
    if digest.hexdigest() != expected:
        raise UserError(
            f'{path}: its MD5 is {digest.hexdigest()} instead of {expected}, so it is not the '
            'published file; download it again'
        )


def check_recorded_sha256(path: Path, file: Path) -> str:
    """Return the SHA-256 of `file`, the content of `path`, which may still have another name.

    The first time, it is recorded in PATH.sha256, in the format of `sha256sum -c`. Raises UserError
    if it differs from the recorded one.
    """
    found, record = sha256(file), path.with_name(f'{path.name}.sha256')
    if not record.exists():
        with atomic_write(record) as part:
            part.write_text(f'{found}  {path.name}\n')
    elif record.read_text().split()[:1] != [found]:
        raise UserError(
            f'{file}: its SHA-256 is {found}, not the one in {record}; remove the file to download '
            'it again, or the record if you want to use this file'
        )
    return found
