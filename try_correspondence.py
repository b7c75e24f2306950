"""Click in one picture and see where the network finds that place in another.

python try_correspondence.py                 (in a window; a stereo pair of scikit-image)
python try_correspondence.py SOURCE TARGET --point 370,250 --save out.png
"""

import argparse
from pathlib import Path

from util.correspondence.options import CorrespondenceOptions, check_options, motorcycle
from util.errors import UserError, entry_point, naming_options
from util.options import NetworkOptions, add_model_option, add_size_option


@entry_point
def main(argv=None):
    args = build_parser().parse_args(argv)
    if args.source and not args.target:
        raise UserError(f'{args.source}: give a second picture to find it in, or none at all')
    source, target = (args.source, args.target) if args.source else motorcycle()
    options = CorrespondenceOptions(
        source,
        target,
        network=NetworkOptions(args.model, args.device),
        points=tuple(args.point),
        mask=args.mask,
        save=args.save,
        json=args.json,
        size=args.size,
    )
    check_options(options)

    from util.correspondence.run import run  # the heavy libraries: --help does without them

    with naming_options(model='--model', short_side='--size'):
        run(options)


def build_parser():
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog='With --save or --json no window opens, and no display is needed.',
    )
    add = parser.add_argument
    add(
        'source', type=Path, nargs='?',
        help="a picture (default: the left one of scikit-image's motorcycle)",
    )  # fmt: skip
    add('target', type=Path, nargs='?', help='another, of any size (default: the right one)')
    add(
        '--point', type=parse_point, action='append', default=[], metavar='X,Y',
        help='pixel of the source to find, counted from 0 at the top left; repeatable',
    )  # fmt: skip
    add('--mask', type=Path, help='image as large as the source, nonzero at the pixels to find')
    add('--save', type=Path, metavar='OUT.png', help='write both pictures with what was found')
    add('--json', type=Path, metavar='OUT.json', help='write the best matches, with probabilities')
    add_size_option(parser)
    add_model_option(parser)
    add('--device', default='auto', help='auto, cpu, cuda, cuda:N or mps (auto: the fastest)')
    return parser


def parse_point(text):
    try:
        x, y = map(int, text.split(','))
    except ValueError:
        raise argparse.ArgumentTypeError(f'{text!r}: give two whole numbers, X,Y') from None
    return x, y


if __name__ == '__main__':
    main()
