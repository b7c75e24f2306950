"""Files that are either whole or not there."""

import contextlib
import hashlib
import json
import os
import re
import tempfile
from pathlib import Path

from util.errors import UserError


@contextlib.contextmanager
def whole_file(path):
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
    with whole_file(path) as part:
        part.write_text(json.dumps(content, indent=2, default=str) + '\n')


def save_tensors(path, content):
    """torch.save into a file that is whole or not there. Raises OSError for a full disk, say."""
    import torch

    with whole_file(path) as part, open(part, 'wb') as file:
        try:
            torch.save(content, file)
        except RuntimeError as error:  # of the archive, which stands before the one of the disk
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise


def sha256(path):
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def natural(name):
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
        key=lambda entry: natural(entry.name),
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
