"""Runs a benchmark program once its options have been parsed."""

from util.errors import naming_options
from util.evaluation.options import BenchmarkOptions, EvaluationOptions
from util.signals import interruptible


def run_benchmark(
    benchmark: BenchmarkOptions, options: EvaluationOptions, root_option: str
) -> None:
    """Segment and score a benchmark.

    PyTorch is imported only here, because it takes seconds to load and --help does not need it.
    `root_option` is the name of the option that sets the dataset's folder, for error messages.
    """
    with (
        interruptible(),
        naming_options(
            root=root_option, short_side='--size', model='--model', compiled='--compile'
        ),
    ):
        from util.evaluation.run import evaluate

        evaluate(benchmark, options)
