"""The command line of train.py. Numbers of the paper are the defaults of their stage."""

import argparse
import math
from pathlib import Path

from util.errors import UserError
from util.options import MAX_WORKERS, PROJECT, check_least, check_most

MAX_SIDE = 4096  # of a crop or a frame in training
# per process: batch, iterations, where the learning rate falls (spec of the method, training)
STAGES = {
    0: {'batch_size': 7, 'iterations': 300_000, 'steps': [250_000]},
    1: {'batch_size': 4, 'iterations': 500_000, 'steps': [450_000]},
    2: {'batch_size': 4, 'iterations': 150_000, 'steps': [125_000]},
}


def build_parser(description):
    parser = argparse.ArgumentParser(description=description)
    add_schedule(parser.add_argument_group('what and how long'))
    add_start(parser.add_argument_group('where to start'))
    add_data(parser.add_argument_group('data'))
    add_compute(parser.add_argument_group('computing'))
    add_reports(parser.add_argument_group('reports'))
    # torch.distributed.launch passes the rank in one of these spellings; the environment has it too
    parser.add_argument('--local-rank', '--local_rank', type=int, help=argparse.SUPPRESS)
    return parser


def add_schedule(group):
    add = group.add_argument
    add('--stage', type=int, choices=STAGES, required=True, help='0 static, 1 BL30K, 2 video')
    add('-b', '--batch_size', type=int, help='samples per process and iteration (7, 4, 4)')
    add('-i', '--iterations', type=int, help='(300,000, 500,000, 150,000)')
    add('--steps', type=int, nargs='*', help='iterations at which the learning rate falls')
    add('--lr', type=float, default=1e-5)
    add('--key_lr', type=float, default=1.0, help='of the key projections, times --lr (1)')
    add('--gamma', type=float, default=0.1, help='what the learning rate is multiplied by then')
    add('--weight_decay', type=float, default=1e-7)
    add('--clip_grad', type=float, help='largest norm of the gradient (no limit)')
    add('--ema', type=float, help='evaluate and save a moving average of the weights (0.999, say)')
    add(
        '--bootstrap', type=int, nargs=2, metavar=('FROM', 'TO'), default=[20_000, 70_000],
        help='iterations between which the loss narrows to the hardest pixels (20,000 70,000)',
    )  # fmt: skip
    add('--seed', type=int, default=0)


def add_start(group):
    add = group.add_argument
    add('--pretrained', default='imagenet', help='none, imagenet or the path of a ResNet-50')
    add('--load_network', help='start from the network of another training')
    add('--load_model', help='go on with a training, from its checkpoint')


def add_data(group):
    add = group.add_argument
    add('--static_root', type=Path, help='(../static)')
    add('--bl_root', type=Path, help='(../BL30K)')
    add('--yv_root', type=Path, help='(../YouTube)')
    add('--davis_root', type=Path, help='(../DAVIS)')
    add('--vos_root', type=Path, action='append', default=[], help='a tree of your own, repeatable')
    add('--crop', type=int, default=384, help='side of a training crop (384)')
    add('--short_side', type=int, help='scale frames to this short side first')
    add(
        '--paste', type=Path, help='cut-outs (PNG with alpha) to paste over videos, for little data'
    )
    add('--num_workers', type=int, default=4, help='processes that make samples (4)')


def add_compute(group):
    add = group.add_argument
    add('--device', default='auto', help='auto, cpu, cuda or mps')
    add('--amp', action='store_true', help='half precision where it is safe')
    add('--train_bn', action='store_true', help='let BatchNorm learn (training from scratch)')
    add('--benchmark', action='store_true', help='let cuDNN time its algorithms')
    add('--debug', action='store_true', help='log every iteration, find the source of a NaN')


def add_reports(group):
    add = group.add_argument
    add('--id', default='NULL', help='name of the training; NULL writes no files')
    add('--saves', type=Path, default=PROJECT / 'saves', help='checkpoints go here (saves/)')
    # not --log: torchrun would take it for an abbreviation of its own --log_dir
    add('--log_root', type=Path, default=PROJECT / 'log', help='TensorBoard files go here (log/)')
    add('--save_every', type=int, default=50_000, help='iterations between checkpoints')
    add('--validate', type=Path, help='a tree like DAVIS/2017, to be scored now and then')
    add('--validate_every', type=int, default=10_000, help='iterations between validations')
    add('--validate_size', type=int, help='short side for validation')


def parse(description, argv=None):
    """-> the options, with the stage's own defaults filled in. Raises UserError."""
    args = build_parser(description).parse_args(argv)
    for name, value in STAGES[args.stage].items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    check_least(
        args, batch_size=1, iterations=1, crop=32, short_side=32, num_workers=0, save_every=1,
        validate_every=1, validate_size=16, seed=0, steps=1,
    )  # fmt: skip
    check_most(
        args, batch_size=4096, num_workers=MAX_WORKERS, crop=MAX_SIDE, short_side=MAX_SIDE,
        validate_size=MAX_SIDE, seed=2**63 - 1,
    )  # fmt: skip
    if args.crop % 16:
        raise UserError(f'--crop {args.crop}: must be a multiple of 16, the stride of the network')
    if not 0 <= args.weight_decay < math.inf:
        raise UserError(f'--weight_decay {args.weight_decay}: must be at least 0, and finite')
    for name in ('lr', 'key_lr', 'gamma', 'clip_grad'):
        value = getattr(args, name)
        if value is not None and not 0 < value < math.inf:
            raise UserError(f'--{name} {value}: must be greater than 0, and finite')
    start, end = args.bootstrap
    if not 0 <= start < end:
        raise UserError(f'--bootstrap {start} {end}: must start at 0 or later, and end after that')
    if args.ema is not None and not 0 < args.ema < 1:
        raise UserError(f'--ema {args.ema}: must lie between 0 and 1')
    if args.paste and args.stage == 0:
        raise UserError('--paste: for stages 1 and 2; stage 0 has one object')
    if args.load_network and args.load_model:
        raise UserError('--load_network and --load_model: give one of them')
    if not args.id.replace('_', '').replace('-', '').replace('.', '').isalnum():
        raise UserError(f'--id {args.id}: must be letters, digits, dots, dashes and underscores')
    return args
