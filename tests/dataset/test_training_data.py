"""dataset/vos_dataset.py and static_dataset.py: the samples of one set."""

from pathlib import Path
from unittest import mock

import cv2
import numpy as np
import pytest
import torch

from dataset import vos_dataset
from dataset.transforms import Affine
from dataset.vos_dataset import choose_objects, sample_frames
from tests.helpers import benchmark_trees, stand_in
from tests.helpers.training_trees import (
    CROP,
    own_tree,
    sample_of,
    static,
    videos_of,
    write_pair,
    write_videos,
)
from util.masks.codes import VOID


def test_a_sample_has_the_shapes_types_and_ranges_that_the_network_takes(tmp_path):
    write_pair(tmp_path / 'own', 'x')
    for dataset, num_objects in (
        (static(tmp_path / 'own'), 1),
        (videos_of(own_tree(tmp_path)), 2),
    ):
        sample = sample_of(dataset)
        assert sample['frames'].shape == (3, 3, CROP, CROP)
        assert sample['frames'].dtype == torch.float32 and sample['frames'].is_contiguous()
        assert sample['frames'].min() >= 0 and 0.4 < sample['frames'].max() <= 1
        assert sample['masks'].shape == (3, CROP, CROP) and sample['masks'].dtype == torch.int64
        assert sample['masks'].unique().tolist() == list(range(num_objects + 1))
        assert sample['valid'].tolist() == [1] * num_objects


def test_a_sample_names_its_files(tmp_path):
    write_pair(tmp_path / 'own', 'x')
    assert sample_of(static(tmp_path / 'own'))['name'] == str(tmp_path / 'own' / 'x.jpg')
    folder, frames = sample_of(videos_of(own_tree(tmp_path)), 1)['name'].split(': ')
    assert folder == str(tmp_path / 'JPEGImages' / 'b')
    assert all((Path(folder) / frame).is_file() for frame in frames.split(', '))


def test_frames_of_long_videos_by_hand():
    """With 10 frames and a skip of 5, the start and the second frame are <= 5, the third <= 8."""
    cases = {
        (0, 0, 0): [0, 1, 2],
        (0, 5, 5): [0, 5, 8],
        (2, 1, 0): [2, 4, 5],
        (5, 0, 0): [5, 5, 6],
        (5, 5, 5): [5, 5, 8],
    }
    for drawn, expected in cases.items():
        assert sample_frames(Drawn(drawn, 0.7), 10, 5) == expected
        assert sample_frames(Drawn(drawn, 0.2), 10, 5) == expected[::-1]


class Drawn:
    """Stands in for a generator: gives these integers, each below 6, and this share."""

    def __init__(self, integers, share):
        self.integers_left, self.share = list(integers), share

    def integers(self, end):
        assert end == 6
        return self.integers_left.pop(0)

    def random(self):
        return self.share


@pytest.mark.parametrize('n, skip', [(3, 5), (4, 1), (7, 2), (9, 25), (12, 5), (6, 5)])
def test_all_frames_that_the_formula_allows_are_drawn_and_half_run_backwards(n, skip):
    m = min(n, skip)
    allowed = set()
    for start in range(n - m + 1):
        for a in range(m + 1):
            first = min(start + 1 + a, n - m, n - 1)
            for b in range(m + 1):
                allowed.add((start, first, min(first + 1 + b, n - m // 2, n - 1)))
    rng = np.random.default_rng(0)
    drawn = [tuple(sample_frames(rng, n, skip)) for _ in range(3000)]
    assert {tuple(sorted(frames)) for frames in drawn} == {tuple(sorted(a)) for a in allowed}
    backwards = [frames[0] > frames[2] for frames in drawn if frames[0] != frames[2]]
    assert 0.45 < np.mean(backwards) < 0.55


def test_objects_are_drawn_from_the_first_frame_in_random_order():
    rng = np.random.default_rng(0)
    masks = [np.array([[0, 3, 7, 9]]), np.array([[1, 3, 7, 9]]), np.zeros((1, 4), int)]
    pairs = {tuple(choose_objects(rng, masks, 2)) for _ in range(100)}
    assert pairs == {(a, b) for a in (3, 7, 9) for b in (3, 7, 9) if a != b}
    assert {tuple(choose_objects(rng, masks, 1)) for _ in range(50)} == {(3,), (7,), (9,)}
    assert choose_objects(rng, [np.array([[0, 5]])] * 3, 2) == [5]
    assert choose_objects(rng, masks[::-1], 2) == []


@pytest.mark.parametrize(
    'areas, counts',
    [
        ((100, 50, 50), False),
        ((101, 50, 50), True),
        ((101, 399, 399), True),
        ((101, 399, 400), False),
        ((900, 400, 0), False),
        ((901, 5000, 5000), True),
    ],
)
def test_bl30k_leaves_out_objects_that_are_mostly_hidden(areas, counts):
    masks = [np.zeros((80, 80), np.uint8) for _ in areas]
    for mask, area in zip(masks, areas, strict=True):
        mask.flat[:area] = 4
    ids = choose_objects(np.random.default_rng(0), masks, 2, bl30k=True)
    assert ids == ([4] if counts else [])


def test_an_object_that_appears_late_is_found_by_trying_again(tmp_path):
    """Frames 0 to 5 of 12 are empty: five tries seldom fail, one often does."""
    masks = np.zeros((12, 32, 40), np.uint8)
    masks[6:] = 1
    dataset = videos_of(write_videos(tmp_path, {'late': masks}))

    def share_with_object():
        samples = [sample_of(dataset, epoch=epoch) for epoch in range(60)]
        return np.mean([bool(sample['masks'][0].any()) for sample in samples])

    assert share_with_object() > 0.85
    with mock.patch.object(vos_dataset, 'MAX_TRIES', 1):
        assert share_with_object() < 0.8


def test_after_five_tries_a_sample_has_an_object_with_an_empty_mask(tmp_path):
    dataset = videos_of(write_videos(tmp_path, {'empty': np.zeros((4, 32, 40))}))
    with mock.patch.object(vos_dataset, 'sample_frames', wraps=sample_frames) as tries:
        sample = sample_of(dataset)
    assert tries.call_count == 5
    assert sample['valid'].tolist() == [1, 0] and not sample['masks'].any()


def test_objects_become_1_and_2_whatever_their_ids(tmp_path):
    masks = np.tile(np.array([9, 200, 254, 0], np.uint8), (4, 40, 15))
    dataset = videos_of(write_videos(tmp_path, {'three': masks}))
    assert sample_of(dataset)['masks'].unique().tolist() == [0, 1, 2]
    with mock.patch.object(vos_dataset, 'NUM_OBJECTS', 3):
        assert sample_of(dataset)['valid'].tolist() == [1, 1, 1]


def test_255_beside_smaller_ids_is_never_drawn_and_stays_255(tmp_path):
    masks = np.tile(np.array([9, 255, 255, 0], np.uint8), (4, 40, 15))
    dataset = videos_of(write_videos(tmp_path, {'void': masks}))
    for epoch in range(10):
        sample = sample_of(dataset, epoch=epoch)
        assert sample['masks'].unique().tolist() == [0, 1, VOID]
        assert sample['valid'].tolist() == [1, 0]


def test_another_mask_of_the_video_tells_that_255_is_void(tmp_path):
    """Frames 0 to 9 show nothing but void; the last one has an object, too."""
    masks = np.tile(np.array([0, 255, 255, 0], np.uint8), (12, 40, 15))
    masks[11, :20] = 3
    dataset = videos_of(write_videos(tmp_path, {'void': masks}))
    rng = np.random.default_rng(0)
    drawn = [mask for _ in range(9) for mask in dataset.draw_frames(0, rng, 5).masks]
    drawn += [dataset.draw_image(0, rng)[1] for _ in range(9)]
    assert set(np.unique(drawn[:9])) <= {0, 3, VOID}
    assert all(VOID in mask for mask in drawn)


def test_255_alone_is_an_object(tmp_path):
    masks = np.tile(np.array([255, 255, 0, 0], np.uint8), (4, 40, 15))
    dataset = videos_of(write_videos(tmp_path, {'binary': masks}))
    assert sample_of(dataset)['masks'].unique().tolist() == [0, 1]
    assert choose_objects(np.random.default_rng(0), masks, 2) == [255]


def test_the_frames_of_a_sample_share_their_crop_and_colours_but_not_their_turns(tmp_path):
    still = np.repeat(stand_in.clip(1, 60, 80)[0], 4, 0)
    benchmark_trees.write_frames(
        tmp_path / 'JPEGImages' / 'still', cv2.blur(still[0], (9, 9))[None].repeat(4, 0)
    )
    benchmark_trees.write_masks(
        tmp_path / 'Annotations' / 'still', stand_in.clip(1, 60, 80)[1].repeat(4, 0)
    )
    dataset = videos_of(tmp_path)
    turned = sample_of(dataset)
    with mock.patch.object(Affine, 'sample', lambda *args, **ranges: Affine(0, 1, 0)):
        upright = sample_of(dataset)
    for t in (1, 2):
        assert torch.equal(upright['masks'][t], upright['masks'][0])
        assert (upright['frames'][t] - upright['frames'][0]).abs().max() < 0.05  # flicker
        assert not torch.equal(upright['frames'][t], upright['frames'][0])
        assert not torch.equal(turned['masks'][t], turned['masks'][0])


def test_the_views_of_an_image_differ(tmp_path):
    write_pair(tmp_path, 'x')
    sample = sample_of(static(tmp_path))
    for a, b in ((0, 1), (1, 2), (0, 2)):
        assert not torch.equal(sample['masks'][a], sample['masks'][b])


def test_a_third_of_the_views_are_warped(tmp_path):
    write_pair(tmp_path, 'x')
    dataset = static(tmp_path)
    with mock.patch('dataset.static_dataset.ThinPlateWarp.sample') as warped:
        warped.return_value = lambda *arrays: arrays
        for epoch in range(100):
            sample_of(dataset, epoch=epoch)
    assert 75 < warped.call_count < 125


def test_larger_frames_are_scaled_down_first(tmp_path):
    root = own_tree(tmp_path)
    for short_side, height in ((20, 20), (300, 40), (None, 40)):
        dataset = videos_of(root, short_side=short_side)
        with mock.patch.object(vos_dataset, 'augment', wraps=vos_dataset.augment) as seen:
            sample_of(dataset)
        image, mask = seen.call_args.args[1][0]
        assert image.shape == (height, height * 56 // 40, 3) and mask.shape == image.shape[:2]
