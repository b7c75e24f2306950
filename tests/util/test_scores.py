import csv
import json

import numpy as np
import pytest

from scripts import score
from util.masks import save_mask
from util.scores import mean_score, score_masks, score_video


def boxes(num_frames=5, shift=0):
    """Two boxes, ids 1 and 4, `shift` pixels to the right."""
    masks = np.zeros((num_frames, 40, 60), np.uint8)
    masks[:, 5:15, 5 + shift : 25 + shift] = 1
    masks[:, 20:35, 10 + shift : 30 + shift] = 4
    return masks


def write(folder, masks, **options):
    folder.mkdir(parents=True)
    for number, mask in enumerate(masks):
        save_mask(folder / f'{number:05}.png', mask, **options)
    return folder


def truth_of(folder):
    return {path.name: path for path in folder.iterdir()}


def test_the_truth_scores_a_hundred():
    scores = score_masks(zip(boxes(), boxes(), strict=True))
    assert scores == {1: (100, 100), 4: (100, 100)}


def test_j_is_intersection_over_union_by_hand():
    scores = score_masks(zip(boxes(shift=5), boxes(), strict=True))
    assert scores[1].j == pytest.approx(100 * 15 / 25)
    assert scores[1].jf == pytest.approx((scores[1].j + scores[1].f) / 2)
    assert mean_score(scores.values()).j == pytest.approx(60)


def test_first_and_last_frame_do_not_count(tmp_path):
    truth = write(tmp_path / 'truth', boxes())
    predicted = boxes()
    predicted[[0, -1]] = 0
    folder = write(tmp_path / 'predicted', predicted)
    assert score_video(truth_of(truth), folder)[1].j == 100
    assert score_video(truth_of(truth), folder, all_frames=True)[1].j == pytest.approx(60)


def test_0_255_against_index_masks_of_one_object_is_foreground(tmp_path):
    foreground = (boxes() == 1).astype(np.uint8)
    truth = write(tmp_path / 'truth', foreground)
    folder = write(tmp_path / 'predicted', foreground * 255, palette=None)
    assert score_video(truth_of(truth), folder) == {1: (100, 100)}


@pytest.fixture
def trees(tmp_path):
    """Truth and predictions of two videos -> their folders."""
    for name in ('truth', 'predictions'):
        write(tmp_path / name / 'a', boxes(shift=len(name) % 5))
        write(tmp_path / name / 'b', (boxes() == 1).astype(np.uint8))
    return tmp_path / 'truth', tmp_path / 'predictions'


def test_command_prints_and_writes_every_row(trees, capsys):
    truth, predictions = trees
    score.main([str(truth), str(predictions)])
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
    truth, predictions = map(str, trees)
    (tmp_path / 'val.txt').write_text('b\n')
    for option in (['--videos', 'b'], ['--list', str(tmp_path / 'val.txt')]):
        score.main([truth, predictions, *option])
        assert capsys.readouterr().out.splitlines()[1].split() == ['overall', *['100.0'] * 3]


def drop_frame(truth, predictions):
    (predictions / 'a' / '00002.png').unlink()


def drop_video(truth, predictions):
    for path in (predictions / 'b').iterdir():
        path.unlink()
    (predictions / 'b').rmdir()


def other_size(truth, predictions):
    save_mask(predictions / 'a' / '00002.png', np.zeros((40, 59), np.uint8) + 1)


def binary_for_two_objects(truth, predictions):
    for path in (predictions / 'a').iterdir():
        save_mask(path, np.full((40, 60), 255, np.uint8), palette=None)


def colours(truth, predictions):
    from PIL import Image

    Image.new('RGB', (60, 40)).save(predictions / 'a' / '00001.png')


def short(truth, predictions):
    for folder in (truth, predictions):
        for number in (2, 3, 4):
            (folder / 'a' / f'{number:05}.png').unlink()


@pytest.mark.parametrize(
    'spoil, words',
    [
        (drop_frame, ['a/00002.png', '1 frames are missing']),
        (drop_video, ['predictions: lacks b', '--videos']),
        (other_size, ['a/00002.png', '59x40', '60x40']),
        (binary_for_two_objects, ['predictions/a', '[255]', '[1, 4]']),
        (colours, ['a/00001.png', 'not a mask of object ids']),
        (short, ['predictions/a: 2 frames']),
    ],
)
def test_no_silently_wrong_number(trees, capsys, spoil, words):
    spoil(*trees)
    with pytest.raises(SystemExit) as stop:
        score.main([str(path) for path in trees])
    error = capsys.readouterr().err
    assert stop.value.code == 2 and error.count('\n') == 1
    assert all(word in error for word in words), error
    assert not (trees[1] / 'scores.csv').exists()


def test_folders_without_videos_are_told(tmp_path, capsys):
    for name in ('truth', 'predictions'):
        write(tmp_path / name, boxes())
    with pytest.raises(SystemExit):
        score.main([str(tmp_path / 'truth'), str(tmp_path / 'predictions')])
    assert 'holds no folder of masks per video' in capsys.readouterr().err


def test_foreground_is_any_id_where_a_benchmark_says_so(tmp_path):
    truth = write(tmp_path / 'truth', boxes())
    folder = write(tmp_path / 'predicted', (boxes() > 0) * np.uint8(255), palette=None)
    assert score_video(truth_of(truth), folder, binary=True) == {1: (100, 100)}


def test_the_truth_itself_is_no_prediction(trees, capsys):
    with pytest.raises(SystemExit):
        score.main([str(trees[0]), str(trees[0] / '..' / 'truth')])
    assert 'is the truth itself' in capsys.readouterr().err
