"""Shrink a checkpoint's network to a quarter of its size, for sharing; all programs can read it.

python scripts/shrink_checkpoint.py saves/own/own_best.pth saves/small.pth
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from util.errors import UserError, entry_point
from util.options import Bounded


@entry_point
def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add('checkpoint', type=Path, help='a published checkpoint, or one that train.py wrote')
    add('output', type=Path, help='the file to write')
    add(
        '--short_side', type=int, action=Bounded, least=16, metavar='N',
        help='the short side the network is best at; programs take it if --size is not given '
        '(default: what the checkpoint says)',
    )  # fmt: skip
    args = parser.parse_args(argv)
    if args.output.exists():
        raise UserError(f'{args.output}: already exists; choose another name')

    from scripts.shrinking import shrink

    shrink(args.checkpoint, args.output, args.short_side)
    print(f'{args.output}: {args.output.stat().st_size / 1e6:.1f} MB')


if __name__ == '__main__':
    main()
