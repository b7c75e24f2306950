"""Command-line options that several programs share. Nothing heavy is imported here."""

import argparse
import os
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


def add_size_option(parser: argparse.ArgumentParser, otherwise: str = '480') -> None:
    """otherwise: what the help says about checkpoints that name no size."""
    parser.add_argument(
        '--size',
        type=int,
        action=ShortSide,
        help='short side of the frames that the network sees, -1 for that of the input (default: '
        f'the size at which the checkpoint works best, else {otherwise})',
    )


def choose_short_side(
    size: int | None, best: int | None, otherwise: int | None = 480
) -> int | None:
    """The short side the network gets; None keeps the size of the input.

    Arguments:
        size: the value of --size; None if it was not given, -1 for the size of the input.
        best: the size at which the checkpoint works best, if it states one.
        otherwise: the size to use if neither is given.
    """
    if size is not None:
        return None if size == -1 else size
    return best or otherwise


def add_model_option(parser: argparse.ArgumentParser) -> None:
    default = f'saves/{PUBLISHED_WEIGHTS.name}, or saves/{BUNDLED_WEIGHTS.name} if that is absent'
    parser.add_argument('--model', type=Path, help=f'checkpoint (default: {default})')


def default_model() -> Path:
    """The published weights if they are there, else the bundled ones."""
    published = PUBLISHED_WEIGHTS.exists() or not BUNDLED_WEIGHTS.exists()
    return PUBLISHED_WEIGHTS if published else BUNDLED_WEIGHTS


def choose_model(model: Path | None) -> Path:
    """Return --model if given, else the default; a notice tells when that is the bundled one."""
    path = model or default_model()
    if model is None and path == BUNDLED_WEIGHTS and os.environ.get('RANK', '0') == '0':
        print(
            f'network: {path}, trained on little data; download_model.py fetches the published '
            'weights'
        )
    return path


def add_core_options(parser: argparse.ArgumentParser) -> None:
    """The network, its memory and the device."""
    add = parser.add_argument
    add_model_option(parser)
    add(
        '--mem_every', type=int, action=Bounded, least=1, default=5, metavar='N',
        help='memorise every N-th frame (5)',
    )  # fmt: skip
    reading = parser.add_mutually_exclusive_group()
    reading.add_argument(
        '--top_k', type=int, action=Bounded, least=1, default=50, metavar='K',
        help='memory positions that each pixel reads from (50)',
    )  # fmt: skip
    reading.add_argument('--no_top', action='store_true', help='read from all memory positions')
    add('--use_km', action='store_true', help='kernelized memory')
    add(
        '--max_mem_frames', type=int, action=Bounded, least=1, metavar='N',
        help='keep at most N frames in memory; annotated frames always stay',
    )  # fmt: skip
    add('--device', default='auto', help='auto, cpu, cuda, cuda:N or mps (auto: the fastest)')
    add('--amp', action='store_true', help='compute in half precision where that is safe')
    add('--compile', action='store_true', help='use torch.compile; pays off for long videos')


def core_options(args: argparse.Namespace) -> CoreOptions:
    return CoreOptions(
        mem_every=args.mem_every,
        top_k=None if args.no_top else args.top_k,
        kernel_sigma=KERNEL_SIGMA if args.use_km else None,
        max_mem_frames=args.max_mem_frames,
        amp=args.amp,
    )


def network_options(args: argparse.Namespace) -> NetworkOptions:
    return NetworkOptions(args.model, args.device, args.compile)
