"""The command line that the benchmark programs share."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from util.errors import UserError
from util.options import (
    MAX_WORKERS,
    Bounded,
    CoreOptions,
    NetworkOptions,
    add_core_options,
    add_size_option,
    core_options,
    network_options,
)


@dataclass(frozen=True)
class BenchmarkOptions:
    """Which benchmark: a name in dataset.benchmarks.BENCHMARKS, the root of its tree, its split.

    zip_root: the folder inside a submission's archive that holds the videos.
    """

    name: str
    root: Path
    split: str
    zip_root: str = ''


@dataclass(frozen=True)
class EvaluationOptions:
    """How to segment and score it.

    output: folder for the masks. videos: only these; all if empty. size: see
    `util.options.choose_short_side`. resume: skip finished videos. zip: also write the archive for
    the evaluation server.
    """

    network: NetworkOptions
    core: CoreOptions
    output: Path
    num_workers: int = 2
    videos: tuple[str, ...] = ()
    size: int | None = None
    resume: bool = False
    zip: bool = False


def add_evaluation_options(parser: argparse.ArgumentParser, output: str) -> None:
    """What all benchmarks share; `output` is what the help says about the default folder."""
    add_core_options(parser)
    add_size_option(parser)
    add = parser.add_argument
    add('--output', type=Path, help=f'folder for the masks (default: {output})')
    add(
        '--num_workers', type=int, action=Bounded, least=1, most=MAX_WORKERS, default=2,
        help='threads that read images (2)',
    )  # fmt: skip
    add('--videos', nargs='+', default=[], metavar='NAME', help='only these videos')
    add('--resume', action='store_true', help='skip videos that are finished already')


def evaluation_options(args: argparse.Namespace, output: str) -> EvaluationOptions:
    """What was parsed; `output` is the default folder. Raises UserError for --zip of a part."""
    wants_zip = getattr(args, 'zip', False)
    if args.videos and wants_zip:
        raise UserError('--zip with --videos: a submission needs all videos; leave one out')
    return EvaluationOptions(
        network=network_options(args),
        core=core_options(args),
        output=args.output or Path(output),
        num_workers=args.num_workers,
        videos=tuple(args.videos),
        size=args.size,
        resume=args.resume,
        zip=wants_zip,
    )
