"""Work done beside the main loop: ahead of it and behind it in threads, and in processes."""

import contextlib
import gc
import multiprocessing
import os
import signal
import threading
from collections import deque
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from itertools import islice

from util.progress import progress_bar

AHEAD = 16  # jobs for each process that wait for it: enough that none is ever idle


def prefetch(jobs, num_workers=2, depth=8):
    """Yield the results of callables in their order, computed up to `depth` ahead in threads.

    With one worker the jobs also run in order, so they may share a decoder. Decoding releases the
    interpreter lock; errors arrive here as they were raised.
    """
    with ThreadPoolExecutor(num_workers) as pool:
        pending = deque()
        try:
            for job in jobs:
                pending.append(pool.submit(job))
                if len(pending) > depth:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


class BackgroundWriter:
    """Runs jobs in order in one thread; the queue is bounded, errors come back on the next call.

    Nothing runs after a job that failed: what is written later may rely on it.
    """

    def __init__(self, depth=8):
        self._pool = ThreadPoolExecutor(1)
        self._pending = deque()
        self._depth = depth
        self._failed = False

    def submit(self, job, *args):
        self._pending.append(self._pool.submit(self._run, job, *args))
        while len(self._pending) > self._depth or (self._pending and self._pending[0].done()):
            self._pending.popleft().result()

    def finish(self):
        """Wait for everything; raises the first error."""
        while self._pending:
            self._pending.popleft().result()

    def _run(self, job, *args):
        if self._failed:
            return
        self._failed = True
        job(*args)
        self._failed = False

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        """What was submitted is written even if the loop was interrupted."""
        try:
            if kind is None:
                self.finish()
        finally:
            self._pool.shutdown()


def parallel_map(function, jobs, unit, num_workers=None):
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


def init_worker(worker=None):
    """What a worker does first: for a DataLoader's `worker_init_fn`, too, which gives its number.

    Whoever starts workers calls gc.collect() before: see `parallel_map`.
    """
    gc.freeze()
    import cv2

    cv2.setNumThreads(0)  # the workers are OpenCV's threads


def start_worker():
    init_worker()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that prints
    threading.Thread(target=end_with_parent, daemon=True).start()


def end_with_parent():
    """A parent that is killed cannot end its workers, and they would wait for it forever."""
    multiprocessing.parent_process().join()
    os._exit(1)
