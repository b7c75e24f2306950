"""Writing files atomically, locking them against other processes, listing and comparing them."""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from util.errors import UserError

# errno on file systems without locking (often Lustre): the run continues unlocked.
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


@contextlib.contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, which is renamed to `path` if the block succeeds.

    If the block fails, the temporary file is removed and whatever was at `path` stays.
    """
    path = Path(path)
    part = path.with_name(f'.{path.name}.part')
    try:
        yield part
        os.replace(part, path)
    except OSError as error:
        # A full disk is reported without a file name or under the temporary one.
        names = (error.filename, error.filename2)
        if error.errno and (error.filename is None or str(part) in names):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    finally:
        part.unlink(missing_ok=True)


def save_json(path: str | Path, content: Any) -> None:
    """Write indented JSON atomically; values that JSON does not know are written as strings."""
    with atomic_write(path) as part:
        part.write_text(json.dumps(content, indent=2, default=str) + '\n')


def sha256(path: str | Path) -> str:
    """Return the SHA-256 checksum of a file in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def natural_key(name: str | Path) -> list[tuple[int, str]]:
    """Sort key that compares numbers in names by value: frame2 comes before frame10."""
    parts = re.split(r'(\d+)', str(name))
    return [(int(part), part) if part.isdecimal() else (-1, part) for part in parts]


def list_files(
    folder: str | Path, suffixes: Collection[str], without: str | None = None
) -> list[Path]:
    """List the files of a folder with one of these suffixes (lower case), in natural order.

    Hidden files are left out, and so is the one named `without`. Raises UserError if two files
    differ only in their suffix, because their results would have the same name.
    """
    files = sorted(
        (
            entry
            for entry in Path(folder).iterdir()
            if entry.suffix.lower() in suffixes
            and not entry.name.startswith('.')
            and entry.name != without
        ),
        key=lambda entry: natural_key(entry.name),
    )
    seen: dict[str, Path] = {}
    for file in files:
        if file.stem in seen:
            raise UserError(f'{file} and {seen[file.stem].name} have the same name; remove one')
        seen[file.stem] = file
    return files


def writable_folder(path: str | Path, option: str = '--output') -> Path:
    """Create a folder that a program was told to write to, and return its path.

    Raises UserError, which names the program's option, if no file can be written there.
    """
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path).close()
    except OSError as error:
        reason = f'cannot write there ({error.strerror})'
        raise UserError(f'{path}: {reason}; choose another {option}') from error
    return Path(path)


def fingerprint(path: str | Path) -> str | None:
    """Return a hash of the names, sizes and times of a file or of the files in a folder.

    It is cheap, as no content is read, and tells whether an input changed between two runs. None
    if nothing is there.
    """
    path = Path(path)
    if not path.exists():
        return None
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    files = [file for file in files if file.is_file() and not file.name.startswith('.')]
    state = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return hashlib.sha256(repr(state).encode()).hexdigest()


@contextlib.contextmanager
def exclusive_lock(path: Path, lock: Path | None = None) -> Iterator[None]:
    """Keep other processes away from a file or folder during the block.

    lock: the lock file, .NAME.lock beside `path` by default. The lock ends with the process that
    took it, even if that is killed, and child processes do not inherit it.
    Raises UserError if another process holds the lock.
    """
    lock = lock or path.with_name(f'.{path.name}.lock')
    busy = UserError(f'{path}: in use by another process; wait until it ends')
    with open(lock, 'w') as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The previous holder may have removed the file after we opened it. Our lock would be
            # worthless then: the next process creates a new file and locks that.
            if not os.path.samestat(os.fstat(file.fileno()), lock.stat()):
                raise busy
        except (BlockingIOError, PermissionError, FileNotFoundError) as error:
            raise busy from error
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


def exclusive_lock_in(folder: Path) -> contextlib.AbstractContextManager[None]:
    """`exclusive_lock`, with the lock file in the folder: its parent folder may be read-only."""
    return exclusive_lock(folder, folder / '.lock')
