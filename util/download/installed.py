"""Which downloads are installed already."""

import json
from pathlib import Path

from util.download.catalogue import Download
from util.errors import UserError
from util.files import save_json

MERGED = 'merged.json'  # in a tree made of several archives: name of each that is in it -> its MD5


def is_installed(item: Download, root: Path) -> bool:
    """Whether a download is there; only util.download.inventory tells whether it is complete."""
    if not item.folder:
        return (root / item.file).is_file()
    if item.is_part:
        return read_merged(root / item.folder).get(item.name) == item.md5
    if item.trees and all(is_filled(root / tree.folder) for tree in item.trees):
        return True
    return item.depth == 0 and is_filled(root / item.folder)


def is_filled(path: Path) -> bool:
    """Whether this is a file, or a folder that is not empty."""
    return any(path.iterdir()) if path.is_dir() else path.exists()


def read_merged(tree: Path) -> dict[str, str | None]:
    """The archives that were merged into this tree: name -> MD5."""
    try:
        return json.loads((tree / MERGED).read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        what = 'damaged; remove it, and the parts that are installed are unpacked again'
        raise UserError(f'{tree / MERGED}: {what}') from error


def record_merged(tree: Path, item: Download) -> None:
    """Note that this archive is now part of the tree."""
    save_json(tree / MERGED, {**read_merged(tree), item.name: item.md5})
