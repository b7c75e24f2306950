"""The command line of train.py. The defaults are the numbers of the paper."""

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from dataset.stage_options import DEFAULT_ROOTS
from util.errors import UserError
from util.options import MAX_WORKERS, PROJECT, SAVES, Bounded

MAX_SIDE = 4096  # longest side of a crop or frame in pixels
INT: dict[str, Any] = {'type': int, 'action': Bounded}
# Defaults by stage: batch size per process, iterations, and when the learning rate falls.
STAGES = {
    0: {'batch_size': 7, 'iterations': 300_000, 'steps': (250_000,)},
    1: {'batch_size': 4, 'iterations': 500_000, 'steps': (450_000,)},
    2: {'batch_size': 4, 'iterations': 150_000, 'steps': (125_000,)},
}


@dataclass(frozen=True)
class TrainingOptions:
    """The options of train.py; the help texts below explain them."""

    # Schedule
    stage: int
    batch_size: int
    iterations: int
    steps: tuple[int, ...]
    lr: float
    key_lr: float
    gamma: float
    weight_decay: float
    clip_grad: float | None
    ema: float | None
    bootstrap: tuple[int, int]
    seed: int
    # Start
    pretrained: str
    load_network: Path | None
    load_model: Path | None
    # Data
    static_root: Path | None
    bl_root: Path | None
    yv_root: Path | None
    davis_root: Path | None
    yv_list: Path | None
    vos_root: tuple[Path, ...]
    crop: int
    short_side: int | None
    paste: Path | None
    num_workers: int
    # Computation
    device: str
    amp: bool
    train_bn: bool
    benchmark: bool
    debug: bool
    # Results
    id: str
    saves: Path
    log_root: Path
    save_every: int
    validate: Path | None
    validate_every: int
    validate_size: int | None

    def select(self, kind: type) -> Any:
        """Make an object of a dataclass whose fields are options of the same names."""
        return kind(**{field.name: getattr(self, field.name) for field in fields(kind)})


def build_parser(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    add_schedule(parser.add_argument_group('schedule').add_argument)
    add_start(parser.add_argument_group('start').add_argument)
    add_data(parser.add_argument_group('data').add_argument)
    add_computation(parser.add_argument_group('computation').add_argument)
    add_results(parser.add_argument_group('results').add_argument)
    # torch.distributed.launch passes the rank in one of these spellings. We read it from the
    # environment instead.
    parser.add_argument('--local-rank', '--local_rank', type=int, help=argparse.SUPPRESS)
    return parser


def add_schedule(add: Callable) -> None:
    add(
        '--stage', type=int, choices=STAGES, required=True, help='0 static images, 1 BL30K, 2 video'
    )
    add(
        '-b', '--batch_size', **INT, least=1, most=4096,
        help='samples per process (by stage: 7, 4, 4)',
    )  # fmt: skip
    add(
        '-i', '--iterations', **INT, least=1,
        help='number of iterations (by stage: 300,000, 500,000, 150,000)',
    )  # fmt: skip
    add('--steps', **INT, least=1, nargs='*', help='iterations at which the learning rate falls')
    add('--lr', type=float, default=1e-5, help='learning rate (1e-5)')
    add('--key_lr', type=float, default=1.0, help='multiplier of --lr for the key projections (1)')
    add('--gamma', type=float, default=0.1, help='factor on the learning rate at --steps (0.1)')
    add('--weight_decay', type=float, default=1e-7, help='weight decay of Adam (1e-7)')
    add('--clip_grad', type=float, help='largest norm of the gradient (no limit)')
    add(
        '--ema', type=float, metavar='DECAY',
        help='evaluate and save a moving average of the weights; a decay of 0.999 is usual',
    )  # fmt: skip
    add(
        '--bootstrap', type=int, nargs=2, metavar=('FROM', 'TO'), default=(20_000, 70_000),
        help='iterations between which the loss narrows to the hardest pixels (20,000 70,000)',
    )  # fmt: skip
    add('--seed', **INT, least=0, most=2**63 - 1, default=0, help='random seed (0)')


def add_start(add: Callable) -> None:
    add('--pretrained', default='imagenet', help='imagenet, none or a ResNet-50 file (imagenet)')
    add('--load_network', type=Path, help='start from the network of another training')
    add('--load_model', type=Path, help='resume a training from its checkpoint')


def add_data(add: Callable) -> None:
    for name, folder in DEFAULT_ROOTS.items():
        add(f'--{name}', type=Path, help=f'folder of the published set ({folder})')
    add('--yv_list', type=Path, help='names of the YouTube-VOS videos to use, one a line (all)')
    add('--vos_root', type=Path, action='append', default=[], help='your own videos; repeatable')
    add('--crop', **INT, least=32, most=MAX_SIDE, default=384, help='side of a crop (384)')
    add('--short_side', **INT, least=32, most=MAX_SIDE, help='scale frames down to this first')
    add(
        '--paste',
        type=Path,
        help='cut-outs (PNG with alpha) to paste over videos if data is scarce',
    )
    add(
        '--num_workers', **INT, least=0, most=MAX_WORKERS, default=4,
        help='processes that make samples (4)',
    )  # fmt: skip


def add_computation(add: Callable) -> None:
    add('--device', default='auto', help='auto, cpu, cuda, cuda:N or mps (auto: the fastest)')
    add('--amp', action='store_true', help='compute in half precision where that is safe')
    add('--train_bn', action='store_true', help='train BatchNorm too (for training from scratch)')
    add('--benchmark', action='store_true', help='let cuDNN choose algorithms by timing them')
    add('--debug', action='store_true', help='log every iteration, and locate the source of a NaN')


def add_results(add: Callable) -> None:
    add('--id', default='NULL', help='name of the training; NULL, the default, writes no files')
    add('--saves', type=Path, default=SAVES, help='folder of the checkpoints (saves/)')
    # Not --log: torchrun would take that for an abbreviation of its own --log_dir.
    add('--log_root', type=Path, default=PROJECT / 'log', help='folder of TensorBoard files (log/)')
    add('--save_every', **INT, least=1, default=50_000, help='iterations per checkpoint (50,000)')
    add('--validate', type=Path, help='a tree like DAVIS/2017, to score the network on')
    add(
        '--validate_every', **INT, least=1, default=10_000,
        help='iterations per validation (10,000)',
    )  # fmt: skip
    add('--validate_size', **INT, least=16, most=MAX_SIDE, help='short side in validation')


def parse(description: str, argv: Sequence[str] | None = None) -> TrainingOptions:
    """Read the command line and fill in what depends on the stage. Raises UserError."""
    values = vars(build_parser(description).parse_args(argv))
    del values['local_rank']
    for name, default in STAGES[values['stage']].items():
        values[name] = default if values[name] is None else values[name]
    lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    options = TrainingOptions(**(values | lists))
    check(options)
    return options


def check(options: TrainingOptions) -> None:
    """Raise UserError for values that no training can use, alone or together."""
    if options.crop % 16:
        raise UserError(
            f'--crop {options.crop}: must be a multiple of 16, the stride of the network'
        )
    if not 0 <= options.weight_decay < math.inf:
        raise UserError(f'--weight_decay {options.weight_decay}: must be at least 0, and finite')
    for name in ('lr', 'key_lr', 'gamma', 'clip_grad'):
        value = getattr(options, name)
        if value is not None and not 0 < value < math.inf:
            raise UserError(f'--{name} {value}: must be greater than 0, and finite')
    start, end = options.bootstrap
    if not 0 <= start < end:
        raise UserError(f'--bootstrap {start} {end}: must start at 0 or later, and end after that')
    if options.ema is not None and not 0 < options.ema < 1:
        raise UserError(f'--ema {options.ema}: must lie between 0 and 1')
    if options.paste and options.stage == 0:
        raise UserError('--paste: for stages 1 and 2 only; stage 0 trains on single objects')
    if options.yv_list and options.stage != 2:
        raise UserError('--yv_list: for stage 2 only; no other stage reads YouTube-VOS')
    if options.load_network and options.load_model:
        raise UserError('--load_network and --load_model: give only one of them')
    if not options.id.replace('_', '').replace('-', '').replace('.', '').isalnum():
        raise UserError(f'--id {options.id}: must be letters, digits, dots, dashes and underscores')
