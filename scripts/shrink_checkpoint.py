"""Write a checkpoint's network in a quarter of its size, for sharing; programs read it like any.

python scripts/shrink_checkpoint.py saves/own/own_best.pth saves/small.pth
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from util.errors import UserError, entry_point


@entry_point
def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('checkpoint', type=Path, help='of train.py, or as published')
    parser.add_argument('output', type=Path)
    args = parser.parse_args(argv)
    if args.output.exists():
        raise UserError(f'{args.output}: is there already; choose another name')

    from model.network import load_network
    from model.weights import quantize
    from util.tensor import save_tensors

    weights = load_network(args.checkpoint).state_dict()
    small = quantize({name: weight.contiguous() for name, weight in weights.items()})
    save_tensors(args.output, small)
    print(f'{args.output}: {args.output.stat().st_size / 1e6:.1f} MB')


if __name__ == '__main__':
    main()
