"""How a user's masks help, with the ground truth in place of the user.

python scripts/interaction.py confidence   (which measure finds the frames with bad masks)
python scripts/interaction.py corrections  (correct the worst-looking frame, or a random one)
python scripts/interaction.py references   (three masks, met on the way or in memory before)
"""

import argparse
import importlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from util.errors import UserError, entry_point, naming_options
from util.options import Bounded, NetworkOptions, add_model_option

STUDIES = ('confidence', 'corrections', 'references')


@entry_point
def main(argv=None):
    args = build_parser().parse_args(argv)
    if not args.davis and not args.clip:
        raise UserError('nothing to measure: give --davis or --clip')
    with naming_options(root='--davis', model='--model'):
        videos = importlib.import_module('scripts.interaction_studies.videos')
        study = importlib.import_module(f'scripts.interaction_studies.{args.what}')
        found = videos.find(args.davis, args.list, args.videos, args.clip)
        network = videos.open_network(NetworkOptions(args.model, args.device))
        recordings = (videos.read(video, args.size, args.frames) for video in found)
        print_table(study.measure(network, recordings))


def build_parser():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add('what', choices=STUDIES)
    add('--davis', type=Path, help='a DAVIS 2017 tree')
    add('--list', default='val', help='videos of that tree: ImageSets/2017/LIST.txt (val)')
    add('--videos', nargs='+', metavar='NAME', help='only these of the list')
    add(
        '--clip', type=Path, action='append', default=[],
        help='a folder with images/ and masks/; repeatable',
    )  # fmt: skip
    add(
        '--frames', type=int, action=Bounded, least=4, default=30, metavar='N',
        help='at most so many frames of each video, evenly spaced (30)',
    )  # fmt: skip
    add_model_option(parser)
    add(
        '--size', type=int, action=Bounded, least=16, default=240,
        help='short side of what the network sees (240)',
    )  # fmt: skip
    add('--device', default='auto', help='auto, cpu, cuda, cuda:N or mps (auto: the fastest)')
    return parser


def print_table(rows):
    """Print a row per video as it comes, and then their mean.

    rows: pairs of a video's name and its figures by their names, the same for each.
    """
    every = []
    for name, figures in rows:
        if not every:
            print(f'{"":16}' + ''.join(f'{column:>18}' for column in figures), flush=True)
        every.append(figures)
        print_row(name, figures.values())
    means = [sum(figures[column] for figures in every) / len(every) for column in every[0]]
    print_row('mean', means)


def print_row(name, figures):
    print(f'{name[:16]:16}' + ''.join(f'{figure:18.2f}' for figure in figures), flush=True)


if __name__ == '__main__':
    main()
