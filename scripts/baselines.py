"""J&F of a network beside two baselines that use no network.

python scripts/baselines.py --davis ../DAVIS/2017 --model saves/own/own_best.pth
python scripts/baselines.py --clip demo/clip --model saves/own/own_best.pth

copy: every frame gets the first mask. flow: the mask of the previous frame is warped along the
optical flow (DIS, Kroeger et al., ECCV 2016, in OpenCV's medium setting).
"""

import argparse
import sys
from pathlib import Path
from statistics import mean

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from util.errors import UserError, entry_point, naming_options
from util.files import save_json
from util.options import Bounded, NetworkOptions, add_model_option


@entry_point
def main(argv=None):
    args = build_parser().parse_args(argv)
    if not args.davis and not args.clip:
        raise UserError('nothing to score: give --davis or --clip')

    from scripts.followers import open_videos, score_all

    with naming_options(root='--davis', model='--model'):
        videos = open_videos(args.davis, args.clip, args.size)
        scores = score_all(videos, NetworkOptions(args.model, args.device), amp=args.amp)
    print_scores(scores)
    if args.json:
        save_json(args.json, scores)


def build_parser():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add('--davis', type=Path, help='a DAVIS 2017 tree, for its validation videos')
    add(
        '--clip', type=Path, action='append', default=[],
        help='a folder with images/ and masks/; repeatable',
    )  # fmt: skip
    add_model_option(parser)
    add(
        '--size', type=int, action=Bounded, least=16, default=240,
        help='short side of what all three see (240)',
    )  # fmt: skip
    add('--device', default='auto', help='auto, cpu, cuda, cuda:N or mps (auto: the fastest)')
    add('--amp', action='store_true', help='half precision for the network')
    add('--json', type=Path, help='also write the scores to this file')
    return parser


def print_scores(scores):
    """Print a row per video and their mean; scores: see `followers.score_all`."""
    videos = list(next(iter(scores.values())))
    width = max(len('mean'), *map(len, videos))
    print(' ' * width + ''.join(f'{way:>8} J&F     J     F' for way in scores))
    rows = {video: [of_way[video] for of_way in scores.values()] for video in videos}
    rows['mean'] = [
        {name: mean(score[name] for score in of_way.values()) for name in ('J&F', 'J', 'F')}
        for of_way in scores.values()
    ]
    for video, row in rows.items():
        figures = (f'{score["J&F"]:12.1f} {score["J"]:5.1f} {score["F"]:5.1f}' for score in row)
        print(f'{video:<{width}}' + ''.join(figures))


if __name__ == '__main__':
    main()
