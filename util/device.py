"""The device that computes, and the memory that was taken."""

import platform
import re
import resource
import sys
from pathlib import Path

import torch

from util.errors import UserError


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
