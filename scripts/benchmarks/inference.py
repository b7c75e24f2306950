"""Propagation through a clip, frame by frame in turn: ours and the plain twin."""

import statistics
import time


def run(args):
    """The demo clip at args.size; its objects start at different frames, the first at frame 0.

    Both see the same frames on all threads; each round goes through the whole clip. GFLOP/s counts
    what the direct convolutions of the network would take, once per frame what depends on the frame
    only, and all the time of a step: reading, aggregating, the mask.
    """
    import torch

    from inference_core import InferenceCore
    from model.fuse import prepare_for_inference
    from scripts.benchmarks import reference as reference
    from scripts.benchmarks.timing import in_turn, matrix_product, spread
    from util.device import choose_device, peak_resident

    device = choose_device(args.device)
    plain, name = open_network(args.model, device)
    fast = prepare_for_inference(open_network(args.model, device)[0], compiled=args.compile)
    images, annotations = clip(args.frames, args.size, args.objects)
    images = images.to(device)
    product, gflop = matrix_product(device)
    gflop_frame = sum_convolutions(plain, images, annotations) / 1e9
    warm_up(plain, fast, args.amp, images, annotations)
    totals = {'ours': [], 'twin': [], 'product': []}
    with torch.inference_mode():
        for _ in range(args.rounds):
            core = InferenceCore(fast, amp=args.amp)
            twin = reference.frames(plain, images, annotations)
            ours, theirs, equal = [], [], []
            for t, image in enumerate(images):
                begin = time.perf_counter()
                prob = core.step(image, annotations.get(t))
                mask = core.to_mask(prob)
                middle = time.perf_counter()
                ids, expected = next(twin)
                expected = torch.tensor([0, *ids])[expected.argmax(0).cpu()].numpy()
                ours.append(middle - begin)
                theirs.append(time.perf_counter() - middle)
                equal.append((mask == expected).mean())
            totals['ours'].append(sum(ours[1:]))  # the first frame is given
            totals['twin'].append(sum(theirs[1:]))
            totals['product'] += in_turn({'product': product}, 5)['product']
    ratios = [b / a for a, b in zip(totals['ours'], totals['twin'], strict=True)]
    later = statistics.median(totals['ours']) / (len(images) - 1)
    speed = gflop / statistics.median(totals['product'])
    return {
        'clip': f'{len(images)} frames, {args.size[0]} x {args.size[1]}, {args.objects} objects',
        'network': f'{name}, {device}, {"half precision" if args.amp else "float32"}'
        f'{", compiled" if args.compile else ""}',
        'ours, seconds a frame': later,
        'twin, seconds a frame': statistics.median(totals['twin']) / (len(images) - 1),
        'twin / ours': statistics.median(ratios),
        'spread over rounds': spread(ratios),
        'pixels of equal argmax': f'{statistics.mean(equal):.4%}',
        'least equal frame': f'{min(equal):.4%}',
        'GFLOP a frame': gflop_frame,
        'GFLOP/s': gflop_frame / later,
        'GFLOP/s of a float32 matrix product': speed,
        'share of the matrix product': f'{gflop_frame / later / speed:.0%}',
        'peak memory of all, MiB': peak_resident() / 2**20,
    }


def open_network(path, device):
    """-> the network of a checkpoint, or of stand-in weights if there is none, and its name."""
    from model.network import PropagationNetwork, load_network
    from scripts.benchmarks import stand_in

    if path:
        return load_network(path, device, multi_object=True), path.name
    network = PropagationNetwork()
    shapes = {name: weight.shape for name, weight in network.state_dict().items()}
    network.load_state_dict(stand_in.weights(shapes))
    return network.to(device), 'stand-in weights'


def clip(num_frames, size, num_objects):
    """The demo clip -> images (T, 3, H, W) in [0, 1], dict frame -> mask (H, W) of a new object."""
    import torch

    from scripts.make_demo_clip import render

    images, masks = render(num_frames, *size, seed=0)
    images = torch.from_numpy(images).permute(0, 3, 1, 2) / 255
    starts = [i * num_frames // num_objects for i in range(num_objects)]
    return images, {t: (masks[t] == i) * i for i, t in enumerate(starts, 1)}


def sum_convolutions(network, images, annotations):
    """FLOP of all convolutions for the clip's later frames, divided by their number."""
    from torch.utils.flop_counter import FlopCounterMode

    counts = {}  # number of objects -> FLOP of one frame
    for num_objects in range(1, len(annotations) + 1):
        core = start(network, images[0], num_objects)
        with FlopCounterMode(display=False) as counter:
            core.step(images[0])
        operations = counter.get_flop_counts()['Global']
        counts[num_objects] = sum(n for op, n in operations.items() if 'conv' in str(op))
    later = range(1, len(images))
    return sum(counts[sum(start < t for start in annotations)] for t in later) / len(later)


def start(network, frame, num_objects, amp=False):
    """-> an InferenceCore that has seen one frame, with so many objects in it."""
    import torch

    from inference_core import InferenceCore

    core = InferenceCore(network, amp=amp)
    core.step(frame, torch.arange(frame[0].numel()).view_as(frame[0]) % (num_objects + 1))
    return core


def warm_up(plain, fast, amp, images, annotations):
    """Everything once that the clip will need; a compiled network is compiled here."""
    from scripts.benchmarks import reference as reference

    for num_objects in range(1, len(annotations) + 1):
        core = start(fast, images[0], num_objects, amp)
        for image in images[:2]:
            core.to_mask(core.step(image))
    list(reference.frames(plain, images[:2], {0: annotations[0]}))
