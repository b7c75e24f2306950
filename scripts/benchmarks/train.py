"""A training step of ours and of the plain twin in turn, on the same samples and weights."""


def run(args):
    import torch

    from model.model import PropagationModel
    from model.network import PropagationNetwork
    from scripts.benchmarks.reference import training_loss
    from scripts.benchmarks.timing import compare, in_turn
    from util.device import choose_device

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
        models['twin'].backward_and_step(loss)
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


def made_up_batch(size, crop):
    """Two boxes that move over a textured ground, both in every sample."""
    import torch

    from scripts.benchmarks.stand_in import clip

    clips = [clip(3, crop, crop, seed) for seed in range(size)]
    frames = [torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255 for images, _ in clips]
    masks = [torch.from_numpy(masks).long() for _, masks in clips]
    return {
        'frames': torch.stack(frames),
        'masks': torch.stack(masks),
        'valid': torch.ones(size, 2),
        'name': [f'made-up {number}' for number in range(size)],
    }
