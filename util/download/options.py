"""The options of the download programs, and the question whether the terms are accepted."""

import argparse
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from urllib.parse import urlsplit

from util.download.catalogue import TERMS, Download
from util.errors import UserError
from util.options import PROJECT


@dataclass(frozen=True)
class DownloadOptions:
    """What a download program is asked to do.

    Arguments:
        root: the folder that everything goes to.
        list, check: only show what can be downloaded, or what is already there.
        yes: the terms are accepted.
        mirror: a URL with copies of all files.
        only: names of the archives to download.
        keep: do not remove archives after unpacking them.
        archive_folder: take the archives from this folder instead of downloading them.
    """

    root: Path
    list: bool = False
    check: bool = False
    yes: bool = False
    mirror: str | None = None
    only: Sequence[str] = ()
    keep: bool = False
    archive_folder: Path | None = None


def add_download_options(parser: argparse.ArgumentParser, root: Path) -> None:
    """The options that all download programs share; `root` is the default folder."""
    add = parser.add_argument
    add('--root', type=Path, default=root, help='folder to download to (default: %(default)s)')
    add('--list', action='store_true', help='only list what can be downloaded')
    add('--check', action='store_true', help='only check what is there; exit code 1 unless all is')
    add('--yes', action='store_true', help='accept the terms')
    add('--mirror', metavar='URL', help='download URL/FILE instead; --list shows the files')


def add_archive_options(parser: argparse.ArgumentParser, table: Sequence[Download]) -> None:
    """The options of the programs that download the archives of a table."""
    add_download_options(parser, PROJECT.parent)
    add = parser.add_argument
    names = [item.name for item in table]
    add('--only', nargs='+', choices=names, default=names, metavar='NAME', help=', '.join(names))
    add('--keep', action='store_true', help='keep archives after unpacking them')
    add(
        '--from', type=Path, dest='archive_folder', metavar='DIR',
        help='take the archives from this folder, and leave them there',
    )  # fmt: skip


def download_options(args: argparse.Namespace) -> DownloadOptions:
    """What was parsed, as an options object. Raises UserError for a --mirror that is not a URL."""
    if args.mirror is not None:
        check_mirror(args.mirror)
    names = {field.name for field in fields(DownloadOptions)}
    return DownloadOptions(**{name: value for name, value in vars(args).items() if name in names})


def check_mirror(mirror: str) -> None:
    """Raise UserError unless this is a URL with a server in it."""
    try:
        host = urlsplit(mirror).hostname
    except ValueError:  # an opening bracket without a closing one
        host = None
    if not mirror.startswith(('http://', 'https://')):
        raise UserError(f'--mirror {mirror}: must start with http:// or https://')
    if not host:
        raise UserError(f'--mirror {mirror}: names no server; it must be http://SERVER/FOLDER')


def confirm_terms(items: Sequence[Download], accepted: bool) -> None:
    """Show the terms and ask whether they are accepted, unless that is known already.

    Raises UserError if they are not.
    """
    for terms in dict.fromkeys(item.terms for item in items):
        lines = textwrap.wrap(TERMS[terms], 100, break_on_hyphens=False, subsequent_indent='  ')
        print('\n'.join(lines))
    if accepted:
        return
    if sys.stdin is None or not sys.stdin.isatty():
        raise UserError(
            'the terms are not accepted, and there is no terminal to ask on; pass --yes to accept '
            'them'
        )
    try:
        answer = input('Download under these terms? [y/N] ')
    except EOFError:
        answer = ''
    if answer.strip().lower() not in ('y', 'yes'):
        raise UserError('the terms are not accepted; nothing is downloaded')
