"""scripts/plot_training.py on event files as train.py writes them."""

import os

import numpy as np
from PIL import Image

from scripts.plot_training import main
from scripts.training_curves import hours_at, read_scalars
from util.training.logger import Logger


def write_run(folder, number, values, seconds):
    """Log a dict from iterations to losses; each iteration took so many seconds."""
    logger = Logger(folder)
    for iteration, loss in values.items():
        logger.writer.add_scalar('loss', loss, iteration)
        logger.writer.add_scalar('time', seconds, iteration)
    logger.close()
    (path,) = (path for path in folder.iterdir() if not path.name.endswith('run'))
    os.rename(path, folder / f'events.out.tfevents.{number}.run')


def test_runs_are_joined_and_pauses_left_out(tmp_path, capsys):
    write_run(tmp_path, 1, {100: 3.0, 200: 2.0, 300: 9.0}, seconds=36)
    write_run(tmp_path, 2, {250: 1.5, 350: 1.0}, seconds=18)  # from a checkpoint before 300
    scalars = read_scalars(tmp_path)
    assert scalars['loss'] == [(100, 3.0), (200, 2.0), (250, 1.5), (350, 1.0)]
    assert hours_at(scalars['time']) == [(100, 1.0), (200, 2.0), (250, 2.25), (350, 2.75)]
    main([str(tmp_path), str(tmp_path / 'curves.png')])
    assert 'curves.png: 2.8 hours' in capsys.readouterr().out
    with Image.open(tmp_path / 'curves.png') as picture:
        assert len(np.unique(np.array(picture).reshape(-1, 4), axis=0)) > 10
