"""Scores of masks against ground truth: by hand, from folders, and from the command line."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from scripts import score
from util.masks import save_mask
from util.scores import mean_score, score_masks, score_video


def boxes(num_frames=5, shift=0):
    """Masks (T, 40, 60) of two boxes with ids 1 and 4, moved `shift` pixels to the right."""
    masks = np.zeros((num_frames, 40, 60), np.uint8)
    masks[:, 5:15, 5 + shift : 25 + shift] = 1
    masks[:, 20:35, 10 + shift : 30 + shift] = 4
    return masks


def write(folder, masks, **options):
    folder.mkdir(parents=True)
    for number, mask in enumerate(masks):
        save_mask(folder / f'{number:05}.png', mask, **options)
    return folder


def ground_truth_in(folder):
    """Dict file name -> path, as `score_video` takes it."""
    return {path.name: path for path in folder.iterdir()}


def test_the_ground_truth_scores_100():
    scores = score_masks(zip(boxes(), boxes(), strict=True))
    assert scores == {1: (100, 100), 4: (100, 100)}


def test_j_is_the_intersection_over_union_counted_by_hand():
    scores = score_masks(zip(boxes(shift=5), boxes(), strict=True))
    assert scores[1].j == pytest.approx(100 * 15 / 25)
    assert scores[1].jf == pytest.approx((scores[1].j + scores[1].f) / 2)
    assert mean_score(scores.values()).j == pytest.approx(60)


def test_the_first_and_the_last_frame_are_not_scored(tmp_path):
    ground_truth = ground_truth_in(write(tmp_path / 'ground_truth', boxes()))
    predicted = boxes()
    predicted[[0, -1]] = 0
    folder = write(tmp_path / 'predicted', predicted)
    assert score_video(ground_truth, folder)[1].j == 100
    assert score_video(ground_truth, folder, all_frames=True)[1].j == pytest.approx(60)


def test_masks_of_0_and_255_match_masks_of_one_id(tmp_path):
    foreground = (boxes() == 1).astype(np.uint8)
    ground_truth = ground_truth_in(write(tmp_path / 'ground_truth', foreground))
    folder = write(tmp_path / 'predicted', foreground * 255, palette=None)
    assert score_video(ground_truth, folder) == {1: (100, 100)}


def score_with_void(tmp_path, change, name='predicted', **options):
    """Scores of perfect masks, changed, where four rows of the ground truth are void."""
    ground_truth, predicted = boxes(), boxes()
    ground_truth[:, 5:9] = 255
    change(predicted)
    folder = write(tmp_path / name / 'ground_truth', ground_truth)
    return score_video(
        ground_truth_in(folder), write(tmp_path / name / 'found', predicted), **options
    )


def paint(rows, number):
    def change(masks):
        masks[:, rows] = number

    return change


VOID_ROWS = [
    paint(slice(0), 0),
    paint(slice(5, 9), 0),
    paint(slice(5, 9), 4),
    paint(slice(5, 9), 255),
]


@pytest.mark.parametrize('change', VOID_ROWS)
def test_void_is_not_scored_whatever_is_predicted_there(tmp_path, change):
    """As in the evaluation of DAVIS, which takes void out of prediction and ground truth alike."""
    assert score_with_void(tmp_path, change) == {1: (100, 100), 4: (100, 100)}


def test_void_in_a_prediction_is_no_object(tmp_path):
    scores = score_with_void(tmp_path, paint(slice(9, 12), 255))
    assert scores[1].j == pytest.approx(100 * 3 / 6)


def test_a_binary_prediction_is_scored_beside_void(tmp_path):
    def binary(masks):
        masks[:] = (masks > 0) * np.uint8(255)

    for options in ({'binary': True}, {}):
        ground_truth = (boxes() == 1).astype(np.uint8)
        ground_truth[:, 5:9] = 255
        folder = tmp_path / str(len(options))
        paths = ground_truth_in(write(folder / 'ground_truth', ground_truth))
        found = write(folder / 'found', (boxes() == 1) * np.uint8(255), palette=None)
        assert score_video(paths, found, **options) == {1: (100, 100)}


@pytest.fixture
def trees(tmp_path):
    """The folders of the ground truth and of the predictions of two videos."""
    for shift, name in enumerate(('ground_truth', 'predictions')):
        write(tmp_path / name / 'a', boxes(shift=shift))
        write(tmp_path / name / 'b', (boxes() == 1).astype(np.uint8))
    return tmp_path / 'ground_truth', tmp_path / 'predictions'


def test_the_command_prints_and_writes_every_row(trees, capsys):
    ground_truth, predictions = trees
    score.main([str(ground_truth), str(predictions)])
    printed = capsys.readouterr().out.splitlines()
    rows = list(csv.reader((predictions / 'scores.csv').read_text().splitlines()))
    assert [row[:2] for row in rows[1:]] == [
        ['overall', ''],
        ['a', 'mean'],
        ['a', '1'],
        ['a', '4'],
        ['b', '1'],
    ]
    assert len(printed) == len(rows)
    saved = json.loads((predictions / 'scores.json').read_text())
    assert f'{saved["overall"]["J&F"]:.4f}' == rows[1][2]
    by_object = [float(row[3]) for row in rows[1:] if row[1].isdigit()]
    assert saved['overall']['J'] == pytest.approx(np.mean(by_object), abs=1e-4)
    assert saved['rows'][-1]['J'] == 100


def test_a_subset_can_be_named_or_listed(trees, capsys, tmp_path):
    ground_truth, predictions = map(str, trees)
    (tmp_path / 'val.txt').write_text('b\n')
    for option in (['--videos', 'b'], ['--list', str(tmp_path / 'val.txt')]):
        score.main([ground_truth, predictions, *option])
        assert capsys.readouterr().out.splitlines()[1].split() == ['overall', *['100.0'] * 3]


def drop_frame(ground_truth, predictions):
    (predictions / 'a' / '00002.png').unlink()


def drop_video(ground_truth, predictions):
    for path in (predictions / 'b').iterdir():
        path.unlink()
    (predictions / 'b').rmdir()


def change_size(ground_truth, predictions):
    save_mask(predictions / 'a' / '00002.png', np.zeros((40, 59), np.uint8) + 1)


def predict_0_and_255_for_two_objects(ground_truth, predictions):
    for path in (predictions / 'a').iterdir():
        save_mask(path, np.full((40, 60), 255, np.uint8), palette=None)


def predict_void(ground_truth, predictions):
    mask = boxes()[0]
    mask[0] = 255
    save_mask(predictions / 'a' / '00002.png', mask)


def predict_colours(ground_truth, predictions):
    Image.new('RGB', (60, 40), (255, 0, 0)).save(predictions / 'a' / '00001.png')


def shorten(ground_truth, predictions):
    for folder in (ground_truth, predictions):
        for number in (2, 3, 4):
            (folder / 'a' / f'{number:05}.png').unlink()


@pytest.mark.parametrize(
    'spoil, words',
    [
        (drop_frame, ['a/00002.png', 'missing frames: 1']),
        (drop_video, ['predictions: lacks b', '--videos']),
        (change_size, ['a/00002.png', '59x40', '60x40']),
        (predict_0_and_255_for_two_objects, ['predictions/a', '[255]', '[1, 4]']),
        (predict_void, ['predictions/a', '[255]', '[1, 4]']),
        (predict_colours, ['a/00001.png', 'not all in the DAVIS palette']),
        (shorten, ['predictions/a: ground truth for 2 frames', '(--all_frames)']),
    ],
)
def test_scores_that_would_be_wrong_are_refused(trees, capsys, spoil, words):
    spoil(*trees)
    with pytest.raises(SystemExit) as stop:
        score.main([str(path) for path in trees])
    error = capsys.readouterr().err
    assert stop.value.code == 2 and error.count('\n') == 1
    assert all(word in error for word in words), error
    assert not (trees[1] / 'scores.csv').exists()


def test_any_id_is_foreground_if_a_benchmark_is_binary(tmp_path):
    ground_truth = ground_truth_in(write(tmp_path / 'ground_truth', boxes()))
    folder = write(tmp_path / 'predicted', (boxes() > 0) * np.uint8(255), palette=None)
    assert score_video(ground_truth, folder, binary=True) == {1: (100, 100)}


def test_the_ground_truth_is_refused_as_predictions(trees, capsys):
    with pytest.raises(SystemExit):
        score.main([str(trees[0]), str(trees[0] / '..' / 'ground_truth')])
    assert 'is the ground-truth folder' in capsys.readouterr().err
