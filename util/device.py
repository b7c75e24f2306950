"""The device that computes: choosing it, setting PyTorch up for a program, and memory in use."""

import platform
import re
import resource
import sys
from pathlib import Path

import torch
from PIL import Image

from util.errors import UserError


def choose_device(name: str = 'auto') -> torch.device:
    """'auto', 'cpu', 'cuda', 'cuda:N' or 'mps' as a device; auto takes the fastest there is.

    Raises UserError if this machine has no such device.
    """
    if name == 'auto':
        available = torch.accelerator.is_available()
        found = torch.accelerator.current_accelerator() if available else None
        return found or torch.device('cpu')
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError) as error:
        raise UserError(f'--device {name}: not on this machine; use auto or cpu') from error
    return device


def configure_torch() -> None:
    """Settings of the whole process. Programs call this once; importing the library does not.

    - Two threads at least: with one thread (which torchrun asks for) PyTorch takes other CPU
      convolution routines, whose last bits differ. From two on, results do not depend on how many.
    - No TF32: float32 is float32, on GPUs too; the fast mode is --amp.
    - Pillow's own pixel limit is lifted, because `util.images.open_image` has a stricter one.
    """
    torch.set_num_threads(max(2, torch.get_num_threads()))
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    Image.MAX_IMAGE_PIXELS = None


def device_name(device: torch.device) -> str:
    if device.type == 'cpu':
        return f'{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads'
    get_name = getattr(torch.get_device_module(device), 'get_device_name', None)
    return get_name(device) if get_name else device.type


def peak_memory(device: torch.device) -> dict[str, int]:
    """Largest resident size of the process and, off the CPU, memory taken on the device, in MiB."""
    peak = {'host': round(peak_resident() / 2**20)}
    if device.type != 'cpu' and hasattr(torch.get_device_module(device), 'max_memory_allocated'):
        peak['device'] = round(torch.get_device_module(device).max_memory_allocated(device) / 2**20)
    return peak


def peak_resident() -> int:
    """Largest resident size of this process, in bytes."""
    status = Path('/proc/self/status')
    if status.exists() and (found := re.search(r'VmHWM:\s*(\d+) kB', status.read_text())):
        return int(found[1]) * 1024
    # Not used on Linux, where it would include the process that started this one.
    unit = 1 if sys.platform == 'darwin' else 1024  # macOS counts bytes, others KiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
