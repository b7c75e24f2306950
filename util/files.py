"""Files that are either whole or not there."""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import re
import tempfile
from pathlib import Path

from util.errors import UserError

# of file systems without locks, such as Lustre often is: these have to do without
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


@contextlib.contextmanager
def atomic_write(path):
    """Yields a path beside `path` to write to; it takes the final name only if all went well."""
    path = Path(path)
    part = path.with_name(f'.{path.name}.part')
    try:
        yield part
        os.replace(part, path)
    except OSError as error:  # that a disk is full comes without a name, or with the part's
        names = (error.filename, error.filename2)
        if error.errno and (error.filename is None or str(part) in names):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    finally:
        part.unlink(missing_ok=True)


def save_json(path, content):
    with atomic_write(path) as part:
        part.write_text(json.dumps(content, indent=2, default=str) + '\n')


def sha256(path):
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def natural_key(name):
    """Sort key under which frame2 comes before frame10."""
    parts = re.split(r'(\d+)', str(name))
    return [(int(part), part) if part.isdecimal() else (-1, part) for part in parts]


def list_files(folder, suffixes):
    """The files of a folder with one of these suffixes, in natural order; hidden ones are left out.

    Raises UserError if two of them differ in the suffix only: results could not be told apart.
    """
    files = sorted(
        (
            entry
            for entry in Path(folder).iterdir()
            if entry.suffix.lower() in suffixes and not entry.name.startswith('.')
        ),
        key=lambda entry: natural_key(entry.name),
    )
    seen = {}
    for file in files:
        if file.stem in seen:
            raise UserError(f'{file} and {seen[file.stem].name} have the same name; remove one')
        seen[file.stem] = file
    return files


def writable_folder(path, option='--output'):
    """Make the folder, or raise UserError if nothing can be written there."""
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path).close()
    except OSError as error:
        reason = f'cannot write there ({error.strerror})'
        raise UserError(f'{path}: {reason}; choose another {option}') from error
    return Path(path)


def fingerprint(path):
    """Changes with the names, sizes or times of a file or of the files in a folder."""
    path = Path(path)
    if not path.exists():
        return None
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    files = [file for file in files if file.is_file() and not file.name.startswith('.')]
    state = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return hashlib.sha256(repr(state).encode()).hexdigest()


@contextlib.contextmanager
def exclusive_lock(path, lock=None):
    """Raise UserError if another process is at work on this file or folder.

    lock: the file that says so, .NAME.lock beside it by default. The lock dies with its process,
    however that ends, and is not handed down to workers.
    """
    lock = lock or path.with_name(f'.{path.name}.lock')
    busy = UserError(f'{path}: another process is at work on it; wait for it')
    with open(lock, 'w') as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # opened, then removed by the one before: a third process could lock a new one
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


def exclusive_lock_in(folder):
    """`exclusive_lock` for a results folder; the lock lies inside it, where we may write."""
    return exclusive_lock(folder, folder / '.lock')
