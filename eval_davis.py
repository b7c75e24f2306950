"""DAVIS 2017: segment and score the validation set, or segment test-dev for its server.

python eval_davis.py --davis ../DAVIS/2017 --output output/davis_2017
torchrun --nproc_per_node=2 eval_davis.py --split testdev --zip
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
    parser.add_argument('--davis', type=Path, default=Path('../DAVIS/2017'), help='(%(default)s)')
    parser.add_argument('--split', choices=('val', 'testdev'), default='val')
    parser.add_argument('--zip', action='store_true', help='write OUTPUT.zip for the server')
    add_evaluation_options(parser, 'output/davis_2017_SPLIT')
    args = parser.parse_args(argv)
    benchmark = BenchmarkOptions('DAVIS 2017', args.davis, args.split)
    options = evaluation_options(args, f'output/davis_2017_{args.split}')
    run_benchmark(benchmark, options, '--davis')


if __name__ == '__main__':
    main()
