"""scripts/check_dataset.py: which faults it lists, and what it counts."""

import numpy as np
import pytest
from PIL import Image

from scripts import check_dataset
from tests.helpers import benchmark_trees
from tests.helpers.training_trees import own_tree, write_pair, write_videos
from util.masks import save_mask


def check(capsys, *words):
    """Run the program -> its exit code, the lines about faults, and the line of counts."""
    capsys.readouterr()
    code = 0
    try:
        check_dataset.main([*map(str, words), '--num_workers', '2'])
    except SystemExit as end:
        code = end.code
    lines = capsys.readouterr().out.splitlines()
    return code, lines[:-1], lines[-1] if lines else ''


def cut_off(path):
    path.write_bytes(path.read_bytes()[:-200])


def test_clean_pairs_are_counted(tmp_path, capsys):
    for stem in 'xy':
        write_pair(tmp_path / 'fss' / stem, '1')
    code, faults, counts = check(capsys, tmp_path)
    assert (code, faults) == (0, [])
    assert counts == '2 pairs, 2 masks read: 0 unreadable, 0 mismatched, 0 empty, 0 too short'


def test_every_fault_in_pairs_is_listed(tmp_path, capsys):
    for stem in ('good', 'cut', 'alone', 'size', 'empty'):
        write_pair(tmp_path, stem)
    cut_off(tmp_path / 'cut.jpg')
    (tmp_path / 'alone.png').unlink()
    save_mask(tmp_path / 'size.png', np.ones((20, 30), np.uint8))
    save_mask(tmp_path / 'empty.png', np.zeros((40, 56), np.uint8))
    code, faults, counts = check(capsys, tmp_path, '--static')
    assert code == 2 and len(faults) == 4
    for kind, name in (
        ('unreadable', 'cut.jpg'),
        ('mismatched', 'alone.jpg'),
        ('mismatched', 'size.png'),
        ('empty', 'empty.png'),
    ):
        assert any(line.startswith(kind) and f'/{name}: ' in line for line in faults), name
    assert counts == '4 pairs, 2 masks read: 1 unreadable, 2 mismatched, 1 empty, 0 too short'


def test_clean_videos_are_counted_wherever_their_tree_lies(tmp_path, capsys):
    benchmark_trees.davis_2017(tmp_path / 'DAVIS' / '2017')
    own_tree(tmp_path / 'YouTube' / 'train_480p')
    for root in ('DAVIS', 'DAVIS/2017/trainval', 'YouTube', 'YouTube/train_480p'):
        code, faults, counts = check(capsys, tmp_path / root)
        assert (code, faults) == (0, [])
        assert counts.startswith('3 videos, 15 masks read: 0 unreadable')


def test_every_fault_in_videos_is_listed(tmp_path, capsys):
    blank, some = np.zeros((4, 32, 40)), np.ones((4, 32, 40))
    names = ('good', 'cut', 'mask', 'alone', 'size', 'gone', 'big')
    videos = {name: some for name in names}
    write_videos(tmp_path, {**videos, 'empty': blank, 'short': some[:2]})
    images, masks = tmp_path / 'JPEGImages', tmp_path / 'Annotations'
    cut_off(images / 'cut' / '00001.jpg')
    Image.new('RGB', (40, 32)).save(masks / 'mask' / '00002.png')
    (masks / 'alone' / '00003.png').unlink()
    save_mask(masks / 'size' / '00000.png', np.ones((16, 20), np.uint8))
    (images / 'gone' / '00000.jpg').unlink()
    Image.new('RGB', (80, 64)).save(images / 'big' / '00003.jpg')
    save_mask(masks / 'big' / '00003.png', np.ones((64, 80), np.uint8))
    (masks / 'nowhere').mkdir()
    code, faults, counts = check(capsys, tmp_path)
    assert code == 2
    for kind, words in (
        ('unreadable', 'cut/00001.jpg: cannot be read'),
        ('unreadable', 'mask/00002.png: not a mask'),
        ('mismatched', 'alone/00003.jpg: its mask is missing (1 in this video)'),
        ('mismatched', 'size/00000.png: the mask is 20x16, its frame 40x32'),
        ('mismatched', 'gone/00000.png: its frame is missing'),
        ('mismatched', 'big/00003.jpg: 80x64, those before it 40x32'),
        ('mismatched', 'nowhere: no such video'),
        ('empty', 'empty: no mask in it shows an object'),
        ('too short', 'short: 2 frames with a mask, 3 are needed'),
    ):
        assert any(line.startswith(kind) and words in line for line in faults), words
    assert len(faults) == 9
    assert counts == (
        '9 videos, 29 masks read, 4 of them without objects: '
        '2 unreadable, 5 mismatched, 1 empty, 1 too short'
    )


def test_a_frame_without_objects_is_counted_and_no_fault(tmp_path, capsys):
    masks = np.ones((4, 32, 40))
    masks[2] = 0
    write_videos(tmp_path, {'v': masks})
    code, faults, counts = check(capsys, tmp_path, '--video')
    assert (code, faults) == (0, [])
    assert counts.startswith('1 videos, 4 masks read, 1 of them without objects: 0 unreadable')


@pytest.mark.parametrize('options', [[], ['--video'], ['--static']])
def test_a_folder_without_pairs_or_videos_is_refused(tmp_path, capsys, options):
    assert check(capsys, tmp_path, *options) == (2, [], '')
    assert check(capsys, tmp_path / 'nowhere', *options) == (2, [], '')
