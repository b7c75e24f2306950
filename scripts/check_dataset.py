"""Read every file of a training set and list those that training would stumble over.

python scripts/check_dataset.py ../static
python scripts/check_dataset.py ../YouTube/train_480p      (or any folder with JPEGImages/)
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from util.errors import entry_point
from util.options import MAX_WORKERS, Bounded


@entry_point
def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder', type=Path, metavar='DIR', help='pairs or a tree of videos')
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument('--static', action='store_true', help='check pairs of x.jpg and x.png')
    kind.add_argument(
        '--video', action='store_true',
        help='check JPEGImages/ and Annotations/ (without either option, what DIR holds)',
    )  # fmt: skip
    parser.add_argument(
        '--num_workers', type=int, action=Bounded, least=1, most=MAX_WORKERS,
        help='processes (one per CPU, 8 at most)',
    )  # fmt: skip
    args = parser.parse_args(argv)

    from scripts.dataset_faults import check_static, check_video_tree, find_tree

    tree = None if args.static else find_tree(args.folder, required=args.video)
    if tree:
        is_sound = check_video_tree(tree, args.num_workers)
    else:
        is_sound = check_static(args.folder, args.num_workers)
    if not is_sound:
        sys.exit(2)


if __name__ == '__main__':
    main()
