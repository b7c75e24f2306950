"""The same work on many files, in several processes."""

import contextlib
import gc
import multiprocessing
import os
import signal
import threading
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from itertools import islice

from util.progress import progress_bar

AHEAD = 16  # jobs for each process that wait for it: enough that none is ever idle


def in_processes(function, jobs, unit, num_workers=None):
    """Yield function(job) for each of the jobs (a list), in order.

    num_workers: one per CPU, 8 at most, unless given. What the function raises comes here as it is.
    However this process ends, its workers end too.
    """
    num_workers = num_workers or min(8, os.cpu_count())
    jobs_left = iter(jobs)
    gc.collect()  # what a worker inherits unused and then frees may wait for threads it lacks
    with (
        ProcessPoolExecutor(num_workers, initializer=start_worker) as pool,
        ending_workers(),
        progress_bar(len(jobs), unit) as bar,
    ):
        pending = deque(
            pool.submit(function, job) for job in islice(jobs_left, AHEAD * num_workers)
        )
        while pending:
            result = pending.popleft().result()
            pending += [pool.submit(function, job) for job in islice(jobs_left, 1)]
            bar.increment()
            yield result


@contextlib.contextmanager
def ending_workers():
    """When this block is left early, the pool would first finish what it was given."""
    try:
        yield
    except BaseException:
        # not by cancelling it, of which the pool tells in its log
        for child in multiprocessing.active_children():
            child.terminate()
        raise


def settle(worker=None):
    """What a worker does first: for a DataLoader's `worker_init_fn`, too, which gives its number.

    Whoever starts workers calls gc.collect() before: see `in_processes`.
    """
    gc.freeze()
    import cv2

    cv2.setNumThreads(0)  # the workers are OpenCV's threads


def start_worker():
    settle()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that prints
    threading.Thread(target=end_with_parent, daemon=True).start()


def end_with_parent():
    """A parent that is killed cannot end its workers, and they would wait for it forever."""
    multiprocessing.parent_process().join()
    os._exit(1)
