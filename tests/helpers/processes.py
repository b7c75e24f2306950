"""Programs as processes of their own, which tests watch and interrupt."""

import signal
import time


def hear_ctrl_c():
    """A `preexec_fn`: background jobs ignore SIGINT, and their children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_until(condition, process, describe=lambda: 'it ended early, or nothing happened'):
    """Return once the condition holds, while the process is running; fails after two minutes.

    describe: returns what to say about a process that ended early.
    """
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None and time.monotonic() < deadline, describe()
        time.sleep(0.005)
