"""Draw the loss, IoU and validation J&F of a training over its hours, from its TensorBoard files.

python scripts/plot_training.py log/own saves/own/training.png
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from util.errors import UserError, entry_point


@entry_point
def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('log', type=Path, help='log/ID of a training, with event files')
    parser.add_argument('output', type=Path, metavar='OUT.png')
    args = parser.parse_args(argv)
    if args.output.suffix.lower() != '.png':
        raise UserError(f'{args.output}: must end in .png')
    # matplotlib and TensorBoard take seconds to import, so mistakes are reported before that.
    from scripts.training_curves import draw, hours_at, read_scalars

    scalars = read_scalars(args.log)
    clock = hours_at(scalars['time'])
    draw(scalars, clock, args.output)
    print(f'{args.output}: {clock[-1][1]:.1f} hours')


if __name__ == '__main__':
    main()
