"""How fast is it, against the method written plainly, on this machine.

python scripts/benchmark.py inference        (propagation through a clip)
python scripts/benchmark.py read             (reading 1 to 60 frames of memory)
python scripts/benchmark.py train            (one training step)
python scripts/benchmark.py data             (training samples, per stage and worker)
python scripts/benchmark.py correspondence   (how often a point is found in another picture)

Both sides get the same inputs, are compared before they are timed, and take turns.
"""

import argparse
import importlib
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from util.errors import UserError, entry_point
from util.options import check_least, check_most

MAX_SIDE = 4096
BENCHMARKS = ('inference', 'read', 'train', 'data', 'correspondence')


@entry_point
def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add('what', choices=BENCHMARKS)
    add('--rounds', type=int, help='measurements of each (inference 1, others 5)')
    default = 'made-up weights; what propagate.py takes'
    add('--model', type=Path, help=f'checkpoint for inference; correspondence ({default})')
    add('--size', type=size, default=(480, 864), help='HEIGHTxWIDTH for inference, read (480x864)')
    add('--frames', type=int, default=60, help='of the clip for inference (60)')
    add('--objects', type=int, choices=(1, 2, 3), default=1, help='in that clip (1)')
    add('--crop', type=int, default=192, help='side of a training crop (192)')
    add('-b', '--batch_size', type=int, default=4)
    add('--device', default='auto')
    add('--amp', action='store_true', help='ours in half precision, the twin in float32')
    add('--compile', action='store_true', help='ours by torch.compile, for inference')
    add('--json', type=Path, help='write the figures there, too')
    args = parser.parse_args(argv)
    check_least(args, rounds=1, crop=32, batch_size=1, frames=4)
    check_most(args, rounds=1000, crop=MAX_SIDE, batch_size=4096, frames=10_000)
    if args.json and not args.json.parent.is_dir():
        raise UserError(f'--json {args.json}: no such folder; make it, or choose another')
    args.rounds = args.rounds or (1 if args.what == 'inference' else 5)
    figures = importlib.import_module(f'scripts.benchmarks.{args.what}').run(args)
    for name, value in figures.items():
        print(f'{name}: {value:.4g}' if isinstance(value, float) else f'{name}: {value}')
    if args.json:
        from util.files import save_json

        save_json(args.json, figures)


def size(text):
    """'480x864' -> (480, 864); at least one cell of the feature grid."""
    match = re.fullmatch(r'(\d+)x(\d+)', text)
    if not match or min(map(int, match.groups())) < 16:
        raise argparse.ArgumentTypeError(f'{text}: give HEIGHTxWIDTH, 480x864 say')
    if max(map(int, match.groups())) > MAX_SIDE:
        raise argparse.ArgumentTypeError(f'{text}: {MAX_SIDE} at most')
    return tuple(map(int, match.groups()))


if __name__ == '__main__':
    main()
