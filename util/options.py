"""Command-line options that several programs share. Nothing heavy is imported here."""

from pathlib import Path

from util.errors import UserError

DEFAULT_MODEL = Path(__file__).resolve().parent.parent / 'saves' / 'propagation_model.pth'
KERNEL_SIGMA = 5.6  # in feature cells; of the published `--use_km` results


def add_core_options(parser):
    """The network, its memory and the device."""
    add = parser.add_argument
    add('--model', default=DEFAULT_MODEL, help='checkpoint (default: %(default)s)')
    add('--mem_every', type=int, default=5, help='memorise every n-th frame (5)')
    add('--top_k', type=int, default=50, help='memory positions that a pixel reads from (50)')
    add('--no_top', action='store_true', help='read from all memory positions')
    add('--use_km', action='store_true', help='kernelized memory')
    add('--max_mem_frames', type=int, help='cap on the frames in memory; annotated ones stay')
    add('--device', default='auto', help='auto, cpu, cuda, cuda:N or mps')
    add('--amp', action='store_true', help='half precision where it is safe')
    add('--compile', action='store_true', help='torch.compile the network, for long videos')


def add_evaluation_options(parser, output):
    """What all benchmarks share; `output` is the default folder."""
    add_core_options(parser)
    add = parser.add_argument
    add('--output', type=Path, default=output, help='folder for the masks (default: %(default)s)')
    add('--num_workers', type=int, default=2, help='threads that read pictures (2)')
    add('--videos', nargs='+', metavar='NAME', help='only these videos')
    add('--resume', action='store_true', help='skip videos that are whole already')


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
    """Raise UserError for an option below its least value."""
    for name, minimum in least.items():
        value = getattr(args, name)
        if value is not None and value < minimum:
            raise UserError(f'--{name} {value}: must be at least {minimum}')
