"""Measuring two ways to the same result side by side, so that a busy machine is busy for both."""

import ctypes
import statistics
import time


def in_turn(steps, rounds):
    """Call functions by turns -> dict name -> seconds of each call.

    steps: dict name -> function; each ends when the device has finished (`.item()`, say).
    """
    seconds = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            begin = time.perf_counter()
            step()
            seconds[name].append(time.perf_counter() - begin)
    return seconds


def compare(seconds):
    """Medians, and the ratio of twin to ours round by round."""
    ratios = [b / a for a, b in zip(seconds['ours'], seconds['twin'], strict=True)]
    medians = {f'{name}, seconds': statistics.median(times) for name, times in seconds.items()}
    return {**medians, 'twin / ours': statistics.median(ratios), 'spread': spread(ratios)}


def spread(values):
    return f'{min(values):.3g} to {max(values):.3g}'


def matrix_product(device):
    """-> a function that multiplies two large float32 matrices, and its GFLOP."""
    import torch

    side = 4096
    a, b = (torch.rand(side, side, device=device) for _ in range(2))
    return lambda: (a @ b)[0, 0].item(), 2 * side**3 / 1e9


class PeakMemory:
    """`with PeakMemory() as peak`: peak.mib is then what the process held at most, beyond its
    resident size before; None where the system cannot tell (it takes Linux)."""

    mib = None

    def __enter__(self):
        self.before = self.reset()
        return self

    def __exit__(self, *_):
        from util.device import peak_resident

        if self.before is not None:
            self.mib = (peak_resident() - self.before) / 2**20

    @staticmethod
    def reset():
        from util.device import peak_resident

        try:
            ctypes.CDLL(None).malloc_trim(0)  # what was freed before is no room to hide in
            with open('/proc/self/clear_refs', 'w') as file:
                file.write('5')  # VmHWM starts again from the present size
        except (OSError, AttributeError):
            return None
        return peak_resident()
