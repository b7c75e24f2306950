"""scripts/score.py: which folders of masks it compares, and kinds of masks that mean the same."""

import json

import numpy as np
import pytest
from PIL import Image

from scripts import score
from tests.helpers.loopback import refused
from util.masks import DAVIS_PALETTE, save_mask

MASKS = np.zeros((5, 40, 60), np.uint8)
MASKS[:, 5:15, 5:25] = 1
MASKS[:, 20:35, 10:30] = 2
GREYS = np.arange(256, dtype=np.uint8).repeat(3).reshape(256, 3)
BRIGHT = np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0]], np.uint8)


def write(folder, masks=MASKS, shift=0, numbers=range(5)):
    for number in numbers:
        save_mask(folder / f'{number:05}.png', np.roll(masks[number], shift, 1))


def write_rgb(folder, palette):
    folder.mkdir(parents=True)
    for number, mask in enumerate(MASKS):
        Image.fromarray(palette[mask]).save(folder / f'{number:05}.png')


def scores_in(folder):
    """The overall J, and the rows by video and object."""
    saved = json.loads((folder / 'scores.json').read_text())
    return saved['overall']['J'], {(row['video'], row['object']) for row in saved['rows']}


SINGLE = [  # folders of ground truth and predictions, arguments, name of the video
    ('v', 'out', ('v', 'out'), 'v'),
    ('v', 'out/masks', ('v', 'out/masks'), 'v'),
    ('v', 'out/masks', ('v', 'out'), 'v'),
    ('v', 'out/v', ('v', 'out'), 'v'),
    ('gt/v', 'out/v', ('gt', 'out/v'), 'v'),
    ('gt/v', 'v/masks', ('gt', 'v'), 'v'),
    ('gt/v', 'out/v', ('gt', 'out'), 'v'),
    ('gt/v', 'out/v/masks', ('gt', 'out'), 'v'),
]


@pytest.mark.parametrize('ground_truth, predictions, words, video', SINGLE)
def test_masks_of_one_video_are_found(tmp_path, ground_truth, predictions, words, video):
    write(tmp_path / ground_truth)
    write(tmp_path / predictions, shift=5)
    if words[1] == 'out' and predictions == 'out/masks':
        Image.new('RGB', (9, 9)).save(tmp_path / 'out' / 'contact_sheet.png')
    score.main([str(tmp_path / word) for word in words])
    overall, rows = scores_in(tmp_path / words[1])
    assert overall == pytest.approx(60)
    assert rows == {(video, 'mean'), (video, 1), (video, 2)}


MISTAKES = [  # folders of ground truth and predictions, arguments, parts of the line
    ('v', 'out/a', ('v', 'out'), ('out: holds no masks', 'name the folder of the predicted')),
    ('gt/v', 'out', ('gt', 'out'), ('out: holds the masks of one video', 'a folder per video')),
    ('gt/v', 'out/masks', ('gt', 'out'), ('out: holds the masks of one video',)),
    ('gt/v', 'out/w', ('gt', 'out'), ('have no video in common (v against w)', 'name the two')),
    ('gt/Annotations/480p/v', 'out/v', ('gt', 'out'), ('(Annotations against v)',)),
    ('gt/480p/v', 'out/v', ('gt', 'out'), ('(480p against v)',)),
    ('gt/v', 'gt/w', ('gt', 'gt/v'), ('is the ground-truth folder',)),
    ('gt/masks', 'gt/w', ('gt', 'gt/masks'), ('is the ground-truth folder',)),
]


@pytest.mark.parametrize('ground_truth, predictions, words, parts', MISTAKES)
def test_folders_that_do_not_fit_are_named(
    tmp_path, capsys, ground_truth, predictions, words, parts
):
    write(tmp_path / ground_truth)
    write(tmp_path / predictions)
    line = refused(capsys, score.main, *(tmp_path / word for word in words))
    assert all(part in line for part in parts), line


def test_folders_without_masks_are_named(tmp_path, capsys):
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'gt' / 'v').mkdir(parents=True)
    write(tmp_path / 'out' / 'v')
    line = refused(capsys, score.main, tmp_path / 'empty', tmp_path / 'out')
    assert 'empty: holds no folder of masks per video, nor masks (.png)' in line
    line = refused(capsys, score.main, tmp_path / 'gt', tmp_path / 'out')
    assert 'gt/v: holds no masks (.png)' in line


@pytest.mark.parametrize('palette', [DAVIS_PALETTE, GREYS])
@pytest.mark.parametrize('colourful', ['gt', 'out', 'both'])
def test_colours_of_davis_and_greys_are_ids(tmp_path, palette, colourful):
    for name in ('gt', 'out'):
        if colourful in (name, 'both'):
            write_rgb(tmp_path / name / 'v', palette)
        else:
            write(tmp_path / name / 'v')
    score.main([str(tmp_path / 'gt'), str(tmp_path / 'out')])
    overall, rows = scores_in(tmp_path / 'out')
    assert overall == 100 and ('v', 2) in rows


def test_other_colours_are_refused_with_the_remedy(tmp_path, capsys):
    write(tmp_path / 'gt' / 'v')
    write_rgb(tmp_path / 'out' / 'v', BRIGHT)
    line = refused(capsys, score.main, tmp_path / 'gt', tmp_path / 'out')
    assert 'v/00000.png: its colours (#00ff00, for one) are not all in the DAVIS palette' in line
    assert '#00ff00' in line and 'save object ids in an indexed or grey PNG' in line


def test_ground_truth_of_some_frames_is_scored_and_told(tmp_path, capsys):
    write(tmp_path / 'gt' / 'v', numbers=(0, 2, 3))
    write(tmp_path / 'out' / 'v')
    score.main([str(tmp_path / 'gt'), str(tmp_path / 'out')])
    assert capsys.readouterr().out.startswith('ground truth for 3 of 5 frames; these are scored, ')
    score.main([str(tmp_path / 'gt'), str(tmp_path / 'out'), '--all_frames'])
    assert capsys.readouterr().out.startswith('ground truth for 3 of 5 frames; these are scored\n')


def test_ground_truth_of_two_frames_needs_all_frames(tmp_path, capsys):
    write(tmp_path / 'gt' / 'v', numbers=(0, 3))
    write(tmp_path / 'out' / 'v')
    folders = [str(tmp_path / 'gt'), str(tmp_path / 'out')]
    assert 'ground truth for 2 frames' in (line := refused(capsys, score.main, *folders))
    assert line.endswith('(--all_frames)')
    score.main([*folders, '--all_frames'])
    assert scores_in(tmp_path / 'out')[0] == 100


def test_masks_of_other_names_are_named(tmp_path, capsys):
    write(tmp_path / 'gt' / 'v')
    save_mask(tmp_path / 'out' / 'v' / 'frame_1.png', MASKS[0])
    save_mask(tmp_path / 'out' / 'v' / 'frame_5.png', MASKS[0])
    line = refused(capsys, score.main, tmp_path / 'gt', tmp_path / 'out')
    assert 'v/00000.png: no such mask' in line and 'frame_1.png to frame_5.png' in line
