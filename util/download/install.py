"""Installing an archive: download and verify it, unpack it aside, move its content into place."""

import contextlib
import os
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from util.download.catalogue import Download
from util.download.checksums import check_md5
from util.download.fetch import Refused, Verifier, fetch
from util.download.installed import is_filled, is_installed, record_merged
from util.download.options import DownloadOptions
from util.download.unpack import unpack
from util.download.urls import manual_instructions, url_finder
from util.errors import UserError
from util.files import exclusive_lock

MAX_DEPTH = 3  # folders around the content of an archive


def install_archive(item: Download, options: DownloadOptions) -> None:
    """Download an archive, or take one that is there, and unpack it below options.root.

    It is removed afterwards, unless it lies in options.archive_folder or options.keep is set. If
    this is interrupted, at any moment, the next call continues. Raises UserError.
    """
    root = options.root
    archive, target = (options.archive_folder or root) / item.file, root / item.folder
    with exclusive_lock(target if item.is_part else root / item.file):
        if is_installed(item, root):  # another process may just have done it
            return
        if options.archive_folder or archive.is_file():
            check_md5(archive, item.md5)
        else:
            verify = partial(check_md5, expected=item.md5)
            download(item, archive, options.mirror, verify, will_unpack=True)
        print(f'{item.name}: unpacking {archive} to {target}')
        unpack_to(target, archive, item)
        if not options.keep and not options.archive_folder:
            archive.unlink()


def download(
    item: Download, path: Path, mirror: str | None, verify: Verifier, will_unpack: bool = False
) -> None:
    """Fetch a file of the catalogue; where a server refuses, say how to get it by hand."""
    print(f'{item.name}: downloading {path}')
    try:
        fetch(url_finder(item, mirror), path, verify=verify, will_unpack=will_unpack)
    except Refused as error:
        raise UserError(f'{item.name}: {error}; {manual_instructions(item, path)}') from error


def unpack_to(target: Path, archive: Path, item: Download) -> None:
    """Unpack an archive beside `target`, on the same disk, then move its content into place."""
    home = target if item.depth else target.parent
    home.mkdir(parents=True, exist_ok=True)
    aside = home / f'.{archive.name}.unpacked'
    shutil.rmtree(aside, ignore_errors=True)  # left by a run that was killed
    try:
        unpack(archive, aside)
        content = find_content(aside, item.markers)
        if len(content) != 1:
            wanted = ' and '.join(f'{name}/' for name in item.markers)
            found = f'{len(content) or "no"} folders in it hold {wanted}, but one is expected'
            remedy = f'the archive is kept, so you can unpack it to {target} by hand'
            raise UserError(f'{archive}: {found}; {remedy}')
        move_into_place(content[0], target, item.depth)
        if item.is_part:
            record_merged(target, item)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        with contextlib.suppress(OSError):  # it is not empty
            os.removedirs(home)


def find_content(aside: Path, markers: Sequence[str]) -> list[Path]:
    """The folders that hold all markers, on the first level of an unpacked archive that has any."""
    level = [aside]
    for _ in range(MAX_DEPTH + 1):
        found = [folder for folder in level if all((folder / name).is_dir() for name in markers)]
        if found:
            return found
        level = [child for folder in level for child in folder.iterdir() if child.is_dir()]
    return []


def move_into_place(source: Path, target: Path, depth: int) -> None:
    """Rename `source` to `target`, or each of its members `depth` levels down.

    What is there already stays. It is complete, because everything is renamed as a whole.
    """
    if depth and source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        # in order, Annotations before JPEGImages, so that no video is ever without its masks
        for child in sorted(source.iterdir()):
            move_into_place(child, target / child.name, depth - 1)
    elif not is_filled(target):
        os.replace(source, target)
