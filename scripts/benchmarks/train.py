"""A training step of this project and of the reference in turn, on the same samples and weights."""

import torch

from model.model import OptimizationOptions, PropagationModel
from model.network import PropagationNetwork
from scripts.benchmarks.reference import training_loss
from scripts.benchmarks.stand_in import clip
from scripts.benchmarks.timing import compare, in_turn
from util.device import choose_device, configure_torch


def run(options):
    configure_torch()
    device = choose_device(options.device)
    torch.manual_seed(0)
    weights = PropagationNetwork().state_dict()
    batch = made_up_batch(options.batch_size, options.crop)
    models = {}
    for name, amp in (('ours', options.amp), ('reference', False)):
        network = PropagationNetwork()
        network.load_state_dict(weights)
        models[name] = PropagationModel(network.to(device), OptimizationOptions(amp=amp))
    inputs = {key: batch[key].to(device) for key in ('frames', 'masks', 'valid')}

    def reference_step():
        loss, _ = training_loss(models['reference'].network, **inputs, iteration=0)
        models['reference'].backward(loss)
        models['reference'].update()
        return loss.item()

    steps = {'ours': lambda: models['ours'].step(batch, 0)['loss'], 'reference': reference_step}
    losses = {name: step() for name, step in steps.items()}  # this also warms both up
    tolerance = 0.05 if options.amp else 1e-3
    assert abs(losses['ours'] / losses['reference'] - 1) < tolerance, losses
    seconds = in_turn(steps, options.rounds)
    return {
        'step': f'2 objects, batch {options.batch_size}, crop {options.crop}, {device}',
        'amp': options.amp,
        **compare(seconds),
    }


def made_up_batch(size, crop):
    """Two boxes that move over a textured ground, both in every sample."""
    clips = [clip(3, crop, crop, seed) for seed in range(size)]
    frames = [torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255 for images, _ in clips]
    masks = [torch.from_numpy(masks).long() for _, masks in clips]
    return {
        'frames': torch.stack(frames),
        'masks': torch.stack(masks),
        'valid': torch.ones(size, 2),
        'name': [f'made-up {number}' for number in range(size)],
    }
