"""What the program does, on a clip made here from scikit-image's pictures, without a download.

python scripts/demo.py            (this is `make demo`)
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from util.errors import entry_point  # noqa: E402
from util.options import check_least, check_most  # noqa: E402


@entry_point
def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--output', type=Path, default=ROOT / 'demo', help='(default: demo/)')
    parser.add_argument('--num-frames', type=int, default=40)
    args = parser.parse_args(argv)
    check_least(args, **{'num-frames': 3})  # the first and the last are not scored
    check_most(args, **{'num-frames': 1000})

    from util.files import exclusive_lock_in, writable_folder

    with exclusive_lock_in(writable_folder(args.output)):
        run(args)


def run(args):
    import propagate
    from scripts import make_demo_clip

    clip, results = args.output / 'clip', args.output / 'results'
    make_demo_clip.main(['--output', str(clip), '--num-frames', str(args.num_frames)])
    first_mask = clip / 'masks' / '00000.png'
    command = [clip / 'images', '--mask', first_mask, '--output', results, '--size', '-1']
    propagate.main([str(word) for word in command])
    print_scores(clip / 'masks', results / 'masks')
    draw_truth(clip, args.output / 'truth.png')
    sheet = results / 'contact_sheet.png'
    print(f'look at {results / "overlay.mp4"} and {sheet} (the exact masks: truth.png above it)')


def print_scores(truth, predictions):
    """J, F and J&F per object against the exact masks, as DAVIS counts: without both ends."""
    from util.masks import load_mask
    from util.scores import mean_score, score_masks

    names = sorted(path.name for path in truth.glob('*.png'))[1:-1]
    scores = score_masks((load_mask(truth / n), load_mask(predictions / n)) for n in names)
    print(f'{"object":>6} {"J&F":>6} {"J":>6} {"F":>6}')
    for name, score in [*scores.items(), ('mean', mean_score(scores.values()))]:
        print(f'{name:>6} {score.jf:6.1f} {score.j:6.1f} {score.f:6.1f}')


def draw_truth(clip, path):
    """The contact sheet that perfect masks would give."""
    from util.images import read_image
    from util.masks import load_mask
    from util.visualize import ContactSheet, overlay

    sheet = ContactSheet()
    for image in sorted((clip / 'images').iterdir()):
        mask = load_mask(clip / 'masks' / f'{image.stem}.png')
        sheet.add(overlay(read_image(image), mask), image.stem)
    sheet.save(path)


if __name__ == '__main__':
    main()
