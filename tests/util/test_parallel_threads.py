"""Reading ahead and writing behind in threads. The tests wait for events, not for time to pass."""

import threading
from functools import partial

import pytest

from util.parallel import BackgroundWriter, prefetch

LONG = 20  # seconds; a wait that takes longer is a deadlock


@pytest.mark.parametrize('num_workers', [1, 2, 4])
def test_results_keep_their_order(num_workers):
    gates = [threading.Event() for _ in range(8)]

    def job(number):
        if number % 2 == 0 and num_workers > 1:  # wait for the next job
            assert gates[number + 1].wait(LONG)
        gates[number].set()
        return number

    jobs = (partial(job, number) for number in range(8))
    assert list(prefetch(jobs, num_workers, depth=4)) == list(range(8))


def test_one_worker_runs_jobs_one_after_the_other():
    letters = iter('abcdefgh')
    assert list(prefetch([partial(next, letters)] * 8, 1)) == list('abcdefgh')


def test_at_most_depth_jobs_are_read_ahead():
    taken = []
    jobs = (taken.append(number) or (lambda number=number: number) for number in range(50))
    for result in prefetch(jobs, num_workers=2, depth=5):
        assert len(taken) <= result + 1 + 5


def test_an_endless_source_is_read_lazily():
    def jobs():
        number = 0
        while True:
            yield partial(int, number)
            number += 1

    results = prefetch(jobs())
    assert [next(results) for _ in range(30)] == list(range(30))
    results.close()


def test_an_error_is_raised_unchanged_in_place_of_its_result():
    error = KeyError('third')

    def fail():
        raise error

    results = prefetch([lambda: 1, lambda: 2, fail, lambda: 4])
    assert [next(results), next(results)] == [1, 2]
    with pytest.raises(KeyError) as caught:
        next(results)
    assert caught.value is error
    assert list(results) == []


def test_closing_early_leaves_no_thread_and_starts_no_more_jobs():
    before = threading.active_count()
    ran = []
    results = prefetch([partial(ran.append, number) for number in range(100)], 2, depth=10)
    next(results)
    results.close()
    assert threading.active_count() == before
    assert len(ran) <= 11


def test_background_jobs_run_in_order_and_are_finished():
    ran = []
    with BackgroundWriter(depth=3) as writer:
        for number in range(50):
            writer.submit(ran.append, number)
    assert ran == list(range(50))


def test_a_full_queue_blocks_the_caller():
    gate, started = threading.Event(), []
    with BackgroundWriter(depth=3) as writer:
        for number in range(3):
            writer.submit(lambda number=number: started.append(number) or gate.wait(LONG))
        blocked = threading.Thread(target=lambda: writer.submit(started.append, 3))
        blocked.start()
        blocked.join(0.2)
        assert blocked.is_alive()
        gate.set()
        blocked.join(LONG)
        assert not blocked.is_alive()
    assert started == [0, 1, 2, 3]


def test_an_error_is_raised_by_a_later_submit():
    def fail():
        raise OSError('disk full')

    with pytest.raises(OSError, match='disk full'), BackgroundWriter(depth=2) as writer:
        writer.submit(fail)
        for _ in range(4):
            writer.submit(int)
        pytest.fail('no later than the fourth call, submit raises')


def test_an_error_of_the_last_job_is_raised():
    with pytest.raises(ZeroDivisionError), BackgroundWriter() as writer:
        writer.submit(divmod, 1, 0)


def test_submitted_jobs_are_finished_when_the_loop_fails():
    written = []
    with pytest.raises(KeyboardInterrupt), BackgroundWriter(depth=50) as writer:
        for number in range(20):
            writer.submit(written.append, number)
        raise KeyboardInterrupt
    assert written == list(range(20))
