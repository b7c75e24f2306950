"""What the programs that go through a whole training set share: options, and a deferred import."""

import argparse
import os
from pathlib import Path

from util.options import MAX_WORKERS, Bounded


def dataset_parser(description, content):
    """A parser with the options that all of them have. content: what DIR holds, for --help."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument('folder', type=Path, metavar='DIR', help=content)
    parser.add_argument(
        '--num_workers', type=int, action=Bounded, least=1, most=MAX_WORKERS,
        help='processes (one per CPU, 8 at most)',
    )  # fmt: skip
    return parser


def load_tools():
    """The modules that read images and masks, which take seconds to import."""
    from scripts import dataset_faults, resizing

    return dataset_faults, resizing


def resize_program(argv, description, *, content, short_side, suffix, is_tree=False):
    """Parse the options and write a folder with smaller images and masks.

    Arguments:
        content: what the folder must hold, for --help.
        short_side: the default.
        suffix: of the output folder's default name; {} stands for the short side.
        is_tree: the folder must be a tree of videos.
    """
    parser = dataset_parser(description, content)
    default_name = f'DIR{suffix.format(short_side)}'
    parser.add_argument(
        'output', type=Path, nargs='?', metavar='OUTPUT', help=f'new folder ({default_name})'
    )
    parser.add_argument(
        '--short_side', type=int, action=Bounded, least=1, default=short_side,
        help=f'smaller files are copied unchanged ({short_side})',
    )  # fmt: skip
    args = parser.parse_args(argv)
    folder = Path(os.path.abspath(args.folder))  # '.' has no name to append to
    output = args.output or folder.with_name(folder.name + suffix.format(args.short_side))
    _, resizing = load_tools()
    resizing.resize_folder(args.folder, output, args.short_side, args.num_workers, is_tree=is_tree)
