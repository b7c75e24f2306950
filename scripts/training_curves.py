"""Curves of a training, read from its TensorBoard files."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from util.errors import UserError
from util.files import atomic_write

PANELS = {
    'training loss': ('loss',),
    'IoU on training crops': ('iou_1', 'iou_2'),
    'validation': ('val_J&F', 'val_J', 'val_F'),
}


def read_scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """The (iteration, value) pairs of each scalar, from all runs that a training consists of.

    A run that resumed from an older checkpoint replaces what had been logged after it.
    """
    files = sorted(folder.glob('events.out.tfevents.*'))
    scalars: dict[str, list[tuple[int, float]]] = {}
    for file in files:
        events = EventAccumulator(str(file), size_guidance={'scalars': 0}).Reload()
        for name in events.Tags()['scalars']:
            found = [(event.step, event.value) for event in events.Scalars(name)]
            older = [(step, value) for step, value in scalars.get(name, ()) if step < found[0][0]]
            scalars[name] = older + found
    if 'time' not in scalars:
        raise UserError(f'{folder}: no event files of train.py; give log/ID of a training')
    return scalars


def hours_at(times: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """Hours of training up to each of these iterations, without the pauses between runs.

    times: pairs of an iteration and the mean seconds of those since the pair before.
    """
    iteration, hours, clock = 0, 0.0, []
    for step, seconds in times:
        hours += (step - iteration) * seconds / 3600
        iteration = step
        clock.append((iteration, hours))
    return clock


def draw(
    scalars: dict[str, list[tuple[int, float]]], clock: list[tuple[int, float]], path: Path
) -> None:
    """Draw all panels over the hours of `clock`, which `hours_at` made, as a PNG."""
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
