"""dataset/benchmarks.py and benchmark_video.py: lists of videos, other layouts, late objects."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataset.benchmarks import davis_2016, davis_2017, read_list, youtube_vos
from tests.helpers import benchmark_trees
from util.errors import UserError
from util.masks import save_mask

NAMES = st.text(st.characters(categories=('L', 'N', 'P'), exclude_characters='/\\'), min_size=1)


@given(
    names=st.lists(NAMES.filter(lambda name: name not in ('.', '..')), min_size=1, unique=True),
    encoding=st.sampled_from(['utf-8', 'utf-8-sig', 'utf-16']),
    end=st.sampled_from(['\n', '\r\n', '\r']),
    blanks=st.sampled_from(['', ' ', '\t ', '\xa0']),
)
def test_lists_of_any_editor_give_the_same_names(tmp_path_factory, names, encoding, end, blanks):
    path = tmp_path_factory.mktemp('list') / 'val.txt'
    text = end.join(f'{name}{blanks}' for name in names)
    for tail in ('', end, end + blanks + end):
        path.write_bytes((text + tail).encode(encoding))
        assert read_list(path) == names


def test_lists_that_were_joined_have_a_mark_inside(tmp_path):
    (tmp_path / 'val.txt').write_bytes(b'\xef\xbb\xbfa b\r\n\xef\xbb\xbfc\r\n')
    assert read_list(tmp_path / 'val.txt') == ['a b', 'c']


@pytest.mark.parametrize('encoding', ['utf-8-sig', 'utf-16'])
def test_meta_json_may_begin_with_a_byte_order_mark(tmp_path, encoding):
    tree = benchmark_trees.youtube(tmp_path)
    meta = {'videos': {'x': {'objects': {'3': {'frames': ['00006']}}}}}
    (tree / 'valid' / 'meta.json').write_bytes(json.dumps(meta).encode(encoding))
    assert youtube_vos(tree)[0].required == ['00006']


def rename(path, to):
    return lambda root: (root / path).rename(root / to)


def nest(root):
    """The tree without the folder that names its split."""
    (root / 'trainval').rename(root.parent / 'moved')
    root.rmdir()
    (root.parent / 'moved').rename(root)


def number_by_fives(root):
    for kind, suffix in (('JPEGImages', 'jpg'), ('Annotations', 'png')):
        for number in reversed(range(5)):
            file = root / 'trainval' / kind / '480p' / 'a' / f'{number:05}.{suffix}'
            file.rename(file.with_name(f'{5 * number + 1:08}.{suffix}'))


LAYOUTS = [  # what is done to a tree, what is opened, parts of the message
    (nest, '', ('2017/trainval: no such folder', 'such a tree itself', 'DIR/trainval')),
    (None, 'trainval', ('trainval/trainval: no such folder', 'name the folder above')),
    (None, '..', ('trainval: no such folder', 'name', '2017)')),
    (rename('trainval/JPEGImages/480p', 'trainval/JPEGImages/Full-Resolution'), '',
     ('JPEGImages/480p: no such folder', 'Full-Resolution')),
    (rename('trainval/Annotations/480p', 'trainval/Annotations/1080p'), '',
     ('Annotations/480p: no such folder', '1080p')),
    (number_by_fives, '', ('480p/a: frames are numbered in steps of 5 (00000001, 00000006)',)),
]  # fmt: skip


@pytest.mark.parametrize('change, place, words', LAYOUTS)
def test_another_layout_of_davis_is_named(tmp_path, change, place, words):
    root = benchmark_trees.davis_2017(tmp_path / '2017', lengths=(5,))
    if change:
        change(root)
    with pytest.raises(UserError) as error:
        davis_2017(root / place)
    assert all(word in str(error.value) for word in words), error.value


def test_another_layout_of_youtube_vos_is_named(tmp_path):
    root = benchmark_trees.youtube(tmp_path / 'MOSE')
    (root / 'all_frames').rename(tmp_path / 'gone')
    with pytest.raises(UserError, match=r'valid_all_frames/JPEGImages: no such .* link it there'):
        youtube_vos(root)
    with pytest.raises(UserError, match='name the folder above'):
        youtube_vos(root / 'valid')


def redraw(tree, masks):
    """Replace the ground truth of video a by masks {frame: array}."""
    for number, mask in masks.items():
        path = tree / 'trainval' / 'Annotations' / '480p' / 'a' / f'{number:05}.png'
        save_mask(path, np.asarray(mask, np.uint8))


def masks_of(*ids_of_frames):
    """Masks (48, 64), each with a vertical stripe of 4 pixels per id."""
    masks = np.zeros((len(ids_of_frames), 48, 64), np.uint8)
    for mask, ids in zip(masks, ids_of_frames, strict=True):
        for number, object_id in enumerate(sorted(ids)):
            mask[:, 4 * number : 4 * number + 4] = object_id
    return masks


def starts(video):
    """The ids in each mask that objects start from, by frame."""
    opened = video.with_late_objects()
    return {i: {*np.unique(opened.read_mask(p))} - {0} for i, p in opened.masks.items()}


@pytest.mark.parametrize(
    'shown, expected',
    [
        ([{1}, {1}, {1, 2}, {1, 2}, {2}], {0: {1}, 2: {2}}),
        ([{2}, {1, 2}, {3}, {1, 2, 3}, {4}], {0: {2}, 1: {1}, 2: {3}, 4: {4}}),
        ([{1, 2}, {1}, {2}, {1, 2}, {1}], {0: {1, 2}}),
        ([set(), {1}, {1}, {1}, {1}], {0: set(), 1: {1}}),
        ([{1}, {1, 255}, {1, 2, 255}, {1}, {1}], {0: {1}, 2: {2}}),
        ([{1, 255}, {1, 255}, {1}, {1}, {1}], {0: {1}}),
        ([{255}] * 5, {0: {255}}),
        ([set(), {255}, {255}, {255}, {255}], {0: set(), 1: {255}}),
    ],
)
def test_late_objects_start_where_ground_truth_first_shows_them(tmp_path, shown, expected):
    tree = benchmark_trees.davis_2017(tmp_path / '2017', lengths=(5,))
    redraw(tree, dict(enumerate(masks_of(*shown))))
    (video,) = davis_2017(tree)
    assert starts(video) == expected
    late = [(i, number) for i, ids in expected.items() if i for number in sorted(ids)]
    notes = video.with_late_objects().notes()
    assert len(notes) == len(late)
    for note, (index, number) in zip(notes, late, strict=True):
        assert note.startswith(f'a: object {number} is missing from the first mask; it starts ')
        assert f'frame {index:05},' in note


def test_late_objects_of_davis_2016_start_too(tmp_path):
    tree = benchmark_trees.davis_2016(tmp_path, own=True)
    first = tree / 'Annotations' / '480p' / 'a' / '00000.png'
    save_mask(first, np.zeros((48, 64), np.uint8), palette=None)
    assert starts(davis_2016(tree)[0]) == {0: set(), 1: {1}}


def test_a_damaged_mask_is_left_to_the_scores(tmp_path):
    tree = benchmark_trees.davis_2017(tmp_path / '2017', lengths=(5,))
    path = tree / 'trainval' / 'Annotations' / '480p' / 'a' / '00002.png'
    path.write_bytes(path.read_bytes()[:50])
    assert starts(davis_2017(tree)[0]) == {0: {1, 4}}


def test_without_ground_truth_nothing_is_added(tmp_path):
    tree = benchmark_trees.davis_2017(tmp_path / '2017', split='testdev', lengths=(5,))
    assert starts(davis_2017(tree, 'testdev')[0]) == {0: {1, 4}}
