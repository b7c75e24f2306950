"""Draw the loss, IoU and validation J&F of a training, as TensorBoard has them, over its hours.

python scripts/plot_training.py log/own saves/own/training.png
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from util.errors import UserError, entry_point

PANELS = {
    'training loss': ('loss',),
    'IoU on training crops': ('iou_1', 'iou_2'),
    'validation': ('val_J&F', 'val_J', 'val_F'),
}


@entry_point
def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('log', type=Path, help='folder of one training, with event files')
    parser.add_argument('output', type=Path, metavar='OUT.png')
    args = parser.parse_args(argv)
    if args.output.suffix.lower() != '.png':
        raise UserError(f'{args.output}: must end in .png')
    scalars = read_scalars(args.log)
    clock = hours_at(scalars)
    draw(scalars, clock, args.output)
    print(f'{args.output}: {clock[-1][1]:.1f} hours')


def read_scalars(folder):
    """-> dict name -> list of (iteration, value), of all the sittings of a training.

    A sitting that went on from an older checkpoint replaces what had been logged beyond it.
    """
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    files = sorted(folder.glob('events.out.tfevents.*'))
    scalars = {}
    for file in files:
        events = EventAccumulator(str(file), size_guidance={'scalars': 0}).Reload()
        for name in events.Tags()['scalars']:
            found = [(event.step, event.value) for event in events.Scalars(name)]
            older = [(step, value) for step, value in scalars.get(name, ()) if step < found[0][0]]
            scalars[name] = older + found
    if 'time' not in scalars:
        raise UserError(f'{folder}: no event files of train.py; give log/ID of a training')
    return scalars


def hours_at(scalars):
    """-> list of (iteration, hours of training up to it), pauses between sittings left out."""
    iteration, hours, clock = 0, 0.0, []
    for step, seconds in scalars['time']:  # an iteration's, over those since the last entry
        hours += (step - iteration) * seconds / 3600
        iteration = step
        clock.append((iteration, hours))
    return clock


def draw(scalars, clock, path):
    """clock: see `hours_at`."""
    import numpy as np
    from matplotlib.figure import Figure

    from util.files import atomic_write

    iterations, hours = np.array([(0, 0), *clock]).T
    figure = Figure(figsize=(12, 3.4), layout='constrained')
    for axes, (title, names) in zip(figure.subplots(1, len(PANELS)), PANELS.items(), strict=True):
        for name in names:
            steps, values = np.array(scalars.get(name) or [(0, np.nan)]).T
            axes.plot(np.interp(steps, iterations, hours), values, marker='.', label=name)
        axes.set(title=title, xlabel='hours of training')
        axes.grid(alpha=0.3)
        axes.legend()
    with atomic_write(path) as part:
        figure.savefig(part, format='png', dpi=80)


if __name__ == '__main__':
    main()
