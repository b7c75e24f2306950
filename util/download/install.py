"""From a line of the table to a tree on disk: download, verify, unpack aside, move into place."""

import contextlib
import json
import os
import shutil
from pathlib import Path

from util.download.disk import check_md5
from util.download.fetch import Refused, fetch
from util.download.unpack import find_content, is_filled, move_in, unpack
from util.download.urls import by_hand, find_url
from util.errors import UserError
from util.files import exclusive_lock, save_json

MERGED = 'merged.json'  # in a tree that several archives become: name of the archive -> its MD5


def is_there(item, root):
    """Whether what an archive becomes is there; `util.download.inventory` tells if it is whole."""
    if item.merges:
        return merged(root / item.place).get(item.name) == item.md5
    if item.trees and all(is_filled(root / tree.place) for tree in item.trees):
        return True
    return not item.depth and is_filled(root / item.place)


def obtain(item, root, *, mirror=None, given=None, keep=False):
    """item: util.download.catalogue.Published, an archive; root: the folder of all trees.

    given: a folder with archives that were got by hand, where they stay; others are removed once
    unpacked, unless `keep`. Interrupted at any moment, the next call goes on. Raises UserError.
    """
    root.mkdir(parents=True, exist_ok=True)
    archive = Path(given or root) / item.file
    with exclusive_lock(root / (item.place if item.merges else item.file)):
        if is_there(item, root):  # by another process, meanwhile
            return
        if given or archive.is_file():
            check_md5(archive, item.md5)
        else:
            download(item, archive, mirror, lambda part: check_md5(part, item.md5), reserve=1)
        print(f'{item.name}: unpacking {archive} to {root / item.place}')
        install(item, archive, root / item.place)
        if not keep and not given:
            archive.unlink()


def download(item, path, mirror, verify, reserve=0):
    """`fetch`, for an item of the table; a refusal is answered with the way to do it by hand."""
    print(f'{item.name}: downloading {path}')
    try:
        fetch(find_url(item, mirror), path, verify=verify, reserve=reserve)
    except Refused as error:
        raise UserError(f'{item.name}: {error}; {by_hand(item, path)}') from error


def install(item, archive, target):
    """Unpack beside `target`, on its disk, and rename what is whole."""
    home = target if item.depth else target.parent
    home.mkdir(parents=True, exist_ok=True)
    aside = home / f'.{archive.name}.unpacked'
    shutil.rmtree(aside, ignore_errors=True)  # of a run that was killed
    try:
        unpack(archive, aside)
        content = find_content(aside, item.holds)
        if len(content) != 1:
            wanted = ' and '.join(f'{name}/' for name in item.holds)
            found = f'{len(content) or "no"} folders in it hold {wanted}, one is expected'
            raise UserError(f'{archive}: {found}; it is kept, unpack it to {target} by hand')
        move_in(content[0], target, item.depth)
        if item.merges:
            save_json(target / MERGED, {**merged(target), item.name: item.md5})
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        with contextlib.suppress(OSError):  # not empty
            os.removedirs(home)


def merged(tree):
    try:
        return json.loads((tree / MERGED).read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        what = 'damaged; remove it, and the parts that are there are unpacked again'
        raise UserError(f'{tree / MERGED}: {what}') from error
