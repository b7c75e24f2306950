"""Follow the objects of a mask through your own video.

python propagate.py VIDEO --mask MASK.png --output DIR
python propagate.py FOLDER_OF_IMAGES --mask FOLDER_OF_MASKS --output DIR --direction both
"""

import argparse
from collections.abc import Sequence

from util.errors import UserError, entry_point
from util.options import (
    Bounded,
    add_core_options,
    add_size_option,
    core_options,
    network_options,
)
from util.propagation.options import PropagationOptions


@entry_point
def main(argv: Sequence[str] | None = None) -> None:
    options = parse(argv)
    # Imported late, because PyTorch takes seconds to load, and --help and mistyped options do not
    # need it.
    from util.propagation.run import propagate

    propagate(options)


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add('input', help='a video file, a folder of images, or the number of a camera')
    add('--mask', required=True, help='a mask for the first frame, or a folder of masks')
    add('--output', required=True, help='folder for the results')
    add_size_option(parser)
    add(
        '--direction', choices=('forward', 'backward', 'both'), default='forward',
        help='follow objects from the first annotated frame, from the last one, or both (forward)',
    )  # fmt: skip
    add(
        '--overlay', action=argparse.BooleanOptionalAction, default=True,
        help='write overlay.mp4, the video with the masks drawn over it',
    )  # fmt: skip
    add(
        '--whole_masks', action='store_true',
        help='masks say everything: where they are 0 is background, and objects they lack are not '
        'in that frame',
    )  # fmt: skip
    add(
        '--references', action='store_true',
        help='have all masks in memory from the start, instead of each from its frame on',
    )  # fmt: skip
    add('--clean_mask', action='store_true', help='snap soft mask borders to solid areas')
    add('--start', type=int, action=Bounded, least=0, default=0, help='first frame (0)')
    add('--end', type=int, action=Bounded, least=1, help='stop before this frame')
    add(
        '--stride', type=int, action=Bounded, least=1, default=1, metavar='N',
        help='use every N-th frame',
    )  # fmt: skip
    add('--resume', action='store_true', help='continue an interrupted run')
    add_core_options(parser)
    return parser


def parse(argv: Sequence[str] | None = None) -> PropagationOptions:
    """Read the command line. Raises UserError for options that contradict each other."""
    args = build_parser().parse_args(argv)
    if args.end is not None and args.end <= args.start:
        raise UserError(f'--end {args.end}: must be greater than --start {args.start}')
    return PropagationOptions(
        input=args.input,
        mask=args.mask,
        output=args.output,
        network=network_options(args),
        core=core_options(args),
        outputs=('overlay', 'sheet') if args.overlay else ('sheet',),
        size=args.size,
        direction=args.direction,
        whole_masks=args.whole_masks,
        references=args.references,
        clean_mask=args.clean_mask,
        start=args.start,
        end=args.end,
        stride=args.stride,
        resume=args.resume,
    )


if __name__ == '__main__':
    main()
