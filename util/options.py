"""Command-line options that several programs share. Nothing heavy is imported here."""

from pathlib import Path

from util.errors import UserError

PROJECT = Path(__file__).resolve().parents[1]
SAVES = PROJECT / 'saves'
DEFAULT_MODEL = SAVES / 'propagation_model.pth'  # the published one
OWN_MODEL = SAVES / 'from_scratch.pth'  # comes with the project
MAX_WORKERS = 256  # processes or threads; far more would bring the machine down
KERNEL_SIGMA = 5.6  # in feature cells; of the published `--use_km` results


def add_model_option(parser):
    default = f'saves/{DEFAULT_MODEL.name}, or, where that is not, saves/{OWN_MODEL.name}'
    parser.add_argument('--model', type=Path, help=f'checkpoint (default: {default})')


def choose_model(model):
    """-> the checkpoint to take: as named, else the published one, else the project's own, with a
    line that says so."""
    if model or DEFAULT_MODEL.exists() or not OWN_MODEL.exists():
        return model or DEFAULT_MODEL
    from util.distributed import is_main

    if is_main():
        what = 'trained on little data, best at a short side of 240'
        print(f'network: {OWN_MODEL}, {what}; download_model.py gets the published')
    return OWN_MODEL


def add_core_options(parser):
    """The network, its memory and the device."""
    add = parser.add_argument
    add_model_option(parser)
    add('--mem_every', type=int, default=5, help='memorise every n-th frame (5)')
    reading = parser.add_mutually_exclusive_group()
    reading.add_argument('--top_k', type=int, default=50, help='memory that a pixel reads (50)')
    reading.add_argument('--no_top', action='store_true', help='read from all memory positions')
    add('--use_km', action='store_true', help='kernelized memory')
    add('--max_mem_frames', type=int, help='cap on the frames in memory; annotated ones stay')
    add('--device', default='auto', help='auto, cpu, cuda, cuda:N or mps')
    add('--amp', action='store_true', help='half precision where it is safe')
    add('--compile', action='store_true', help='torch.compile the network, for long videos')


def add_evaluation_options(parser, output):
    """What all benchmarks share; `output` is what help says of the default folder."""
    add_core_options(parser)
    add = parser.add_argument
    add('--output', type=Path, help=f'folder for the masks (default: {output})')
    add('--num_workers', type=int, default=2, help='threads that read pictures (2)')
    add('--videos', nargs='+', metavar='NAME', help='only these videos')
    add('--resume', action='store_true', help='skip videos that are whole already')


def check_evaluation(args):
    """Raise UserError for options of `add_evaluation_options` that no evaluation can have; choose
    the network."""
    check_least(args, num_workers=1)
    check_most(args, num_workers=MAX_WORKERS)
    core_options(args)
    if args.videos and getattr(args, 'zip', False):
        raise UserError('--zip with --videos: a submission needs all videos; leave one out')
    args.model = choose_model(args.model)


def short_side(args):
    """--size -> the short side of what the network gets, None: that of the input."""
    if args.size != -1 and args.size < 16:
        raise UserError(f'--size {args.size}: must be at least 16, or -1 for the size of the input')
    return None if args.size == -1 else args.size


def core_options(args):
    """Parsed options -> keyword arguments of InferenceCore."""
    check_least(args, mem_every=1, top_k=1, max_mem_frames=1)
    return {
        'mem_every': args.mem_every,
        'top_k': None if args.no_top else args.top_k,
        'kernel_sigma': KERNEL_SIGMA if args.use_km else None,
        'max_mem_frames': args.max_mem_frames,
        'amp': args.amp,
    }


def check_least(args, **least):
    """Raise UserError for an option, or one of its values, below the least."""
    for name, minimum in least.items():
        for value in values_of(args, name):
            if value < minimum:
                raise UserError(f'--{name} {value}: must be at least {minimum}')


def check_most(args, **most):
    """Raise UserError for an option above what any machine can do."""
    for name, maximum in most.items():
        for value in values_of(args, name):
            if value > maximum:
                raise UserError(f'--{name} {value}: must be at most {maximum}')


def values_of(args, name):
    value = getattr(args, name.replace('-', '_'))
    values = value if isinstance(value, list) else [value]
    return [value for value in values if value is not None]
