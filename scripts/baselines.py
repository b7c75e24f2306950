"""How well a network follows objects, beside two ways that need none: J&F of all three.

python scripts/baselines.py --davis ../DAVIS/2017 --model saves/own/own_best.pth
python scripts/baselines.py --clip demo/clip --model saves/own/own_best.pth

Copy: every frame gets the first mask. Flow: the mask of the frame before is carried along the
optical flow (DIS, Kroeger et al., ECCV 2016, in OpenCV's medium setting).
"""

import argparse
import sys
import tempfile
from pathlib import Path
from statistics import mean

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from util.errors import UserError, entry_point
from util.options import add_model_option, check_least, choose_model


@entry_point
def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add('--davis', type=Path, help='a DAVIS 2017 tree, whose validation videos are taken')
    add('--clip', type=Path, action='append', default=[], help='images/, masks/; repeatable')
    add_model_option(parser)
    add('--size', type=int, default=240, help='short side that all three see (240)')
    add('--device', default='auto')
    add('--amp', action='store_true', help='half precision for the network')
    add('--json', type=Path, help='write the scores there, too')
    args = parser.parse_args(argv)
    check_least(args, size=16)
    if not args.davis and not args.clip:
        raise UserError('nothing to score: give --davis or --clip')
    scores = score_all(args, open_sequences(args))
    print_scores(scores)
    if args.json:
        from util.files import save_json

        save_json(args.json, scores)


def open_sequences(args):
    """-> list of (Sequence, whether all its ids count as one object)."""
    from dataset.benchmarks import davis_2017

    found = [(sequence, False) for sequence in (davis_2017(args.davis) if args.davis else [])]
    found += [clip_sequence(folder) for folder in args.clip]
    names = [sequence.name for sequence, _ in found]
    for name in names:
        if names.count(name) > 1:
            raise UserError(
                f'two videos with the name {name}: give --clip another name, or leave one out'
            )
    return [(sequence._replace(short_side=args.size), union) for sequence, union in found]


def clip_sequence(folder):
    """images/, and in masks/ the truth of every frame; or, of the first one, the objects, if
    masks_binary_gt/ holds the truth of their union."""
    from dataset.benchmarks import Sequence
    from dataset.layout import list_frames, list_masks

    frames, masks = list_frames(folder / 'images'), list_masks(folder / 'masks')
    union = (folder / 'masks_binary_gt').is_dir()
    truth = list_masks(folder / 'masks_binary_gt') if union else masks
    names = [frame.stem for frame in frames]
    if masks[0].stem != names[0] or [path.stem for path in truth] != names:
        raise UserError(f'{folder}: the first frame needs a mask, and every frame its truth')
    name = folder.resolve().name
    return Sequence(name, frames, {0: masks[0]}, {p.name: p for p in truth}, names), union


def score_all(args, sequences):
    """-> dict way -> dict video -> dict J&F, J, F: means over its objects."""
    from functools import partial

    from inference_core import core_factory
    from scripts.followers import Copy, Flow
    from util.device import choose_device
    from util.evaluation.run import segment
    from util.run_info import Stopwatch
    from util.scores import mean_score, score_video

    device = choose_device(args.device)
    ways = {
        'network': core_factory(choose_model(args.model), amp=args.amp)(device),
        'flow': Flow,
        'copy': Copy,
    }
    scores = {}
    for way, new_core in ways.items():
        scores[way] = {}
        for sequence, union in sequences:
            with tempfile.TemporaryDirectory() as folder:
                segment(sequence, new_core(), Stopwatch(device), Path(folder))
                score = partial(score_video, sequence.truth, Path(folder) / sequence.name)
                mean = mean_score(score(binary=union).values())
            scores[way][sequence.name] = {'J&F': mean.jf, 'J': mean.j, 'F': mean.f}
    return scores


def print_scores(scores):
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
