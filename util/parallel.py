"""Work beside the main loop: reading ahead and writing behind in threads, and worker processes.

Threads serve one video: decoding and writing files release the interpreter lock. Processes serve
thousands of independent files. All of them report errors where the results are expected.
"""

import contextlib
import gc
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from itertools import islice
from typing import Any, TypeVar

import cv2

from util.progress import progress_bar

Job = TypeVar('Job')
Result = TypeVar('Result')
QUEUE_PER_WORKER = 16  # jobs that wait for each process: enough that none is ever idle


def prefetch(
    jobs: Iterable[Callable[[], Result]], num_workers: int = 2, depth: int = 8
) -> Generator[Result, None, None]:
    """Yield the results of callables in their order, computed up to `depth` ahead in threads.

    With one worker the jobs also run in order, so they may share a decoder. An error is raised in
    place of the result.
    """
    with ThreadPoolExecutor(num_workers) as pool:
        pending: deque[Future[Result]] = deque()
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
    """Runs jobs in order in one thread, with at most `depth` of them waiting.

    The error of a job is raised by a later call or at the end of the `with` block. Jobs after it
    do not run, because they may rely on what it should have written.
    """

    def __init__(self, depth: int = 8) -> None:
        self._pool = ThreadPoolExecutor(1)
        self._pending: deque[Future[None]] = deque()
        self._depth = depth
        self._failed = False

    def submit(self, job: Callable[..., Any], *args: Any) -> None:
        """Run job(*args) later; waits while the queue is full. Raises errors of earlier jobs."""
        self._pending.append(self._pool.submit(self._run, job, *args))
        while len(self._pending) > self._depth or (self._pending and self._pending[0].done()):
            self._pending.popleft().result()

    def finish(self) -> None:
        """Wait for all jobs; raises the first error."""
        while self._pending:
            self._pending.popleft().result()

    def _run(self, job: Callable[..., Any], *args: Any) -> None:
        if self._failed:
            return
        self._failed = True
        job(*args)
        self._failed = False

    def __enter__(self) -> 'BackgroundWriter':
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Finish the submitted jobs, even if the block was interrupted."""
        try:
            if kind is None:
                self.finish()
        finally:
            self._pool.shutdown()


def parallel_map(
    function: Callable[[Job], Result],
    jobs: Sequence[Job],
    unit: str,
    num_workers: int | None = None,
) -> Generator[Result, None, None]:
    """Yield function(job) for each job, in order, computed in worker processes.

    An error of the function is raised in place of its result. However this process ends, its
    workers end too.

    Arguments:
        unit: what the progress bar counts, in the plural.
        num_workers: number of processes; one per CPU by default, but at most 8.
    """
    num_workers = num_workers or min(8, os.cpu_count() or 1)
    jobs_left = iter(jobs)
    gc.collect()  # see `init_worker`
    with (
        ProcessPoolExecutor(num_workers, initializer=_start_worker) as pool,
        _terminating_workers(),
        progress_bar(len(jobs), unit) as bar,
    ):
        pending = deque(
            pool.submit(function, job) for job in islice(jobs_left, QUEUE_PER_WORKER * num_workers)
        )
        while pending:
            result = pending.popleft().result()
            pending += [pool.submit(function, job) for job in islice(jobs_left, 1)]
            bar.increment()
            yield result


@contextlib.contextmanager
def _terminating_workers() -> Iterator[None]:
    """If the block fails, end the workers at once; the pool would first finish what is queued."""
    try:
        yield
    except BaseException:
        # Cancelling the jobs instead would make the executor log errors.
        for child in multiprocessing.active_children():
            child.terminate()
        raise


def init_worker(worker: int | None = None) -> None:
    """Prepare a worker process; also a DataLoader's `worker_init_fn`, which passes a number.

    Call gc.collect() before workers are forked: freeing inherited objects in a worker, a video
    decoder for example, can block on threads that do not exist there. What the worker inherits
    alive is frozen here for the same reason.
    """
    gc.freeze()
    cv2.setNumThreads(0)  # there are enough workers already


def _start_worker() -> None:
    init_worker()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # only the parent handles Ctrl-C
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    """End this worker when its parent is gone. A killed parent cannot do it, and would leave it."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
