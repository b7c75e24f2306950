"""DAVIS 2016: segment and score the validation set, one object a video.

python eval_davis_2016.py --davis ../DAVIS/2016 --output output/davis_2016
"""

import argparse
from pathlib import Path

from util.errors import entry_point
from util.options import add_evaluation_options, check_evaluation, core_options


@entry_point
def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--davis', type=Path, default=Path('../DAVIS/2016'), help='(%(default)s)')
    add_evaluation_options(parser, 'output/davis_2016')
    args = parser.parse_args(argv)
    check_evaluation(args)
    args.output = args.output or Path('output/davis_2016')

    from dataset.benchmarks import davis_2016
    from inference_core import core_factory
    from util.evaluation.run import evaluate

    benchmark = f'DAVIS 2016, {args.davis.resolve()}'
    new_core_on = core_factory(args.model, compiled=args.compile, **core_options(args))
    evaluate(args, benchmark, davis_2016(args.davis), new_core_on)


if __name__ == '__main__':
    main()
