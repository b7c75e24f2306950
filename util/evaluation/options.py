"""The options that the benchmark programs share."""

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
    """Which benchmark to run.

    Arguments:
        name: a key of `dataset.benchmarks.BENCHMARKS`.
        root: the dataset's folder.
        split: the part of the dataset, such as 'val'.
        zip_root: the folder inside the submission archive that contains the videos.
    """

    name: str
    root: Path
    split: str
    zip_root: str = ''


@dataclass(frozen=True)
class EvaluationOptions:
    """How to segment and score a benchmark.

    Arguments:
        network: which checkpoint to use, and on which device.
        core: how to propagate; see `InferenceCore`.
        output: folder for the masks.
        num_workers: number of threads that read images.
        videos: names of the videos to process; empty for all of them.
        size: see `util.options.choose_short_side`.
        resume: skip finished videos.
        zip: also write the archive for the evaluation server.
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
    """Add the options of all benchmark programs. `output` is the default folder shown in --help."""
    add_core_options(parser)
    add_size_option(parser, "the benchmark's own")
    add = parser.add_argument
    add('--output', type=Path, help=f'folder for the masks (default: {output})')
    add(
        '--num_workers', type=int, action=Bounded, least=1, most=MAX_WORKERS, default=2,
        help='threads that read images (2)',
    )  # fmt: skip
    add('--videos', nargs='+', default=[], metavar='NAME', help='process only these videos')
    add('--resume', action='store_true', help='skip videos that are already finished')


def evaluation_options(args: argparse.Namespace, output: str) -> EvaluationOptions:
    """Convert parsed arguments. `output` is the default folder.

    Raises UserError if --zip is combined with --videos.
    """
    wants_zip = getattr(args, 'zip', False)
    if args.videos and wants_zip:
        raise UserError('--zip with --videos: a submission needs all videos; drop one of the two')
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
