"""Work done ahead of, and behind, the loop that needs the network."""

from collections import deque
from concurrent.futures import ThreadPoolExecutor


def run_ahead(jobs, num_workers=2, depth=8):
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


class WriteBehind:
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
