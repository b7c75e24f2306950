"""What run.json says of a run: versions, device, time, memory."""

import contextlib
import platform
import re
import resource
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from util.errors import UserError

PACKAGES = ('torchvision', 'numpy', 'opencv-python', 'pillow', 'av')


def choose_device(name='auto'):
    """'auto', 'cpu', 'cuda', 'cuda:N' or 'mps' -> torch.device; auto takes the fastest there is.

    Raises UserError where the machine has no such device.
    """
    # With one thread (what torchrun sets) PyTorch takes other convolution routines on the CPU,
    # which differ in the last bits; from two on, results do not depend on the number of threads.
    torch.set_num_threads(max(2, torch.get_num_threads()))
    forbid_tf32()
    if name == 'auto':
        available = torch.accelerator.is_available()
        return torch.accelerator.current_accelerator() if available else torch.device('cpu')
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError) as error:
        raise UserError(f'--device {name}: not on this machine; use auto or cpu') from error
    return device


def forbid_tf32():
    """float32 is float32, on GPUs too; what is to be fast at the cost of digits is --amp."""
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False


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


def device_name(device):
    if device.type == 'cpu':
        return f'{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads'
    get_name = getattr(torch.get_device_module(device), 'get_device_name', None)
    return get_name(device) if get_name else device.type


def peak_memory(device):
    """Largest resident size of the process, and memory taken on the device, in MiB."""
    peak = {'host': round(peak_resident() / 2**20)}
    if device.type != 'cpu' and hasattr(torch.get_device_module(device), 'max_memory_allocated'):
        peak['device'] = round(torch.get_device_module(device).max_memory_allocated(device) / 2**20)
    return peak


def peak_resident():
    """Largest resident size of this process in bytes."""
    status = Path('/proc/self/status')
    if status.exists() and (found := re.search(r'VmHWM:\s*(\d+) kB', status.read_text())):
        return int(found[1]) * 1024
    # on Linux this would count the process that started this one, too
    unit = 1 if sys.platform == 'darwin' else 1024  # bytes there, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
