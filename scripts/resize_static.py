"""Bring static images and their masks to a short side of 384, as stage 0 crops them.

python scripts/resize_static.py ../static/HRSOD      (writes ../static/HRSOD_small)
python scripts/resize_static.py FOLDER OUTPUT --short_side 512
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
    add('folder', type=Path, metavar='DIR', help='x.jpg and x.png, also in folders of it')
    add('output', type=Path, nargs='?', metavar='OUTPUT', help='(DIR_small)')
    add('--short_side', type=int, default=384, help='smaller ones stay as they are (384)')
    add('--num_workers', type=int, help='processes (one per CPU, 8 at most)')
    args = parser.parse_args(argv)
    check_least(args, short_side=1, num_workers=1)
    check_most(args, num_workers=MAX_WORKERS)

    from scripts.resizing import resize_folder

    folder = Path(os.path.abspath(args.folder))  # a name for '.', too
    output = args.output or folder.with_name(f'{folder.name}_small')
    resize_folder(args.folder, output, args.short_side, args.num_workers)


if __name__ == '__main__':
    main()
