"""Which files of a training set are read, how, and what is said about those that are at fault."""

from unittest import mock

import cv2
import numpy as np
import pytest
from PIL import Image

from dataset.endless import EndlessSampler, endless_batches
from dataset.layout import find_pairs
from dataset.stages import RepeatedSet, StageDataset
from dataset.static_dataset import read_foreground
from dataset.vos_dataset import find_videos
from tests.helpers import stand_in
from tests.helpers.training_trees import own_tree, sample_of, static, videos_of, write_pair
from util.errors import UserError
from util.masks import save_mask
from util.masks.codes import VOID


def test_frames_are_those_with_masks_ordered_by_their_numbers(tmp_path):
    masks = stand_in.clip(4, 32, 40)[1]
    for number in (1, 2, 10, 11):
        for kind in ('JPEGImages', 'Annotations'):
            (tmp_path / kind / '480p' / 'v').mkdir(parents=True, exist_ok=True)
        Image.fromarray(stand_in.clip(1, 32, 40)[0][0]).save(
            tmp_path / 'JPEGImages' / '480p' / 'v' / f'frame{number}.jpg'
        )
        if number != 11:
            save_mask(tmp_path / 'Annotations' / '480p' / 'v' / f'frame{number}.png', masks[0])
    found = find_videos(tmp_path)
    assert [path.stem for path in found.videos[0][1]] == ['frame1', 'frame2', 'frame10']
    assert [path.stem for path in found.videos[0][2]] == ['frame1', 'frame2', 'frame10']
    assert found.num_without_mask == 1


@pytest.mark.parametrize('mode', ['L', 'RGB', 'RGBA', 'P', '1', 'small ids', 'ids'])
def test_masks_of_one_object_are_read_from_what_people_have(tmp_path, mode):
    mask = np.zeros((20, 30), np.uint8)
    mask[5:9, 6:20] = 1
    path = tmp_path / 'x.png'
    if mode in ('P', 'ids'):
        save_mask(path, mask * (3 if mode == 'P' else 1))
    elif mode == 'small ids':
        Image.fromarray(mask * 2).save(path)
    else:
        soft = cv2.GaussianBlur(mask * 255, (3, 1), 0)  # brighter than grey inside, darker outside
        Image.fromarray(soft).convert(mode, dither=Image.Dither.NONE).save(path)
    np.testing.assert_array_equal(read_foreground(path), mask)


def test_masks_of_one_object_keep_void_and_ignore_the_order_of_palettes(tmp_path):
    mask = np.zeros((20, 30), np.uint8)
    mask[5:9, 6:20] = 1
    mask[4, 6:20] = VOID
    save_mask(tmp_path / 'void.png', np.where(mask == 1, 15, mask))
    np.testing.assert_array_equal(read_foreground(tmp_path / 'void.png'), mask)
    image = Image.fromarray((mask != 1).astype(np.uint8))
    image.putpalette([255, 255, 255, 0, 0, 0])
    image.save(tmp_path / 'swapped.png')
    np.testing.assert_array_equal(read_foreground(tmp_path / 'swapped.png'), mask == 1)


def test_missing_partners_are_named(tmp_path):
    write_pair(tmp_path / 'own', 'x')
    write_pair(tmp_path / 'own', 'y')
    (tmp_path / 'own' / 'x.png').unlink()
    with pytest.raises(UserError, match=r'x\.jpg: its mask \.png.*missing'):
        find_pairs(tmp_path / 'own')
    root = own_tree(tmp_path)
    (root / 'JPEGImages' / 'b' / '00002.jpg').unlink()
    with pytest.raises(UserError, match=r'b/00002\.png: has no frame'):
        find_videos(root)


def spoil(root, fault):
    """Damage a file of video a in some way; returns its path."""
    image, mask = root / 'JPEGImages/a/00001.jpg', root / 'Annotations/a/00001.png'
    if fault == 'cut off':
        image.write_bytes(image.read_bytes()[:-200])
    elif fault == 'no image':
        image.write_text('<html>')
    elif fault == 'gone':
        image.unlink()
    elif fault == 'other size':
        Image.new('RGB', (30, 40)).save(image)
        save_mask(mask, np.zeros((40, 30), np.uint8))
    elif fault == 'colours':
        Image.new('RGB', (56, 40)).save(mask)
    elif fault == 'mask of other size':
        save_mask(mask, np.zeros((20, 28), np.uint8))
    return image if fault in ('cut off', 'no image', 'gone', 'other size') else mask


@pytest.mark.parametrize(
    'fault', ['cut off', 'no image', 'gone', 'other size', 'colours', 'mask of other size']
)
def test_a_file_that_cannot_be_used_is_named(tmp_path, fault):
    dataset = videos_of(own_tree(tmp_path, lengths=(3,)))
    path = spoil(tmp_path, fault)
    with pytest.raises(UserError) as error:
        for epoch in range(20):
            sample_of(dataset, epoch=epoch)
    assert str(path) in str(error.value) or fault == 'other size'
    assert 'JPEGImages/a' in str(error.value) or 'Annotations/a' in str(error.value)


def first_batches(stage, dataset):
    """Twenty batches of one sample, made by a worker."""
    loaded = endless_batches(
        StageDataset(stage, [RepeatedSet(dataset, 1)], []),
        EndlessSampler(1, 1),
        20,
        num_workers=1,
        pin_memory=False,
    )
    return [next(loaded) for _ in range(20)]


def test_an_unreadable_file_in_a_worker_is_named(tmp_path):
    dataset = videos_of(own_tree(tmp_path, lengths=(3,)))
    path = spoil(tmp_path, 'cut off')
    with pytest.raises(UserError, match=f'^{path}: '):
        first_batches(2, dataset)


def test_an_error_in_a_worker_still_says_which_parameter_is_at_fault(tmp_path):
    write_pair(tmp_path, 'x')
    with (
        mock.patch('dataset.sizes.MAX_PIXELS', 1000),
        pytest.raises(UserError, match=f'^{tmp_path}/x.jpg: 56x40') as error,
    ):
        first_batches(0, static(tmp_path))
    assert error.value.parameter == 'short_side' and '--' not in str(error.value)
