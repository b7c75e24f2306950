"""DAVIS 2017: segment and score the validation set, or segment test-dev for its server.

python eval_davis.py --davis ../DAVIS/2017 --output output/davis_2017
torchrun --nproc_per_node=2 eval_davis.py --split testdev --zip
"""

import argparse
from pathlib import Path

from util.errors import entry_point
from util.options import add_evaluation_options, check_evaluation, core_options


@entry_point
def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--davis', type=Path, default=Path('../DAVIS/2017'), help='(%(default)s)')
    parser.add_argument('--split', choices=('val', 'testdev'), default='val')
    parser.add_argument('--zip', action='store_true', help='write OUTPUT.zip for the server')
    add_evaluation_options(parser, 'output/davis_2017_SPLIT')
    args = parser.parse_args(argv)
    check_evaluation(args)
    args.output = args.output or Path(f'output/davis_2017_{args.split}')

    from dataset.benchmarks import davis_2017
    from inference_core import core_factory
    from util.evaluation.run import evaluate

    sequences = davis_2017(args.davis, args.split)
    new_core_on = core_factory(args.model, compiled=args.compile, **core_options(args))
    benchmark = f'DAVIS 2017 {args.split}, {args.davis.resolve()}'
    evaluate(args, benchmark, sequences, new_core_on, zip_root='' if args.zip else None)


if __name__ == '__main__':
    main()
