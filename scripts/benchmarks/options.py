"""What scripts/benchmark.py is asked to measure. Nothing heavy is imported here."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class MeasurementOptions:
    """The options of all benchmarks; each uses those that concern it.

    Arguments:
        rounds: how often each side is measured.
        model: checkpoint; None for made-up weights or, for correspondence, the default checkpoint.
        size: (height, width) of the frames, for inference and read.
        frames, objects: their numbers in the clip, for inference.
        crop, batch_size: the training batch, for train and data.
        amp, compiled: half precision and torch.compile, for this project's side only.
    """

    rounds: int
    model: Path | None
    size: tuple[int, int]
    frames: int
    objects: int
    crop: int
    batch_size: int
    device: str
    amp: bool
    compiled: bool
