"""What lies in a folder, for comparison before and after a run."""

from pathlib import Path


def names_in(folder):
    """The names of all files and folders that lie directly in a folder."""
    return {path.name for path in folder.iterdir()}


def files_in(folder):
    """The content of every file below a folder, by its path relative to it."""
    files = (path for path in sorted(folder.rglob('*')) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def snapshot(folder):
    """Everything below a folder by its relative path: bytes, the target of a link, or 'folder'."""
    found = {}
    for path in Path(folder).rglob('*'):
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else 'folder'
        found[path.relative_to(folder)] = path.readlink() if path.is_symlink() else content
    return found
