"""How fast is it, against the method written plainly, on this machine.

python scripts/benchmark.py train            (one training step, ours and the plain twin's)
python scripts/benchmark.py data             (samples a second, per stage and worker)
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from util.errors import entry_point
from util.options import check_least


@entry_point
def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('what', choices=BENCHMARKS)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--crop', type=int, default=192, help='side of a training crop (192)')
    parser.add_argument('-b', '--batch_size', type=int, default=4)
    parser.add_argument('--device', default='auto')
    parser.add_argument('--amp', action='store_true', help='ours in half precision')
    parser.add_argument('--json', type=Path, help='write the figures there, too')
    args = parser.parse_args(argv)
    check_least(args, rounds=1, crop=32, batch_size=1)
    figures = BENCHMARKS[args.what](args)
    for name, value in figures.items():
        print(f'{name}: {value:.4g}' if isinstance(value, float) else f'{name}: {value}')
    if args.json:
        from util.files import save_json

        save_json(args.json, figures)


def train(args):
    """A step of ours and of the plain twin in turn, on the same samples from the same weights."""
    import torch

    from model.model import PropagationModel
    from model.network import PropagationNetwork
    from tests.plain_twin import training_loss
    from util.run_info import choose_device

    device = choose_device(args.device)
    torch.manual_seed(0)
    weights = PropagationNetwork().state_dict()
    batch = made_up_batch(args.batch_size, args.crop)
    models = {}
    for name, amp in (('ours', args.amp), ('twin', False)):
        network = PropagationNetwork()
        network.load_state_dict(weights)
        models[name] = PropagationModel(network.to(device), amp=amp)
    twin = {key: batch[key].to(device) for key in ('frames', 'masks', 'valid')}

    def twin_step():
        loss, _ = training_loss(models['twin'].network, **twin, iteration=0)
        models['twin'].descend(loss)
        return loss.item()

    steps = {'ours': lambda: models['ours'].step(batch, 0)['loss'], 'twin': twin_step}
    losses = {name: step() for name, step in steps.items()}  # and warm-up
    tolerance = 0.05 if args.amp else 1e-3
    assert abs(losses['ours'] / losses['twin'] - 1) < tolerance, losses
    seconds = in_turn(steps, args.rounds)
    return {
        'step': f'2 objects, batch {args.batch_size}, crop {args.crop}, {device}',
        'amp': args.amp,
        **compare(seconds),
    }


def data(args):
    """Samples a second of one worker process, from made-up files of each stage's usual size."""
    from dataset.samples import use_one_thread
    from dataset.stages import build_stage

    use_one_thread(0)
    figures = {'sample': f'3 frames, crop {args.crop}, one process'}
    with tempfile.TemporaryDirectory() as folder:
        roots = made_up_sets(Path(folder))
        for stage, root in enumerate(roots):
            dataset = build_stage(stage, crop=args.crop, **root)
            rates = []
            for epoch in range(args.rounds + 1):
                dataset.set_epoch(epoch, args.rounds + 1)
                begin = time.perf_counter()
                for index in range(10):
                    dataset[index % len(dataset)]
                rates.append(10 / (time.perf_counter() - begin))
            figures[f'stage {stage}, samples/s'] = statistics.median(rates[1:])
            figures[f'stage {stage}, spread'] = spread(rates[1:])
    return figures


def in_turn(steps, rounds):
    """Time functions by turns, so that a busy machine is busy for all -> dict name -> seconds."""
    seconds = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            begin = time.perf_counter()
            step()  # ends with .item(): the device is done
            seconds[name].append(time.perf_counter() - begin)
    return seconds


def compare(seconds):
    """Medians, and the ratio of twin to ours round by round."""
    ratios = [b / a for a, b in zip(seconds['ours'], seconds['twin'], strict=True)]
    medians = {f'{name}, seconds': statistics.median(times) for name, times in seconds.items()}
    return {**medians, 'twin / ours': statistics.median(ratios), 'spread': spread(ratios)}


def spread(values):
    return f'{min(values):.3g} to {max(values):.3g}'


def made_up_batch(size, crop):
    """Two boxes that move over a textured ground, both in every sample."""
    import torch

    from tests.stand_in import clip

    clips = [clip(3, crop, crop, seed) for seed in range(size)]
    frames = [torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255 for images, _ in clips]
    masks = [torch.from_numpy(masks).long() for _, masks in clips]
    return {
        'frames': torch.stack(frames),
        'masks': torch.stack(masks),
        'valid': torch.ones(size, 2),
        'name': [f'made-up {number}' for number in range(size)],
    }


def made_up_sets(root):
    """A set for each stage -> their roots as keyword arguments of `build_stage`."""
    from PIL import Image

    from tests.stand_in import clip
    from util.masks import save_mask

    images, masks = clip(1, 400, 530)
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
            for number, (image, mask) in enumerate(zip(*clip(20, 480, 854), strict=True)):
                Image.fromarray(image).save(folders[0] / f'{number:05}.jpg')
                save_mask(folders[1] / f'{number:05}.png', mask)
    return (
        {'static_root': root / 'static' / 'own'},
        {'bl_root': root / 'BL30K'},
        {'davis_root': root / 'DAVIS'},
    )


BENCHMARKS = {'train': train, 'data': data}


if __name__ == '__main__':
    main()
