"""What download_datasets.py and download_bl30k.py do: list, check or install archives."""

import sys
from collections.abc import Sequence
from pathlib import Path

from util.download.catalogue import Download
from util.download.disk import check_space, file_size
from util.download.installed import is_installed
from util.download.options import DownloadOptions, confirm_terms
from util.errors import UserError
from util.files import writable_folder


def run(table: Sequence[Download], options: DownloadOptions) -> None:
    """List, check or install those archives of the table that options.only names."""
    items = [item for item in table if item.name in options.only]
    if options.list:
        print_list(items, options.root)
        return
    wanted = [] if options.check else items
    missing = [item for item in wanted if not is_installed(item, options.root)]
    if missing:
        check_needs(table, missing, options.root)
        check_archives(missing, options.archive_folder)
        confirm_terms(missing, options.yes)
        writable_folder(options.root, '--root')
        check_all_fit(missing, options)

    # only now, so that mistakes in the options are reported without loading requests and gdown
    from util.download import install, inventory

    for item in missing:
        install.install_archive(item, options)
    complete = inventory.print_inventory(items, options.root)
    if options.check and not complete:
        sys.exit(1)


def print_list(items: Sequence[Download], root: Path) -> None:
    """Print a line for each download: its name, whether it is there, its size, file and origin."""
    for item in items:
        state = 'present' if is_installed(item, root) else 'missing'
        size = f'about {item.gigabytes} GB' if item.gigabytes else 'size unknown'
        print(f'{item.name:20} {state:10} {size:14} {item.file:26} {item.origin}')


def check_needs(table: Sequence[Download], items: Sequence[Download], root: Path) -> None:
    """Raise UserError if an item goes into the tree of another one that will not be there."""
    for item in items:
        for other in table:
            if other.name == item.needs and other not in items and not is_installed(other, root):
                raise UserError(
                    f'--only {item.name}: goes into the tree of {other.name}, which is not there; '
                    f'name both (--only {other.name} {item.name})'
                )


def check_archives(items: Sequence[Download], folder: Path | None) -> None:
    """Raise UserError unless the folder, if one is given, holds the archives of all items."""
    if folder is None:
        return
    for item in items:
        if not (folder / item.file).is_file():
            remedy = 'put it there or, with --only, name the archives that you have'
            raise UserError(f'{folder / item.file}: no such file; {remedy}')


def check_all_fit(items: Sequence[Download], options: DownloadOptions) -> None:
    """Raise UserError unless there is space for all archives of known size and their content.

    This is better found out now than after hours of downloading.
    """
    used = most = 0
    for item in items:
        size, archive = (item.gigabytes or 0) * 10**9, options.root / item.file
        part = archive.with_name(f'{archive.name}.part')
        here = max(file_size(archive), file_size(part))
        # the unpacked content, about as large as the archive, and what is missing of the archive
        used += size + (0 if options.archive_folder else size - min(size, here))
        most = max(most, used)
        if not options.keep and not options.archive_folder:
            used -= size  # the archive is removed once it is unpacked
    names = ', '.join(item.name for item in items)
    check_space(options.root, most, f'downloading and unpacking {names}')
