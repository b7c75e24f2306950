"""Render a made-up clip with exactly known masks, from the photos that ship with scikit-image.

A cat's head, a cup of coffee and a rocket are cut out of their photos and glide over a lawn with a
gravel path, passing in front of each other, while the camera drifts. Nothing is downloaded, and
the same arguments always give the same clip. The objects are 1 = cat, 2 = cup, 3 = rocket.

    python scripts/make_demo_clip.py --output demo    # demo/images/*.jpg and demo/masks/*.png
"""

import argparse
import contextlib
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from util.errors import UserError, entry_point
from util.options import Bounded

SIGNATURE = b'rendered by make_demo_clip'  # the comment in every JPEG this script writes


@entry_point
def main(argv=None):
    args = build_parser().parse_args(argv)
    output = args.output.absolute()
    if output.exists() and not (output.is_dir() and is_clip(output)):
        raise UserError(
            f'{args.output}: not a clip that this script wrote; choose another --output'
        )

    from scripts.rendering import draw_sheet, render, write_frames

    images, masks = render(args.num_frames, args.height, args.width, args.seed)
    with replacing(output) as folder:
        write_frames(folder, images, masks, comment=SIGNATURE)
    if args.contact_sheet:
        draw_sheet(args.contact_sheet, images, masks)
    print(f'wrote {args.num_frames} frames to {args.output}')


def build_parser():
    parser = argparse.ArgumentParser(description='Render a made-up clip with exactly known masks.')
    add = parser.add_argument
    add('--output', type=Path, required=True, help='folder to write')
    add(
        '--num_frames', '--num-frames', type=int, action=Bounded, least=1, most=1000, default=40,
        help='length of the clip (40)',
    )  # fmt: skip
    add('--height', type=int, action=Bounded, least=1, most=4096, default=240, help='pixels (240)')
    add('--width', type=int, action=Bounded, least=1, most=4096, default=428, help='pixels (428)')
    add('--seed', type=int, action=Bounded, least=0, default=0, help='changes ground and sway (0)')
    add('--contact_sheet', type=Path, metavar='PNG', help='also write some frames with their masks')
    return parser


def is_clip(folder):
    """Whether this script wrote every file in the folder: signed images, and their masks.

    A folder of somebody's own frames, which may well have the same names, is never replaced.
    """
    ours = set()
    for image in folder.glob('images/*.jpg'):
        if SIGNATURE in image.read_bytes():
            ours |= {image, folder / 'masks' / f'{image.stem}.png'}
    return all(path in ours for path in folder.rglob('*') if not path.is_dir())


@contextlib.contextmanager
def replacing(output):
    """Yields an empty folder to fill; at the end it takes the place of `output`, all at once."""
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix='.demo-', dir=output.parent) as work:
        fresh = Path(work) / 'fresh'
        fresh.mkdir()
        yield fresh
        if output.exists():
            output.rename(Path(work) / 'stale')
        fresh.rename(output)


if __name__ == '__main__':
    main()
