"""Render a made-up clip with exactly known masks, from the photos that ship with scikit-image.

A cat's head, a cup of coffee and a rocket are cut out of their photos and glide over a lawn with a
gravel path, passing in front of each other, while the camera drifts. Nothing is downloaded, and
the same arguments always give the same clip. The objects are 1 = cat, 2 = cup, 3 = rocket.

    python scripts/make_demo_clip.py --output demo    # demo/images/*.jpg and demo/masks/*.png
"""

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from util.errors import UserError, entry_point
from util.options import check_least, check_most

SIGNATURE = b'rendered by make_demo_clip'  # the comment in every JPEG this script writes


@entry_point
def main(argv=None):
    parser = argparse.ArgumentParser(description='Render a made-up clip with exactly known masks.')
    parser.add_argument('--output', type=Path, required=True, help='folder to write')
    for name, default in (('num-frames', 40), ('height', 240), ('width', 428), ('seed', 0)):
        parser.add_argument(f'--{name}', type=int, default=default, help='default: %(default)s')
    args = parser.parse_args(argv)
    check_least(args, **{'num-frames': 1}, height=1, width=1, seed=0)
    check_most(args, **{'num-frames': 1000}, height=4096, width=4096)
    output = args.output.absolute()
    if output.exists() and not (output.is_dir() and is_clip(output)):
        raise UserError(
            f'{args.output}: not a clip that this script wrote; choose another --output'
        )
    write_clip(output, *render(args.num_frames, args.height, args.width, args.seed))
    print(f'wrote {args.num_frames} frames to {args.output}')


def render(*args, **options):
    """`scripts.rendering.render`, whose libraries --help does without."""
    from scripts import rendering

    return rendering.render(*args, **options)


def is_clip(folder):
    """Whether every file in the folder is one that this script wrote: signed images, their masks.

    So a folder of somebody's own frames, which may well look the same, is never replaced.
    """
    ours = set()
    for image in folder.glob('images/*.jpg'):
        if SIGNATURE in image.read_bytes():
            ours |= {image, folder / 'masks' / f'{image.stem}.png'}
    return all(path in ours for path in folder.rglob('*') if not path.is_dir())


def write_clip(output, images, masks):
    """Write images/ and masks/ under `output`; they appear, or replace an older clip, at once.

    images (T, H, W, 3) uint8 RGB, masks (T, H, W) uint8.
    """
    from PIL import Image

    from util.masks import save_mask

    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix='.demo-', dir=output.parent) as work:
        fresh = Path(work) / 'fresh'
        for name in ('images', 'masks'):
            (fresh / name).mkdir(parents=True)
        for t, (image, mask) in enumerate(zip(images, masks, strict=True)):
            path = fresh / f'images/{t:05d}.jpg'
            Image.fromarray(image).save(path, quality=95, subsampling=0, comment=SIGNATURE)
            save_mask(fresh / f'masks/{t:05d}.png', mask)
        if output.exists():
            output.rename(Path(work) / 'stale')
        fresh.rename(output)


if __name__ == '__main__':
    main()
