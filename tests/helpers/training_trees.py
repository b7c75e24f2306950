"""Made-up training sets: pairs of an image and its mask, and trees of videos."""

import numpy as np
import torch
from PIL import Image

from dataset.layout import find_pairs
from dataset.static_dataset import StaticDataset
from dataset.vos_dataset import VOSDataset, find_videos
from tests.helpers import benchmark_trees, stand_in

CROP = 32


def write_pair(folder, stem, mask=None):
    folder.mkdir(parents=True, exist_ok=True)
    images, masks = stand_in.clip(1, 40, 56, seed=len(stem))
    Image.fromarray(images[0]).save(folder / f'{stem}.jpg')
    mask = (masks[0] == 1) * np.uint8(255) if mask is None else mask
    Image.fromarray(mask).save(folder / f'{stem}.png')


def write_videos(root, videos):
    """Write a tree of videos: a dict from names to masks (T, H, W), with images for each."""
    for name, masks in videos.items():
        masks = np.asarray(masks, np.uint8)
        images = stand_in.clip(*masks.shape)[0]
        benchmark_trees.write_frames(root / 'JPEGImages' / name, images)
        benchmark_trees.write_masks(root / 'Annotations' / name, masks)
    return root


def own_tree(root, lengths=(6, 5, 4)):
    """Write a tree with videos a, b, c, ... of these lengths, 56 x 40 pixels."""
    clips = [stand_in.clip(length, 40, 56, seed)[1] for seed, length in enumerate(lengths)]
    return write_videos(root, dict(zip('abcdef', clips, strict=False)))


def videos_of(root, **options):
    return VOSDataset(find_videos(root).videos, **{'crop': CROP, **options})


def static(folder):
    return StaticDataset(find_pairs(folder), crop=CROP, short_side=CROP)


def sample_of(dataset, index=0, epoch=0):
    """The sample that a StageDataset with seed 0 gives of one of its sets."""
    return dataset.sample(index, np.random.default_rng((0, epoch, index)), 5)


def assert_same(a, b):
    assert a['name'] == b['name']
    for key in ('frames', 'masks', 'valid'):
        assert torch.equal(a[key], b[key])
