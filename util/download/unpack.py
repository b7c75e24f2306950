"""Unpacking archives of strangers: folders and regular files, all below the target."""

import lzma
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from functools import partial
from pathlib import PurePosixPath, PureWindowsPath

from util.download.disk import check_space, in_mb, size_of
from util.errors import UserError
from util.progress import progress_bar

DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    RuntimeError,  # a password; a compression that Python does not know
)
MAX_DEPTH = 3  # folders around the content of an archive


def unpack(archive, folder):
    """Write the content of a zip or tar file, compressed or not, into a new folder.

    A member that lies elsewhere, a link (inward ones too: no archive of pictures needs any) or a
    device ends it. What macOS adds (__MACOSX) is left out. Raises UserError, OSError.
    """
    folder.mkdir()
    try:
        is_zip = not tarfile.is_tarfile(archive)  # first: the last file in a tar may be a zip
        if is_zip and not zipfile.is_zipfile(archive):
            raise zipfile.BadZipFile('it is neither a zip nor a tar file')
        with zipfile.ZipFile(archive) if is_zip else tarfile.open(archive) as opened:
            # to add up a tar takes minutes; unless compressed, it is as large as what it holds
            total = sum(i.file_size for i in opened.infolist()) if is_zip else size_of(archive)
            check_space(folder, total, f'unpacking {archive.name}')
            members = zip_members(opened) if is_zip else tar_members(opened)
            with progress_bar(max(1, in_mb(total)), 'MB unpacked') as bar:
                done = 0
                for name, size, open_member in members:
                    write_member(folder, name, size, open_member)
                    done = min(done + size, total)  # a compressed tar holds more
                    bar.update(in_mb(done))
    except UnsafeMember as error:
        what = f'{error} in it; not unpacked, do not trust this file'
        raise UserError(f'{archive}: {what}') from error
    except (*DAMAGED, OSError) as error:
        if isinstance(error, OSError) and error.errno:  # the disk's, and not a decompressor's
            error.filename = error.filename or str(folder)
            raise
        reason = f'cannot be unpacked ({str(error) or type(error).__name__})'
        raise UserError(f'{archive}: {reason}; remove it and get it again') from error


class UnsafeMember(Exception):
    pass


def zip_members(archive):
    """Yield name, size and how to open it (a folder: None; a link or a device: 'other')."""
    for info in archive.infolist():
        kind = stat.S_IFMT(info.external_attr >> 16)
        known = kind in (0, stat.S_IFREG, stat.S_IFDIR)
        opened = None if info.is_dir() else partial(archive.open, info)
        # orig_filename: the other one ends at a zero byte
        yield info.orig_filename, info.file_size, opened if known else 'other'


def tar_members(archive):
    """Like `zip_members`."""
    for info in archive:
        opened = None if info.isdir() else partial(archive.extractfile, info)
        yield info.name, info.size, opened if info.isreg() or info.isdir() else 'other'
        archive.members.clear()  # a part of BL30K has millions, which would fill the memory


def write_member(folder, name, size, open_member):
    path = path_inside(name)
    if '__MACOSX' in path.parts:
        return
    if open_member == 'other':
        raise UnsafeMember(f'{name!r} is a link or a device')
    path = folder / path
    if open_member is None:
        path.mkdir(parents=True, exist_ok=True)
        return
    check_space(folder, size, f'unpacking {path.name}')
    path.parent.mkdir(parents=True, exist_ok=True)
    with open_member() as source, open(path, 'wb') as target:
        shutil.copyfileobj(source, target, 1 << 20)
    if size_of(path) != size:
        raise EOFError(f'{path.name} in it is cut off')


def path_inside(name):
    """The name of a member -> its relative path. Raises UnsafeMember if it may lie elsewhere."""
    path = PurePosixPath(name)
    windows = PureWindowsPath(name)  # of whose separators and drives nothing good can be meant
    if path.is_absolute() or '..' in path.parts or windows.drive or '\\' in name or '\0' in name:
        raise UnsafeMember(f'{name!r} lies outside the folder it is unpacked to')
    return path


def find_content(folder, holds):
    """The folders that hold all of these, on the level nearest to the top that has any."""
    level = [folder]
    for _ in range(MAX_DEPTH + 1):
        found = [place for place in level if all((place / name).is_dir() for name in holds)]
        if found:
            return found
        level = [child for place in level for child in place.iterdir() if child.is_dir()]
    return []


def move_in(source, target, depth):
    """Rename `source` to `target`, or its members `depth` levels down into it.

    What is there already stays: whole things only are moved, so it is whole.
    """
    if depth and source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        for child in sorted(source.iterdir()):  # Annotations first: no video is without its masks
            move_in(child, target / child.name, depth - 1)
    elif not is_filled(target):
        os.replace(source, target)


def is_filled(path):
    """Whether there is a file, or a folder with something in it."""
    return any(path.iterdir()) if path.is_dir() else path.exists()
