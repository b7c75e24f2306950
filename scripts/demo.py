"""Show what the project does, on a clip rendered from scikit-image's photos; nothing to download.

python scripts/demo.py            (this is `make demo`)
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import propagate  # noqa: E402
from scripts import make_demo_clip, score  # noqa: E402
from util.errors import entry_point  # noqa: E402
from util.files import exclusive_lock_in, writable_folder  # noqa: E402
from util.options import Bounded  # noqa: E402


@entry_point
def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add('--output', type=Path, default=ROOT / 'demo', help='folder for everything (demo/)')
    add(
        '--num_frames', '--num-frames', type=int, action=Bounded, least=3, most=1000, default=40,
        help='length of the clip, whose first and last frame are not scored (40)',
    )  # fmt: skip
    args = parser.parse_args(argv)
    with exclusive_lock_in(writable_folder(args.output)):
        run(args.output, args.num_frames)


def run(output, num_frames):
    """Render the clip, propagate its first mask, and score the result against the exact masks."""
    clip, results, exact = output / 'clip', output / 'results', output / 'ground_truth.png'
    call(make_demo_clip, '--output', clip, '--num_frames', num_frames, '--contact_sheet', exact)
    first_mask = clip / 'masks' / '00000.png'
    call(propagate, clip / 'images', '--mask', first_mask, '--output', results, '--size', -1)
    call(score, clip, results, '--videos', 'masks')  # in both, the only folder of masks is masks/
    print(f'results: {results / "overlay.mp4"}, {results / "contact_sheet.png"}')
    print(f'the exact masks, for comparison: {exact}')


def call(program, *words):
    program.main([str(word) for word in words])


if __name__ == '__main__':
    main()
