"""Bring the training videos of YouTube-VOS to a short side of 480, as stage 2 reads them.

python scripts/resize_youtube.py ../YouTube/train      (writes ../YouTube/train_480p)
"""

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from util.errors import entry_point
from util.options import MAX_WORKERS, check_least, check_most


@entry_point
def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add('folder', type=Path, metavar='DIR', help='with JPEGImages/ and Annotations/')
    add('output', type=Path, nargs='?', metavar='OUTPUT', help='(DIR_480p)')
    add('--short_side', type=int, default=480, help='smaller videos stay as they are (480)')
    add('--num_workers', type=int, help='processes (one per CPU, 8 at most)')
    args = parser.parse_args(argv)
    check_least(args, short_side=1, num_workers=1)
    check_most(args, num_workers=MAX_WORKERS)

    from dataset.layout import tree_folders
    from scripts.resizing import resize_folder

    tree_folders(args.folder)  # raises UserError unless it is a tree of videos
    folder = Path(os.path.abspath(args.folder))  # a name for '.', too
    output = args.output or folder.with_name(f'{folder.name}_{args.short_side}p')
    resize_folder(args.folder, output, args.short_side, args.num_workers)


if __name__ == '__main__':
    main()
