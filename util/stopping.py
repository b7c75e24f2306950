"""Signals to a program that works in steps: it is told to stop, or its workers end."""

import signal
import threading


def stop_signal():
    """An Event that Ctrl-C and SIGTERM set; a second Ctrl-C interrupts at once."""
    event = threading.Event()

    def stop(number, _):
        event.set()
        signal.signal(number, signal.default_int_handler)

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
