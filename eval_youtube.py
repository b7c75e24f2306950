"""YouTube-VOS: segment every frame of a split, for its evaluation server.

python eval_youtube.py --yv ../YouTube --split valid --output output/youtube --zip
"""

import argparse
from pathlib import Path

from util.errors import entry_point
from util.options import add_evaluation_options, check_evaluation, core_options


@entry_point
def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--yv', type=Path, default=Path('../YouTube'), help='(%(default)s)')
    parser.add_argument('--split', default='valid', help='valid or test (%(default)s)')
    parser.add_argument('--zip', action='store_true', help='write OUTPUT.zip for the server')
    add_evaluation_options(parser, 'output/youtube_SPLIT')
    args = parser.parse_args(argv)
    check_evaluation(args)
    args.output = args.output or Path(f'output/youtube_{args.split}')

    from dataset.benchmarks import youtube_vos
    from inference_core import core_factory
    from util.evaluation.run import evaluate

    sequences = youtube_vos(args.yv, args.split)
    new_core_on = core_factory(args.model, compiled=args.compile, **core_options(args))
    benchmark = f'YouTube-VOS {args.split}, {args.yv.resolve()}'
    zip_root = 'Annotations' if args.zip else None
    evaluate(args, benchmark, sequences, new_core_on, zip_root=zip_root)


if __name__ == '__main__':
    main()
