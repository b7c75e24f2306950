"""Command-line options that several programs share. Nothing heavy is imported here."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from util.errors import UserError

PROJECT = Path(__file__).resolve().parents[1]
SAVES = PROJECT / 'saves'
PUBLISHED_WEIGHTS = SAVES / 'propagation_model.pth'
BUNDLED_WEIGHTS = SAVES / 'from_scratch.pth'
MAX_WORKERS = 256  # processes or threads; far more would bring the machine down
KERNEL_SIGMA = 5.6  # feature cells; the value behind the published `--use_km` results


@dataclass(frozen=True)
class NetworkOptions:
    """Which checkpoint to load (None: published, else bundled weights), and where it computes."""

    model: Path | None = None
    device: str = 'auto'
    compiled: bool = False


@dataclass(frozen=True)
class CoreOptions:
    """The keyword arguments of InferenceCore; see there."""

    mem_every: int = 5
    top_k: int | None = 50
    kernel_sigma: float | None = None
    max_mem_frames: int | None = None
    amp: bool = False


@dataclass(frozen=True)
class EvaluationOptions:
    """What the benchmark programs share.

    output: folder for the masks. videos: only these; all if empty. short_side: what the network
    sees; None for the benchmark's own. resume: skip finished videos. zip: also write the archive
    for the evaluation server.
    """

    network: NetworkOptions
    core: CoreOptions
    output: Path
    num_workers: int = 2
    videos: tuple[str, ...] = ()
    short_side: int | None = None
    resume: bool = False
    zip: bool = False


class Bounded(argparse.Action):
    """An option whose value, or each of whose values, must lie in least..most."""

    def __init__(self, *args: Any, least: float, most: float | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.least, self.most = least, most

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        for value in values if isinstance(values, list) else [values]:
            if value < self.least:
                raise UserError(f'{option_string} {value}: must be at least {self.least}')
            if self.most is not None and value > self.most:
                raise UserError(f'{option_string} {value}: must be at most {self.most}')
        setattr(namespace, self.dest, values)


class ShortSide(argparse.Action):
    """--size: the short side of what the network gets; -1 keeps the size of the input."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        if values != -1 and values < 16:
            raise UserError(
                f'{option_string} {values}: must be at least 16, or -1 for the size of the input'
            )
        setattr(namespace, self.dest, values)
