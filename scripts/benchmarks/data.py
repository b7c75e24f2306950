"""Training samples of one worker, ours and those of a plain PIL and torchvision pipeline."""

import tempfile
from pathlib import Path

SAMPLES = 10  # a round


def run(args):
    """Per stage, from made-up files of its usual size; the same random numbers for both."""
    import cv2
    import numpy as np
    import torch

    from dataset.stages import build_stage
    from scripts.benchmarks import reference_data as reference_data
    from scripts.benchmarks.timing import compare, in_turn

    cv2.setNumThreads(0)  # as in a worker
    torch.set_num_threads(1)
    figures = {'sample': f'3 frames, crop {args.crop}, one process with one thread'}
    with tempfile.TemporaryDirectory() as folder:
        for stage, root in enumerate(made_up_sets(Path(folder))):
            dataset = build_stage(stage, crop=args.crop, **root).datasets[0]
            makers = {'ours': dataset.sample, 'twin': reference_data.sampler(dataset)}

            def generate(make, count, dataset=dataset):
                samples = (
                    make(i % len(dataset), np.random.default_rng((0, i))) for i in range(count)
                )
                return list(samples)

            check(*(generate(make, 3) for make in makers.values()))  # and warm-up
            steps = {
                name: lambda make=make: generate(make, SAMPLES) for name, make in makers.items()
            }
            found = compare(in_turn(steps, args.rounds))
            found['ours, samples/s'] = SAMPLES / found.pop('ours, seconds')
            found['twin, samples/s'] = SAMPLES / found.pop('twin, seconds')
            figures |= {f'stage {stage}, {name}': value for name, value in found.items()}
    return figures


def check(ours, theirs):
    """The same but for rounding and how pixels are interpolated."""
    for a, b in zip(ours, theirs, strict=True):
        difference = (a['frames'] - b['frames']).abs().mean().item()
        equal = (a['masks'] == b['masks']).float().mean().item()
        assert difference < 0.02 and equal > 0.98, (difference, equal, a['name'])


def made_up_sets(root):
    """A set for each stage -> their roots as keyword arguments of `build_stage`."""
    from PIL import Image

    from scripts.make_demo_clip import render
    from util.masks import save_mask

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
