"""What run.json records about a run: settings, versions, speed; and whether two runs agree."""

import contextlib
import json
import platform
import time
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from util.files import sha256
from util.options import CoreOptions

PACKAGES = ('torchvision', 'numpy', 'opencv-python', 'pillow', 'av')


class Stopwatch:
    """Seconds and number of `with` blocks; the clock stops when the device has finished."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.seconds, self.laps = 0.0, 0

    def __enter__(self) -> None:
        self._synchronize()
        self._start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._synchronize()
        self.seconds += time.perf_counter() - self._start
        self.laps += 1

    def _synchronize(self) -> None:
        if self.device.type != 'cpu':
            torch.accelerator.synchronize(self.device)


def frame_rates(frames: int, network_seconds: float, seconds: float) -> dict[str, Any]:
    """Frames per second as papers count them (in the network, per process) and end to end.

    Arguments:
        frames: how many frames went through the network.
        network_seconds: time spent there, summed over all processes.
        seconds: duration of the whole run.
    """
    return {
        'frames_computed': frames,
        'fps_model': round(frames / network_seconds, 3) if frames else None,
        'fps_end_to_end': round(frames / seconds, 3) if frames else None,
        'seconds': round(seconds, 2),
    }


def describe_rates(rates: dict[str, Any]) -> str:
    """One line on the `frame_rates` of a run."""
    return (
        f'{rates["frames_computed"]} frames, {rates["fps_model"]} frames/s in the network, '
        f'{rates["fps_end_to_end"]} end to end'
    )


def settings_record(
    model: Path, core: CoreOptions, *, compiled: bool, device: str, dtype: torch.dtype
) -> dict[str, Any]:
    """What every mask depends on besides its video, for run.json and for `difference`."""
    return {
        'model': str(model),
        'model sha256': sha256(model),
        **asdict(core),
        'compile': compiled,
        'device': device,
        'dtype': str(dtype).removeprefix('torch.'),
        'torch': str(torch.__version__),
    }


def read_report(path: Path) -> dict[str, Any] | None:
    """The record an earlier run left at `path`; None if there is none or it is not one of ours."""
    try:
        report = json.loads(path.read_text())
        return report if isinstance(report['settings'], dict) else None
    except (OSError, ValueError, LookupError, TypeError):
        return None


def difference(before: dict[str, Any], now: dict[str, Any]) -> str | None:
    """The first setting in which two runs differ, as a sentence; None if they agree."""
    for name in now:
        if before.get(name) != json.loads(json.dumps(now[name], default=str)):
            return f'{name} was {brief(before.get(name))}, now {brief(now[name])}'
    return None


def brief(value: object) -> str:
    text = str(value)
    return text if len(text) < 60 else f'{text[:20]}...{text[-37:]}'  # paths differ at their ends


def versions() -> dict[str, Any]:
    found: dict[str, Any] = {
        'python': platform.python_version(),
        'torch': str(torch.__version__),
    }
    for name in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):  # opencv-python-headless, for instance
            found[name] = version(name)
    return found | {'tf32': torch.backends.cudnn.allow_tf32}
