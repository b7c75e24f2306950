"""The command line that the download programs share, and what they do with the table of files."""

import sys
import textwrap
from pathlib import Path
from urllib.parse import urlsplit

from util.download.catalogue import TERMS
from util.errors import UserError
from util.options import PROJECT


def add_download_options(parser, root):
    """What all downloads share; `root` is the default folder."""
    add = parser.add_argument
    add('--root', type=Path, default=root, help='where it goes (default: %(default)s)')
    add('--list', action='store_true', help='say what there is to download, and stop')
    add('--check', action='store_true', help='say what is there, 1 as exit code unless all is')
    add('--yes', action='store_true', help='accept the terms')
    add('--mirror', metavar='URL', help='fetch URL/FILE instead, names by --list')


def add_archive_options(parser, table):
    add_download_options(parser, PROJECT.parent)
    add = parser.add_argument
    names = [item.name for item in table]
    add('--only', nargs='+', choices=names, default=names, metavar='NAME', help=', '.join(names))
    add('--keep', action='store_true', help='do not remove an archive once it is unpacked')
    add('--from', type=Path, dest='given', metavar='DIR', help='archives got by hand; they stay')


def check_mirror(args):
    if args.mirror is None:
        return
    try:
        url = urlsplit(args.mirror)
    except ValueError:  # a bracket without its other
        url = urlsplit('')
    if not args.mirror.startswith(('http://', 'https://')):
        raise UserError(f'--mirror {args.mirror}: must start with http:// or https://')
    if not url.hostname:
        raise UserError(f'--mirror {args.mirror}: names no server; give http://SERVER/FOLDER')


def run(args, table):
    """Do what the options of `add_archive_options` say with the archives of the table."""
    check_mirror(args)
    items = [item for item in table if item.name in args.only]
    from util.download.install import is_there, obtain

    if args.list:
        for item in items:
            print(describe(item, 'there' if is_there(item, args.root) else 'not there'))
        return
    if not args.check:
        missing = [item for item in items if not is_there(item, args.root)]
        if missing:
            check_given(missing, args.given)
            agree(missing, args.yes)
            check_all_fit(missing, args)
        for item in missing:
            obtain(item, args.root, mirror=args.mirror, given=args.given, keep=args.keep)
    complete = report(items, args.root)
    if args.check and not complete:
        sys.exit(1)


def describe(item, state):
    size = f'about {item.gigabytes} GB' if item.gigabytes else 'size unknown'
    return f'{item.name:20} {state:10} {size:14} {item.file:26} {item.source}'


def report(items, root):
    """Print what of the trees is there -> whether all of it is."""
    from util.download.install import is_there
    from util.download.inventory import count_tree

    stock = []
    for tree in dict.fromkeys(tree for item in items for tree in item.trees):
        stock.append(count_tree(root, tree))
        print(stock[-1])
    for item in items:
        if item.merges:
            print(f'{item.name:36} {"merged" if is_there(item, root) else "not merged"}')
    return all(entry.complete for entry in stock)


def agree(items, yes):
    """Show the terms and ask, unless they are accepted already. Raises UserError."""
    for terms in dict.fromkeys(item.terms for item in items):
        lines = textwrap.wrap(TERMS[terms], 100, break_on_hyphens=False, subsequent_indent='  ')
        print('\n'.join(lines))
    if yes:
        return
    if sys.stdin is None or not sys.stdin.isatty():
        raise UserError('the terms are not accepted, and nobody is there to ask; pass --yes')
    try:
        answer = input('Download under these terms? [y/N] ')
    except EOFError:
        answer = ''
    if answer.strip().lower() not in ('y', 'yes'):
        raise UserError('the terms are not accepted; nothing is downloaded')


def check_given(items, folder):
    """Raise UserError unless a folder, if one is given, holds the archives of all these."""
    for item in items if folder else ():
        if not (folder / item.file).is_file():
            names = 'with --only, name those that you have'
            raise UserError(f'{folder / item.file}: no such file; put it there or, {names}')


def check_all_fit(items, args):
    """Before hours go into it: whether there is room for all whose size the table knows."""
    from util.download.disk import check_space, size_of

    used = most = 0
    for item in items:
        size, archive = (item.gigabytes or 0) * 10**9, args.root / item.file
        begun = max(size_of(archive), size_of(f'{archive}.part'))
        used += 2 * size - (size if args.given else min(size, begun))  # an archive, what is in it
        most = max(most, used)
        if not args.keep and not args.given:
            used -= size
    args.root.mkdir(parents=True, exist_ok=True)
    check_space(args.root, most, f'{", ".join(item.name for item in items)}, unpacked,')
