"""Runs a benchmark program once its options have been parsed."""

import contextlib
import signal
from collections.abc import Iterator

from util.errors import naming_options
from util.evaluation.options import BenchmarkOptions, EvaluationOptions


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


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Inside the block, SIGTERM and SIGHUP interrupt like Ctrl-C, so that nothing is left behind.

    Only the first signal counts: torchrun sends several, and none must interrupt the cleaning up.
    """
    numbers = (signal.SIGTERM, signal.SIGHUP)
    ours = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]

    def stop(*_: object) -> None:
        for number in ours:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    try:
        for number in ours:
            signal.signal(number, stop)
        yield
    finally:
        for number in ours:
            if signal.getsignal(number) is stop:  # else the program is about to end
                signal.signal(number, signal.SIG_DFL)
