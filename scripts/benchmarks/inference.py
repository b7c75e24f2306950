"""Propagation through a clip, frame by frame in turn: this project and the reference."""

import statistics
import time
from typing import NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from inference_core import InferenceCore
from model.fuse import prepare_for_inference
from model.network import PropagationNetwork, load_network
from scripts.benchmarks import reference, stand_in
from scripts.benchmarks.timing import in_turn, matrix_product, spread
from scripts.rendering import render
from util.device import choose_device, configure_torch, peak_resident


class Round(NamedTuple):
    """Seconds for the whole clip, the given first frame aside, and how far both sides agree."""

    ours: float
    reference: float
    equal: list  # per frame, the share of pixels with the same id


def run(options):
    """Propagate through the demo clip; its objects start at different frames, the first at frame 0.

    Both sides see the same frames and use all threads; each round goes through the whole clip. The
    GFLOP of a frame are those that the network's convolutions take as direct sums; whatever depends
    on the frame only counts once per frame. The seconds are those of a whole step: reading the
    memory, aggregation and the final mask are included.
    """
    configure_torch()
    device = choose_device(options.device)
    plain, name = open_network(options.model, device)
    fast = prepare_for_inference(open_network(options.model, device)[0], compiled=options.compiled)
    images, annotations = make_clip(options.frames, options.size, options.objects)
    images = images.to(device)
    product, gflop = matrix_product(device)
    gflop_frame = count_convolutions(plain, images, annotations) / 1e9
    warm_up(plain, fast, options.amp, images, annotations)
    rounds, products = [], []
    with torch.inference_mode():
        for _ in range(options.rounds):
            core = InferenceCore(fast, amp=options.amp)
            rounds.append(time_round(core, plain, images, annotations))
            products += in_turn({'product': product}, 5)['product']
    speed = gflop / statistics.median(products)
    precision = 'half precision' if options.amp else 'float32'
    height, width = options.size
    return {
        'clip': f'{len(images)} frames, {height} x {width}, {options.objects} objects',
        'network': f'{name}, {device}, {precision}{", compiled" if options.compiled else ""}',
        **summarize(rounds, len(images) - 1, gflop_frame, speed),
        'peak memory of all, MiB': peak_resident() / 2**20,
    }


def time_round(core, plain, images, annotations):
    """Go through the clip once, frame by frame with both sides in turn; returns a Round."""
    expected_frames = reference.frames(plain, images, annotations)
    ours, theirs, equal = [], [], []
    for t, image in enumerate(images):
        begin = time.perf_counter()
        mask = core.to_mask(core.step(image, annotations.get(t)))
        middle = time.perf_counter()
        ids, prob = next(expected_frames)
        expected = torch.tensor([0, *ids])[prob.argmax(0).cpu()].numpy()
        ours.append(middle - begin)
        theirs.append(time.perf_counter() - middle)
        equal.append((mask == expected).mean())
    return Round(sum(ours[1:]), sum(theirs[1:]), equal)


def summarize(rounds, num_frames, gflop_frame, speed):
    """The figures of all rounds; speed: GFLOP/s that a plain matrix product reaches."""
    ratios = [each.reference / each.ours for each in rounds]
    ours = statistics.median(each.ours for each in rounds) / num_frames
    theirs = statistics.median(each.reference for each in rounds) / num_frames
    equal = rounds[-1].equal
    return {
        'ours, seconds a frame': ours,
        'reference, seconds a frame': theirs,
        'reference / ours': statistics.median(ratios),
        'spread over rounds': spread(ratios),
        'pixels of equal argmax': f'{statistics.mean(equal):.4%}',
        'least equal frame': f'{min(equal):.4%}',
        'GFLOP a frame': gflop_frame,
        'GFLOP/s': gflop_frame / ours,
        'GFLOP/s of a float32 matrix product': speed,
        'share of the matrix product': f'{gflop_frame / ours / speed:.0%}',
    }


def open_network(path, device):
    """The network of a checkpoint, or of stand-in weights if there is none, and its name."""
    if path:
        return load_network(path, device, multi_object=True), path.name
    network = PropagationNetwork()
    shapes = {name: weight.shape for name, weight in network.state_dict().items()}
    network.load_state_dict(stand_in.weights(shapes))
    return network.to(device), 'stand-in weights'


def make_clip(num_frames, size, num_objects):
    """The demo clip: images (T, 3, H, W) in [0, 1], and frame -> mask (H, W) of a new object."""
    images, masks = render(num_frames, *size, seed=0)
    images = torch.from_numpy(images).permute(0, 3, 1, 2) / 255
    starts = [i * num_frames // num_objects for i in range(num_objects)]
    return images, {t: (masks[t] == i) * i for i, t in enumerate(starts, 1)}


def count_convolutions(network, images, annotations):
    """Mean FLOP of all convolutions in a frame of the clip after the first."""
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
    """An InferenceCore that has seen one frame, with this many objects in it."""
    core = InferenceCore(network, amp=amp)
    core.step(frame, torch.arange(frame[0].numel()).view_as(frame[0]) % (num_objects + 1))
    return core


def warm_up(plain, fast, amp, images, annotations):
    """Do everything once that the clip will need; a compiled network is compiled here."""
    for num_objects in range(1, len(annotations) + 1):
        core = start(fast, images[0], num_objects, amp)
        for image in images[:2]:
            core.to_mask(core.step(image))
    list(reference.frames(plain, images[:2], {0: annotations[0]}))
