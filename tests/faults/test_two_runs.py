"""Two runs into one folder at the same time: the second is refused, the first is undisturbed."""

import fcntl
import os
import signal
import time

import pytest

from scripts import demo
from tests.helpers.child_process import Child
from tests.helpers.fault_programs import assert_same_results, results_in
from tests.helpers.loopback import refused
from util import distributed
from util.errors import UserError
from util.files import NO_LOCKS, exclusive_lock, exclusive_lock_in

FOLDERS = {'propagate': 'out', 'eval': 'out', 'train': 'saves/x'}


def start_and_pause(module, words, lock):
    """Start a Child and, once it holds its lock, pause it until it gets SIGCONT."""
    child = Child(module, words)
    child.wait_until(lock.exists)
    os.kill(child.process.pid, signal.SIGSTOP)
    while not is_held(lock):  # created, but not locked yet
        os.kill(child.process.pid, signal.SIGCONT)
        time.sleep(0.0005)
        os.kill(child.process.pid, signal.SIGSTOP)
    return child


def is_held(lock):
    time.sleep(0.01)  # wait until the process has paused
    with open(lock, 'r+') as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@pytest.mark.parametrize('resumes', [False, True])
@pytest.mark.parametrize('name', FOLDERS)
def test_the_second_of_two_runs_is_refused(programs, undisturbed, tmp_path, name, resumes):
    program, folder = programs[name], tmp_path / FOLDERS[name]
    first = start_and_pause(program.module, program.command(tmp_path), folder / '.lock')
    words = program.resumed(tmp_path) if resumes else program.command(tmp_path)
    code, _, errors = Child(program.module, words).finish()
    (line,) = [line for line in errors.splitlines() if line.startswith('error:')]
    assert (code, line) == (2, f'error: {folder}: in use by another process; wait until it ends')
    os.kill(first.process.pid, signal.SIGCONT)
    code, _, errors = first.finish()
    assert code == 0, errors
    assert_same_results(results_in(tmp_path), undisturbed(name)[0])


def test_the_demo_locks_its_folder(tmp_path, capsys):
    words = ['--output', tmp_path / 'demo']
    holder = start_and_pause('scripts.demo', words, tmp_path / 'demo' / '.lock')
    line = refused(capsys, demo.main, '--output', tmp_path / 'demo')
    assert line == f'error: {tmp_path / "demo"}: in use by another process; wait until it ends'
    assert holder.kill(0)


def test_other_processes_of_the_same_run_may_enter(tmp_path, monkeypatch):
    with distributed.exclusive_folder(tmp_path / 'out'):
        assert (tmp_path / 'out' / '.lock').exists()
        monkeypatch.setenv('RANK', '1')
        with distributed.exclusive_folder(tmp_path / 'out'):
            pass
        assert (tmp_path / 'out' / '.lock').exists()
    assert not list((tmp_path / 'out').iterdir())


def test_without_locks_in_the_file_system_a_run_goes_unlocked(tmp_path, monkeypatch):
    def no_lock(*_):
        raise OSError(NO_LOCKS[0], os.strerror(NO_LOCKS[0]))

    monkeypatch.setattr('fcntl.lockf', no_lock)
    with exclusive_lock_in(tmp_path):
        pass
    assert not list(tmp_path.iterdir())


def test_the_lock_file_of_a_killed_run_does_not_block(tmp_path):
    (tmp_path / '.lock').touch()
    with exclusive_lock_in(tmp_path):
        pass
    assert not list(tmp_path.iterdir())


def test_a_lock_file_that_was_just_removed_does_not_let_two_in(tmp_path, monkeypatch):
    lock, lockf = tmp_path / '.lock', fcntl.lockf

    def removed_first(*args):
        lock.unlink()
        lockf(*args)

    monkeypatch.setattr('fcntl.lockf', removed_first)
    with pytest.raises(UserError, match='in use by another'), exclusive_lock(tmp_path, lock):
        pytest.fail('another process could lock a new file of this name')
