"""What run.json says of a run: versions, device, time, memory."""

import contextlib
import json
import platform
import time
from importlib.metadata import PackageNotFoundError, version

import torch

PACKAGES = ('torchvision', 'numpy', 'opencv-python', 'pillow', 'av')


class Stopwatch:
    """Seconds spent inside `with`, counted when the device has finished its work."""

    def __init__(self, device):
        self.device = device
        self.seconds, self.laps = 0.0, 0

    def __enter__(self):
        self._synchronize()
        self._start = time.perf_counter()

    def __exit__(self, *_):
        self._synchronize()
        self.seconds += time.perf_counter() - self._start
        self.laps += 1

    def report(self, seconds):
        """Frames a second in the network, and in all of the `seconds` that the run took."""
        rates = {'fps_model': self.seconds, 'fps_end_to_end': seconds}
        rates = {name: round(self.laps / (spent or 1), 3) for name, spent in rates.items()}
        return {'frames_computed': self.laps, **rates, 'seconds': round(seconds, 2)}

    def _synchronize(self):
        if self.device.type != 'cpu':
            torch.accelerator.synchronize(self.device)


def versions():
    found = {'python': platform.python_version(), 'torch': str(torch.__version__)}
    for name in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):  # opencv-python-headless, say
            found[name] = version(name)
    return found | {'tf32': torch.backends.cudnn.allow_tf32}


def difference(before, now):
    """The first setting in which two runs differ, as a sentence; None if they agree."""
    for name in now:
        if before.get(name) != json.loads(json.dumps(now[name], default=str)):
            return f'{name} was {brief(before.get(name))}, now {brief(now[name])}'
    return None


def brief(value):
    text = str(value)
    return text if len(text) < 60 else f'{text[:20]}...{text[-37:]}'  # paths differ at their ends
