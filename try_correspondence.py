"""Click in one picture and see where the network finds that place in another.

python try_correspondence.py                 (in a window; a stereo pair of scikit-image)
python try_correspondence.py SOURCE TARGET --point 370,250 --save out.png
"""

import argparse
import importlib.util
import math
import os
from pathlib import Path

from util.errors import UserError, entry_point
from util.options import add_model_option, choose_model, short_side

MAX_ENTRIES = 2**30  # of the map between two pictures, 4 GiB


@entry_point
def main(argv=None):
    args = build_parser().parse_args(argv)
    check(args)
    run(args)


def build_parser():
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog='With --save or --json nothing is shown, and no display is needed.',
    )
    add = parser.add_argument
    add('source', nargs='?', help="a picture (default: the left one of scikit-image's motorcycle)")
    add('target', nargs='?', help='another, of any size (default: the right one)')
    add('--point', type=parse_point, action='append', metavar='X,Y', help='in the source, from 0')
    add('--mask', help='an image of the size of the source; what is not 0 is carried over')
    add('--save', type=Path, metavar='OUT.png', help='write the picture')
    add('--json', type=Path, metavar='OUT.json', help='write the best match and its probability')
    add('--size', type=int, default=480, help='short side for the network, -1: as it is (480)')
    add_model_option(parser)
    add('--device', default='auto', help='auto, cpu, cuda, cuda:N or mps')
    return parser


def parse_point(text):
    try:
        x, y = map(int, text.split(','))
    except ValueError:
        raise argparse.ArgumentTypeError(f'{text!r}: give two whole numbers, X,Y') from None
    return x, y


def check(args):
    """Raise UserError for values that no run can have; fill in the pair of pictures."""
    short_side(args)
    if args.source and not args.target:
        raise UserError(f'{args.source}: give a second picture to find it in, or none at all')
    if args.point and args.mask:
        raise UserError('--point and --mask: one of them is the source; leave the other out')
    if not args.source:
        args.source, args.target = motorcycle()
    for name, suffix in (('save', '.png'), ('json', '.json')):
        check_output(args, name, suffix)
    if not (args.save or args.json):
        from util.correspondence.window import check_display

        check_display()


def motorcycle():
    """The paths of the stereo pair inside the installed scikit-image, which is not imported."""
    package = importlib.util.find_spec('skimage')
    if package is None:
        raise UserError('scikit-image, whose pictures are the default, is not there; give two')
    folder = Path(package.origin).parent / 'data'
    return tuple(str(folder / f'motorcycle_{side}.png') for side in ('left', 'right'))


def check_output(args, name, suffix):
    """Raise UserError if nothing can be written to --save or --json, before the work is done."""
    path = getattr(args, name)
    if path is None:
        return
    if not (args.point or args.mask):
        raise UserError(f'--{name}: of which place? name it with --point X,Y or --mask')
    if path.suffix.lower() != suffix:
        raise UserError(f'--{name} {path}: must end in {suffix}')
    if not path.parent.is_dir() or path.is_dir() or not os.access(path.parent, os.W_OK):
        raise UserError(f'--{name} {path}: cannot be written; choose a file in a folder of yours')
    if path.resolve() in (Path(given).resolve() for given in inputs(args)):
        raise UserError(f'--{name} {path}: is an input; choose another name')


def inputs(args):
    return [path for path in (args.source, args.target, args.mask) if path]


def run(args):
    """Everything after the arguments; the heavy imports are here, --help does without them."""
    from model.network import load_network
    from util.correspondence.window import Viewer, save_picture, show
    from util.device import choose_device
    from util.files import save_json
    from util.images import read_image

    source, target = read_image(args.source), read_image(args.target)
    mask = load_source_mask(args.mask, source.shape[:2]) if args.mask else None
    check_points(args.point or [], source.shape[:2])
    args.model = choose_model(args.model)
    network = load_network(args.model, choose_device(args.device), for_inference=True)
    pair = relate(network, source, target, short_side(args))
    titles = (f'source: {Path(args.source).name}', f'target: {Path(args.target).name}')
    viewer = Viewer(pair, source, target, titles)
    if args.point:
        viewer.set_points(args.point)
    elif mask is not None:
        viewer.set_mask(mask)
    if not (args.save or args.json):
        return show(viewer)
    print(*viewer.findings(), sep='\n')
    if args.save:
        save_picture(args.save, viewer.picture())
    if args.json:
        save_json(args.json, describe(args, viewer))


def load_source_mask(path, size):
    """-> bool (H, W): where the mask is not 0 (or not black)."""
    from dataset.sizes import fit_mask
    from util.masks import read_codes

    codes, _ = read_codes(path)
    mask = fit_mask(path, (codes != 0).astype('uint8'), size) > 0
    if not mask.any():
        raise UserError(f'{path}: every pixel is background (0); draw what is to be found')
    return mask


def check_points(points, size):
    height, width = size
    for x, y in points:
        if not (0 <= x < width and 0 <= y < height):
            raise UserError(
                f'--point {x},{y}: outside the source, which is {width}x{height}; choose X in '
                f'0..{width - 1} and Y in 0..{height - 1}'
            )


def relate(network, source, target, short_side):
    """Pictures uint8 (H, W, 3), each scaled so that its short side has that length (None: as it
    is) -> the Correspondence between them."""
    import torch

    from dataset.sizes import resize_image, size_for_network
    from model.correspondence import Correspondence, Grid, correspond

    pictures = {'source': source, 'target': target}
    sizes = [size_for_network(name, p.shape[:2], short_side) for name, p in pictures.items()]
    grids = [Grid(p.shape[:2], size) for p, size in zip(pictures.values(), sizes, strict=True)]
    num_entries = math.prod(math.prod(grid.shape) for grid in grids)
    if num_entries > MAX_ENTRIES:
        many = f'{num_entries / 1e9:.1f} billion pairs of cells, {MAX_ENTRIES / 1e9:.1f} at most'
        raise UserError(f'--size {short_side or -1}: {many}; choose a smaller --size')
    images = []
    for picture, size in zip(pictures.values(), sizes, strict=True):
        image = torch.from_numpy(picture).permute(2, 0, 1).float() / 255
        images.append(resize_image(image, size))
    return Correspondence(correspond(network, *images), *grids)


def describe(args, viewer):
    """What --json writes. Points and matches are pixels; for the probability see
    `model.correspondence.Match`."""
    sources = [{'point': point} for point in viewer.points] or [{'mask': args.mask}]
    return {
        'source': args.source,
        'target': args.target,
        'model': str(args.model),
        'size': args.size,
        'matches': [
            {**source, 'match': match.point, 'probability': match.probability}
            for source, match in zip(sources, viewer.matches, strict=True)
        ],
    }


if __name__ == '__main__':
    main()
