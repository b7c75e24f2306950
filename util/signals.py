"""Signals that ask a program to end."""

import contextlib
import signal
from collections.abc import Iterator


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
