"""The command line that resize_static.py and resize_youtube.py share."""

import argparse
import os
from pathlib import Path

from util.options import MAX_WORKERS, Bounded


def resize_program(argv, description, *, content, short_side, suffix, is_tree=False):
    """Parse the options and write a folder with smaller images and masks.

    Arguments:
        content: what the folder must hold, for --help.
        short_side: the default.
        suffix: of the output folder's default name; {} stands for the short side.
        is_tree: the folder must be a tree of videos.
    """
    parser = argparse.ArgumentParser(description=description)
    add = parser.add_argument
    add('folder', type=Path, metavar='DIR', help=content)
    default_name = f'DIR{suffix.format(short_side)}'
    add('output', type=Path, nargs='?', metavar='OUTPUT', help=f'new folder ({default_name})')
    add(
        '--short_side', type=int, action=Bounded, least=1, default=short_side,
        help=f'smaller files are copied unchanged ({short_side})',
    )  # fmt: skip
    add(
        '--num_workers', type=int, action=Bounded, least=1, most=MAX_WORKERS,
        help='processes (one per CPU, 8 at most)',
    )  # fmt: skip
    args = parser.parse_args(argv)
    folder = Path(os.path.abspath(args.folder))  # '.' has no name to append to
    output = args.output or folder.with_name(folder.name + suffix.format(args.short_side))

    from scripts.resizing import resize_folder

    resize_folder(args.folder, output, args.short_side, args.num_workers, is_tree=is_tree)
