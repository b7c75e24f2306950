"""DAVIS 2016: segment and score the validation set, one object per video.

python eval_davis_2016.py --davis ../DAVIS/2016 --output output/davis_2016
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
    parser.add_argument('--davis', type=Path, default=Path('../DAVIS/2016'), help='(%(default)s)')
    add_evaluation_options(parser, 'output/davis_2016')
    args = parser.parse_args(argv)
    benchmark = BenchmarkOptions('DAVIS 2016', args.davis, 'val')
    run_benchmark(benchmark, evaluation_options(args, 'output/davis_2016'), '--davis')


if __name__ == '__main__':
    main()
