"""Speed of this project against a plain reference implementation, on this machine.

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

from scripts.benchmarks.options import MeasurementOptions
from util.errors import UserError, entry_point, naming_options
from util.files import save_json
from util.options import Bounded

MAX_SIDE = 4096
BENCHMARKS = ('inference', 'read', 'train', 'data', 'correspondence')


@entry_point
def main(argv=None):
    given = vars(build_parser().parse_args(argv))
    what, output = given.pop('what'), given.pop('json')
    if output and not output.parent.is_dir():
        raise UserError(f'--json {output}: no such folder; make it, or choose another')
    given['rounds'] = given['rounds'] or (1 if what == 'inference' else 5)
    with naming_options(model='--model'):
        benchmark = importlib.import_module(f'scripts.benchmarks.{what}')
        figures = benchmark.run(MeasurementOptions(**given))
    for name, value in figures.items():
        print(f'{name}: {value:.4g}' if isinstance(value, float) else f'{name}: {value}')
    if output:
        save_json(output, figures)


def build_parser():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add('what', choices=BENCHMARKS)
    add(
        '--rounds', type=int, action=Bounded, least=1, most=1000,
        help='how often each side is measured (inference 1, others 5)',
    )  # fmt: skip
    add(
        '--model', type=Path,
        help='checkpoint (default for inference: made-up weights; for correspondence: the same '
        'as for propagate.py)',
    )  # fmt: skip
    add('--size', type=size, default=(480, 864), help='HEIGHTxWIDTH for inference, read (480x864)')
    add(
        '--frames', type=int, action=Bounded, least=4, most=10_000, default=60,
        help='length of the clip for inference (60)',
    )  # fmt: skip
    add('--objects', type=int, choices=(1, 2, 3), default=1, help='objects in that clip (1)')
    add(
        '--crop', type=int, action=Bounded, least=32, most=MAX_SIDE, default=192,
        help='side of a training crop (192)',
    )  # fmt: skip
    add(
        '-b', '--batch_size', type=int, action=Bounded, least=1, most=4096, default=4,
        help='samples in a training step (4)',
    )  # fmt: skip
    add('--device', default='auto', help='auto, cpu, cuda, cuda:N or mps (auto: the fastest)')
    add('--amp', action='store_true', help='half precision for our side; the reference has float32')
    add(
        '--compile', dest='compiled', action='store_true',
        help='torch.compile for our side, in inference',
    )  # fmt: skip
    add('--json', type=Path, help='also write the figures to this file')
    return parser


def size(text):
    """Parse '480x864' as (480, 864); each side has at least one cell of the feature grid."""
    match = re.fullmatch(r'(\d+)x(\d+)', text)
    if not match or min(map(int, match.groups())) < 16:
        raise argparse.ArgumentTypeError(f'{text}: give HEIGHTxWIDTH, for example 480x864')
    if max(map(int, match.groups())) > MAX_SIDE:
        raise argparse.ArgumentTypeError(f'{text}: at most {MAX_SIDE} each')
    return tuple(map(int, match.groups()))


if __name__ == '__main__':
    main()
