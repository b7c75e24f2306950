"""Worker processes: results in order, errors in their place, and no worker outlives its parent."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.helpers import stand_in
from tests.helpers.processes import hear_ctrl_c
from tests.helpers.video_files import write_movie
from util.errors import UserError
from util.parallel import parallel_map

ROOT = Path(__file__).parents[2]


def square(number):
    time.sleep(0.002 * (number % 3))
    return number**2


def fail_at_5(number):
    if number == 5:
        raise UserError('5: an error in a worker')
    return number


@pytest.mark.parametrize('num_workers', [1, 2, 40])
def test_results_come_in_the_order_of_the_jobs(num_workers):
    expected = [number**2 for number in range(100)]
    assert list(parallel_map(square, range(100), 'numbers', num_workers)) == expected


def test_no_jobs_give_no_results():
    assert list(parallel_map(square, [], 'numbers', 2)) == []


def test_an_error_is_raised_in_place_of_its_result():
    results = parallel_map(fail_at_5, range(1000), 'numbers', 2)
    assert [next(results) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(UserError, match='5: an error in a worker'):
        next(results)


SLOW = """
import os, time
from util.errors import entry_point
from util.parallel import parallel_map

def slow(number):
    open(f'{os.getpid()}.pid', 'w').close()
    time.sleep(0.05)

@entry_point
def main(argv=None):
    for _ in parallel_map(slow, range(10000), 'numbers', 3):
        pass

if __name__ == '__main__':
    main()
"""


def start_slow(folder):
    """Start a process with three workers, wait until all work, and return it and their ids."""
    (folder / 'slow.py').write_text(SLOW)
    process = subprocess.Popen(
        [sys.executable, 'slow.py'], cwd=folder, env={**os.environ, 'PYTHONPATH': str(ROOT)},
        stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=hear_ctrl_c,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while len(list(folder.glob('*.pid'))) < 3:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    return process, [int(path.stem) for path in folder.glob('*.pid')]


def wait_for_end(processes):
    deadline = time.monotonic() + 20
    while any(is_running(process) for process in processes):
        assert time.monotonic() < deadline, processes
        time.sleep(0.02)


def is_running(process):
    """Whether a process exists and is not a zombie."""
    try:
        return Path(f'/proc/{process}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
    except FileNotFoundError:
        return False


@pytest.mark.skipif(sys.platform != 'linux', reason='reads /proc')
def test_workers_end_with_a_parent_that_is_killed(tmp_path):
    process, workers = start_slow(tmp_path)
    assert all(map(is_running, workers))
    process.kill()
    process.communicate()
    wait_for_end(workers)


@pytest.mark.skipif(sys.platform != 'linux', reason='reads /proc')
@pytest.mark.parametrize('receiver', ['parent', 'all'])
def test_ctrl_c_ends_all_processes_with_one_line(tmp_path, receiver):
    """A terminal sends it to all processes, `kill` to one."""
    process, workers = start_slow(tmp_path)
    kill = os.killpg if receiver == 'all' else os.kill
    kill(process.pid, signal.SIGINT)
    errors = process.communicate(timeout=30)[1]
    assert process.returncode == 130
    assert errors.splitlines()[-1] == 'error: interrupted'
    assert 'Traceback' not in errors and 'state=' not in errors and 'Error' not in errors
    wait_for_end(workers)


@pytest.mark.skipif(sys.platform != 'linux', reason='reads /proc')
def test_a_killed_worker_is_reported_in_one_line(tmp_path):
    """The system kills a worker when memory runs out."""
    process, workers = start_slow(tmp_path)
    os.kill(workers[0], signal.SIGKILL)
    errors = process.communicate(timeout=30)[1]
    assert process.returncode == 2 and 'Traceback' not in errors
    assert 'a worker process has ended' in errors.splitlines()[-1]
    wait_for_end(workers)


GARBAGE = """
import gc
import sys
import av
from dataset.endless import EndlessSampler, endless_batches
from util.parallel import parallel_map

def collect(number):
    gc.collect()
    return number

class Numbers:
    def __len__(self):
        return 4

    def __getitem__(self, key):
        epoch, index = key
        return collect(index)

def decode():
    container = av.open('movie.mkv')
    stream = container.streams.video[0]
    for frame in container.decode(stream):
        frame.to_ndarray(format='rgb24')  # FFmpeg decodes in threads of its own
    cycle = [container, stream, frame]
    cycle.append(cycle)

if __name__ == '__main__':
    gc.disable()
    decode()
    if sys.argv[1] == 'processes':
        assert list(parallel_map(collect, range(4), 'numbers', 2)) == [0, 1, 2, 3]
    else:
        batches = endless_batches(
            Numbers(), EndlessSampler(4, 4), 1, num_workers=2, pin_memory=False
        )
        assert sorted(next(batches).tolist()) == [0, 1, 2, 3]
"""


@pytest.mark.parametrize('use', ['processes', 'training'])
def test_workers_do_not_free_inherited_objects_that_wait_for_threads(tmp_path, use):
    """A decoder waits for its threads, which a forked worker does not have: it would hang."""
    write_movie(tmp_path / 'movie.mkv', stand_in.clip(3, 480, 640)[0], 'ffv1.mkv')
    (tmp_path / 'garbage.py').write_text(GARBAGE)
    environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
    words = [sys.executable, 'garbage.py', use]
    subprocess.run(
        words, cwd=tmp_path, env=environment, capture_output=True, check=True, timeout=60
    )
