"""Unpacking untrusted archives: only folders and regular files, all of them below the target."""

import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, Literal, NamedTuple

from util.download.disk import check_space, file_size, whole_megabytes
from util.errors import UserError
from util.progress import progress_bar

DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    RuntimeError,  # a password, or a compression that Python does not support
)
Kind = Literal['file', 'folder', 'other']


class Member(NamedTuple):
    """A member of an archive; 'other' is a link or a device."""

    name: str
    size: int  # bytes when unpacked
    kind: Kind
    open: Callable[[], IO[bytes] | None]  # None only for what is not a file


class UnsafeMember(Exception):
    """A member that is refused: a link, a device, or a path outside the folder."""


def unpack(archive: Path, folder: Path) -> None:
    """Write the content of a zip file or a tar file, compressed or not, into a new folder.

    What macOS adds (__MACOSX) is left out. Raises OSError, or UserError for a damaged archive and
    for one with a device, a link or a member outside the folder. Even links inside are refused,
    because no archive of images needs any.
    """
    folder.mkdir()
    try:
        if tarfile.is_tarfile(archive):  # asked first: the last file in a tar file may be a zip
            with tarfile.open(archive) as opened_tar:
                # adding up a tar file takes minutes; uncompressed, it is as large as its content
                total = file_size(archive)
                write_members(folder, tar_members(opened_tar), total, archive.name)
        elif zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened_zip:
                total = sum(info.file_size for info in opened_zip.infolist())
                write_members(folder, zip_members(opened_zip), total, archive.name)
        else:
            raise zipfile.BadZipFile('it is neither a zip nor a tar file')
    except UnsafeMember as error:
        raise UserError(f'{archive}: {error}; not unpacked, do not trust this file') from error
    except (*DAMAGED, OSError) as error:
        if isinstance(error, OSError) and error.errno:  # from the disk, not from a decompressor
            error.filename = error.filename or str(folder)
            raise
        reason = f'cannot be unpacked ({str(error) or type(error).__name__})'
        raise UserError(f'{archive}: {reason}; remove it and download it again') from error


def zip_members(archive: zipfile.ZipFile) -> Iterator[Member]:
    """The members of a zip file."""
    for info in archive.infolist():
        mode = stat.S_IFMT(info.external_attr >> 16)  # 0 if it was not packed on Unix
        kind: Kind = 'folder' if info.is_dir() else 'file'
        if mode not in (0, stat.S_IFREG, stat.S_IFDIR):
            kind = 'other'
        # `filename` would end at a zero byte
        yield Member(info.orig_filename, info.file_size, kind, partial(archive.open, info))


def tar_members(archive: tarfile.TarFile) -> Iterator[Member]:
    """The members of a tar file."""
    for info in archive:
        kind: Kind = 'folder' if info.isdir() else 'other'
        if info.isreg():
            kind = 'file'
        yield Member(info.name, info.size, kind, partial(archive.extractfile, info))
        # forget those we have: a part of BL30K has millions of members
        archive.members.clear()  # type: ignore[attr-defined]


def write_members(folder: Path, members: Iterable[Member], total: int, name: str) -> None:
    """Write all members of the archive `name` below a folder.

    total: their size in bytes, at least approximately.
    """
    check_space(folder, total, f'unpacking {name}')
    with progress_bar(max(1, whole_megabytes(total)), 'MB unpacked') as bar:
        done = 0
        for member in members:
            write_member(folder, member)
            done = min(done + member.size, total)  # a compressed tar file holds more than its size
            bar.update(whole_megabytes(done))


def write_member(folder: Path, member: Member) -> None:
    """Write one member below a folder, or raise UnsafeMember."""
    inside = path_inside(member.name)
    if '__MACOSX' in inside.parts:
        return
    path = folder / inside
    if member.kind == 'other':
        raise UnsafeMember(f'its member {member.name!r} is a link or a device')
    if member.kind == 'folder':
        path.mkdir(parents=True, exist_ok=True)
        return
    check_space(folder, member.size, f'unpacking {path.name}')
    path.parent.mkdir(parents=True, exist_ok=True)
    packed = member.open()
    assert packed is not None
    with packed, open(path, 'wb') as target:
        shutil.copyfileobj(packed, target, 1 << 20)
    if file_size(path) != member.size:
        raise EOFError(f'its member {path.name} is cut off')


def path_inside(name: str) -> PurePosixPath:
    """The relative path of a member. Raises UnsafeMember if it may lie elsewhere.

    Windows separators and drive letters are refused on every system.
    """
    path, drive = PurePosixPath(name), PureWindowsPath(name).drive
    if path.is_absolute() or '..' in path.parts or drive or '\\' in name or '\0' in name:
        raise UnsafeMember(f'its member {name!r} lies outside the folder it is unpacked to')
    return path
