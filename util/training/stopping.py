"""Signals to a program that works in steps: it is told to stop, or its workers end."""

import signal
import threading


def stop_signal(launched=False):
    """An Event that Ctrl-C and SIGTERM set; a second one interrupts at once.

    launched: by torchrun, which signals the other processes as soon as one of them has ended; a
    second signal then means no more than the first.
    """
    event = threading.Event()

    def stop(number, _):
        event.set()
        ignore_workers()  # the signal may have ended them, too
        signal.signal(number, signal.SIG_IGN if launched else signal.default_int_handler)

    if is_main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop)
    return event


def ignore_workers():
    """From now on a worker's end does not interrupt: PyTorch would raise it wherever we are."""
    if is_main_thread():
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def is_main_thread():
    """Only there signals can be handled."""
    return threading.current_thread() is threading.main_thread()
