"""What the benchmark programs do once their options are known."""

from util.errors import naming_options
from util.evaluation.options import BenchmarkOptions, EvaluationOptions


def run_benchmark(
    benchmark: BenchmarkOptions, options: EvaluationOptions, root_option: str
) -> None:
    """Segment and score a benchmark. Libraries of the network are loaded here and not before."""
    from util.evaluation.run import evaluate

    with naming_options(
        root=root_option, short_side='--size', model='--model', compiled='--compile'
    ):
        evaluate(benchmark, options)
