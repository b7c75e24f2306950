"""Signals during a training: the user asks it to stop, or one of its workers exits."""

import signal
import threading


def stop_signal(*, launched: bool) -> threading.Event:
    """Return an event that Ctrl-C and SIGTERM set; a second signal interrupts at once.

    launched: torchrun started the processes. It signals all of them as soon as one has exited, so
    a second signal must mean no more than the first.
    """
    event = threading.Event()

    def stop(number: int, _: object) -> None:
        event.set()
        ignore_workers()  # the signal may have ended them too
        signal.signal(number, signal.SIG_IGN if launched else signal.default_int_handler)

    if is_main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop)
    return event


def ignore_workers() -> None:
    """Stop PyTorch's SIGCHLD handler from raising, at any line, when a worker exits."""
    if is_main_thread() and hasattr(signal, 'SIGCHLD'):  # Windows has no such signal
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def is_main_thread() -> bool:
    """Whether this is the thread in which Python lets a program set signal handlers."""
    return threading.current_thread() is threading.main_thread()
