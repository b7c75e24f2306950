"""Training samples of one worker, ours and those of the plain PIL and torchvision pipeline."""

import tempfile
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

from dataset.stages import SKIPS, build_stage
from scripts.benchmarks.reference_data import sampler
from scripts.benchmarks.timing import compare, in_turn
from scripts.rendering import render
from util.masks import save_mask

NUM_SAMPLES = 10  # per round


def run(options):
    """Time each stage on made-up files of the usual size; both sides draw the same numbers."""
    cv2.setNumThreads(0)  # workers have one thread each, too
    torch.set_num_threads(1)
    figures = {'sample': f'3 frames, crop {options.crop}, one process with one thread'}
    with tempfile.TemporaryDirectory() as folder:
        for stage, root in enumerate(made_up_sets(Path(folder))):
            dataset = build_stage(stage, crop=options.crop, **root).datasets[0]
            makers = {'ours': dataset.sample, 'reference': sampler(dataset)}
            check(*(generate(make, len(dataset), 3) for make in makers.values()))  # warms up, too
            steps = {
                name: partial(generate, make, len(dataset), NUM_SAMPLES)
                for name, make in makers.items()
            }
            found = compare(in_turn(steps, options.rounds))
            for name in makers:
                found[f'{name}, samples/s'] = NUM_SAMPLES / found.pop(f'{name}, seconds')
            figures |= {f'stage {stage}, {name}': value for name, value in found.items()}
    return figures


def generate(make, length, num_samples):
    """The first samples of epoch 0 of a set with `length` items."""
    return [make(i % length, np.random.default_rng((0, i)), SKIPS[0]) for i in range(num_samples)]


def check(ours, theirs):
    """Assert that samples agree up to rounding and the interpolation of pixels."""
    for a, b in zip(ours, theirs, strict=True):
        difference = (a['frames'] - b['frames']).abs().mean().item()
        equal = (a['masks'] == b['masks']).float().mean().item()
        assert difference < 0.02 and equal > 0.98, (difference, equal, a['name'])


def made_up_sets(root):
    """Write a set for each stage; returns their roots as keyword arguments of `build_stage`."""
    images, masks = render(20, 480, 854, seed=0)
    pairs = root / 'static' / 'own'
    pairs.mkdir(parents=True)
    for number in range(4):
        Image.fromarray(images[0]).save(pairs / f'{number}.jpg')
        Image.fromarray((masks[0] == 1) * masks[0] * 255).save(pairs / f'{number}.png')
    for tree in ('BL30K', 'DAVIS/2017/trainval'):
        for video in 'ab':
            folders = [root / tree / kind / video for kind in ('JPEGImages', 'Annotations')]
            for folder in folders:
                folder.mkdir(parents=True)
            for number, (image, mask) in enumerate(zip(images, masks, strict=True)):
                Image.fromarray(image).save(folders[0] / f'{number:05}.jpg')
                save_mask(folders[1] / f'{number:05}.png', mask)
    return (
        {'static_root': root / 'static' / 'own'},
        {'bl_root': root / 'BL30K'},
        {'davis_root': root / 'DAVIS'},
    )
