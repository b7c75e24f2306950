"""Reading the memory: in parts, keeping the top k, against the whole matrix at once."""

import torch

from model.memory import read
from scripts.benchmarks import reference
from scripts.benchmarks.timing import PeakMemory, compare, in_turn
from util.device import choose_device, configure_torch

FRAMES = (1, 5, 20, 60)  # frames in memory


def run(options):
    """Read random keys and values of one object, with the top 50, at the size of the options."""
    configure_torch()
    device = choose_device(options.device)
    height, width = (side // 16 for side in options.size)
    figures = {'read': f'top 50, {height} x {width} feature cells, {device}'}
    torch.manual_seed(0)
    for num_frames in FRAMES:
        keys = torch.randn(128, num_frames, height, width, device=device)
        values = torch.randn(512, num_frames, height, width, device=device)
        query = torch.randn(128, height, width, device=device)
        found = compare_reads(keys, values, query, options.rounds)
        figures |= {f'{num_frames} frames, {name}': value for name, value in found.items()}
    return figures


def compare_reads(keys, values, query, rounds):
    """keys (CK, T, h, w), values (CV, T, h, w), query (CK, h, w); returns names and figures."""
    rows = [x.flatten(1).T.contiguous() for x in (keys, values)]  # T*h*w, channels

    def ours():
        return read(*rows, query, top_k=50)

    def expected():
        return reference.read(keys, values, query, 50)

    steps = {
        'ours': lambda: ours()[0, 0, 0].item(),
        'reference': lambda: expected()[0, 0, 0].item(),
    }
    with torch.inference_mode():
        # where two positions tie for the 50th place, either may be read: allow for a few pixels
        assert ((ours() - expected()).abs() > 1e-4).float().mean() < 1e-3
        seconds = in_turn(steps, rounds)
        with PeakMemory() as peak:
            steps['ours']()
    return {**compare(seconds), 'extra memory of ours, MiB': peak.mib}
