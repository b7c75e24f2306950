"""Read every file of a training set and list those that training would stumble over.

python scripts/check_dataset.py ../static
python scripts/check_dataset.py ../YouTube/train_480p      (or any folder with JPEGImages/)
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from util.errors import UserError, entry_point
from util.options import MAX_WORKERS, check_least, check_most

INSIDE = ('.', 'train_480p', '2017/trainval')  # where the tree of videos of a known root lies


@entry_point
def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder', type=Path, metavar='DIR')
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument('--static', action='store_true', help='pairs of x.jpg and x.png')
    kind.add_argument('--video', action='store_true', help='JPEGImages/ and Annotations/')
    parser.add_argument('--num_workers', type=int, help='processes (one per CPU, 8 at most)')
    args = parser.parse_args(argv)
    check_least(args, num_workers=1)
    check_most(args, num_workers=MAX_WORKERS)
    tree = None if args.static else find_tree(args.folder)
    if tree is None and args.video:
        raise UserError(f'{args.folder}: holds no JPEGImages/')

    from scripts.dataset_faults import static_jobs, video_jobs
    from util.parallel import parallel_map

    check, jobs, faults, unit = video_jobs(tree) if tree else static_jobs(args.folder)
    if not jobs and not faults:
        raise UserError(f'{args.folder}: no pairs x.jpg, x.png and no videos in it')
    num_masks = 0
    try:
        for found, num_read in parallel_map(check, jobs, unit, args.num_workers):
            faults += found
            num_masks += num_read
    finally:  # hours may have gone into it when it is interrupted
        report(faults, f'{len(jobs)} {unit}, {num_masks} masks read')
    if faults:
        sys.exit(2)


def report(faults, what):
    from scripts.dataset_faults import KINDS

    for fault in faults:
        print(f'{fault.kind + ":":12}{fault.what}')
    number = Counter(fault.kind for fault in faults)
    print(f'{what}: ' + ', '.join(f'{number[kind]} {kind}' for kind in KINDS))


def find_tree(folder):
    """The folder that holds JPEGImages/, or None."""
    if not folder.is_dir():
        raise UserError(f'{folder}: no such folder')
    trees = [folder / inside for inside in INSIDE if (folder / inside / 'JPEGImages').is_dir()]
    return trees[0] if trees else None


if __name__ == '__main__':
    main()
