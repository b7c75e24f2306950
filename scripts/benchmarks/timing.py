"""Time two ways to the same result by turns, so that other work on the machine slows both."""

import ctypes
import statistics
import time

import torch

from util.device import peak_resident


def in_turn(steps, rounds):
    """Call functions by turns; returns the seconds of each call, a list per name.

    steps: name -> function, which must not return before the device has finished.
    """
    seconds = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            begin = time.perf_counter()
            step()
            seconds[name].append(time.perf_counter() - begin)
    return seconds


def compare(seconds):
    """Medians of 'ours' and 'reference', and of their ratio round by round."""
    ratios = [b / a for a, b in zip(seconds['ours'], seconds['reference'], strict=True)]
    medians = {f'{name}, seconds': statistics.median(times) for name, times in seconds.items()}
    return {**medians, 'reference / ours': statistics.median(ratios), 'spread': spread(ratios)}


def spread(values):
    return f'{min(values):.3g} to {max(values):.3g}'


def matrix_product(device):
    """A function that multiplies two large float32 matrices, and the GFLOP that this takes."""
    side = 4096
    a, b = (torch.rand(side, side, device=device) for _ in range(2))
    return lambda: (a @ b)[0, 0].item(), 2 * side**3 / 1e9


class PeakMemory:
    """`with PeakMemory() as peak` measures how far the process grows inside the block.

    Attribute: `mib`, the peak of its resident size less the size before, in MiB; None where the
    system is not Linux and cannot tell.
    """

    mib = None

    def __enter__(self):
        self.before = self.reset()
        return self

    def __exit__(self, *_):
        if self.before is not None:
            self.mib = (peak_resident() - self.before) / 2**20

    @staticmethod
    def reset():
        """Start measuring the peak anew; returns the present size in bytes, or None."""
        try:
            # return freed memory to the system first: new allocations would go unseen inside it
            ctypes.CDLL(None).malloc_trim(0)
            with open('/proc/self/clear_refs', 'w') as file:
                file.write('5')  # resets VmHWM, the peak, to the present size
        except (OSError, AttributeError):
            return None
        return peak_resident()
