"""Read every file of a training set and list those that training would stumble over.

python scripts/check_dataset.py ../static
python scripts/check_dataset.py ../YouTube/train_480p      (or any folder with JPEGImages/)
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.dataset_program import dataset_parser, load_tools
from util.errors import entry_point


@entry_point
def main(argv=None):
    parser = dataset_parser(__doc__.splitlines()[0], 'pairs or a tree of videos')
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument('--static', action='store_true', help='check pairs of x.jpg and x.png')
    kind.add_argument(
        '--video', action='store_true',
        help='check JPEGImages/ and Annotations/ (without either option, what DIR holds)',
    )  # fmt: skip
    args = parser.parse_args(argv)
    faults, _ = load_tools()
    tree = None if args.static else faults.find_tree(args.folder, required=args.video)
    if tree:
        is_sound = faults.check_video_tree(tree, args.num_workers)
    else:
        is_sound = faults.check_static(args.folder, args.num_workers)
    if not is_sound:
        sys.exit(2)


if __name__ == '__main__':
    main()
