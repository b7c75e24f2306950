"""scripts/baselines.py: what its three ways of following objects score, and mistakes."""

import json

import cv2
import numpy as np
import pytest
from PIL import Image

from scripts import baselines
from tests.helpers import benchmark_trees
from tests.helpers.clips import write_clip
from util.masks import save_mask

GROUND = cv2.resize(np.random.default_rng(0).integers(0, 255, (12, 16, 3), np.uint8), (128, 96))


@pytest.fixture
def sliding(tmp_path):
    """A clip with all its masks, in which a disc and the ground slide 3 pixels a frame."""
    y, x = np.mgrid[:96, :128]
    mask = ((y - 48) ** 2 + (x - 40) ** 2 < 500).astype(np.uint8)
    images = [np.roll(GROUND, 3 * t, 1) for t in range(8)]
    return write_clip(tmp_path / 'sliding', images, [np.roll(mask, 3 * t, 1) for t in range(8)])


def run(tmp_path, checkpoint, *argv):
    words = ['--model', checkpoint, '--device', 'cpu', '--json', tmp_path / 'scores.json', *argv]
    baselines.main([str(word) for word in words])
    return json.loads((tmp_path / 'scores.json').read_text())


def test_flow_follows_a_sliding_disc_and_a_copy_does_not(tmp_path, checkpoint, sliding, capsys):
    scores = run(tmp_path, checkpoint, '--clip', sliding, '--size', 96)
    assert scores['flow']['sliding']['J'] > 90 > 70 > scores['copy']['sliding']['J'] > 20
    assert scores.keys() == {'network', 'flow', 'copy'}
    assert capsys.readouterr().out.splitlines()[-1].startswith('mean')


def test_the_union_of_objects_is_scored_where_only_that_is_known(tmp_path, checkpoint, sliding):
    ground_truth = sliding / 'masks_binary_gt'
    (sliding / 'masks').rename(ground_truth)
    (sliding / 'masks').mkdir()
    mask = np.array(Image.open(ground_truth / '00000.png'))
    halves = np.where(np.arange(128) < 40, 1, 2) * (mask > 0)
    save_mask(sliding / 'masks' / '00000.png', halves.astype(np.uint8))
    scores = run(tmp_path, checkpoint, '--clip', sliding, '--size', 96)
    assert scores['flow']['sliding']['J'] > 85


def test_a_tree_is_scored_video_by_video(tmp_path, checkpoint):
    tree = benchmark_trees.davis_2017(tmp_path / '2017', lengths=(3, 4))
    scores = run(tmp_path, checkpoint, '--davis', tree, '--size', 48)
    assert len(scores['copy']) == 2


@pytest.mark.parametrize(
    'spoil, words',
    [
        (lambda clip: [], 'give --davis or --clip'),
        (
            lambda clip: (clip / 'masks' / '00003.png').unlink() or ['--clip', clip],
            'its ground truth',
        ),
        (lambda clip: ['--clip', clip, '--size', 8], '--size 8: must be at least 16'),
        (lambda clip: ['--clip', clip, '--clip', clip], 'two videos with the name sliding'),
    ],
)
def test_mistakes_are_reported(tmp_path, checkpoint, sliding, capsys, spoil, words):
    with pytest.raises(SystemExit) as stop:
        run(tmp_path, checkpoint, *spoil(sliding))
    assert stop.value.code == 2 and words in capsys.readouterr().err
