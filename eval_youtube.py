"""YouTube-VOS: segment every frame of a split, for its evaluation server.

python eval_youtube.py --yv ../YouTube --split valid --output output/youtube --zip
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from util.errors import entry_point
from util.evaluation.options import (
    BenchmarkOptions,
    add_evaluation_options,
    evaluation_options,
)
from util.evaluation.program import run_benchmark


@entry_point
def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--yv', type=Path, default=Path('../YouTube'), help='(%(default)s)')
    parser.add_argument('--split', default='valid', help='valid or test (%(default)s)')
    parser.add_argument('--zip', action='store_true', help='write OUTPUT.zip for the server')
    add_evaluation_options(parser, 'output/youtube_SPLIT')
    args = parser.parse_args(argv)
    benchmark = BenchmarkOptions('YouTube-VOS', args.yv, args.split, zip_root='Annotations')
    options = evaluation_options(args, f'output/youtube_{args.split}')
    run_benchmark(benchmark, options, '--yv')


if __name__ == '__main__':
    main()
