"""Worker processes that die: the run ends too, says so, and keeps finished work."""

import os
import signal
from functools import partial
from pathlib import Path
from unittest import mock

import pytest

import train
from scripts import resize_youtube, resizing
from tests.helpers.child_process import Child, small_networks
from tests.helpers.fault_programs import (
    assert_files_are_whole,
    assert_same_results,
    results_in,
    run_to_the_end,
)
from tests.helpers.folders import files_in
from tests.helpers.loopback import refused

RESIZE_FILE = resizing.resize_file


def children_of(pid):
    return [int(word) for word in Path(f'/proc/{pid}/task/{pid}/children').read_text().split()]


@pytest.mark.parametrize('iteration', [2, 4, 6])
def test_a_training_whose_worker_is_killed_keeps_what_it_has_learnt(
    programs, undisturbed, tmp_path, iteration
):
    """The main process notices at any moment, even in the middle of a step or of saving."""
    program, saves = programs['train'], tmp_path / 'x' / 'saves' / 'x'
    child = Child(program.module, program.command(tmp_path / 'x'))
    child.wait_until((saves / f'x_{iteration}.pth').exists)
    os.kill(child.process.pid, signal.SIGSTOP)
    (worker,) = children_of(child.process.pid)
    os.kill(worker, signal.SIGKILL)
    os.kill(child.process.pid, signal.SIGCONT)
    code, _, errors = child.finish()
    (line,) = [line for line in errors.splitlines() if line.startswith('error:')]
    assert code == 2 and 'Traceback' not in errors
    assert line.startswith('error: a process that makes samples has ended')
    assert f'lower --num_workers; resume with --load_model {saves}' in line
    assert_files_are_whole(tmp_path)
    run_to_the_end(program.module, program.resumed(tmp_path / 'x'))
    found, expected = results_in(tmp_path / 'x'), undisturbed('train')[0]
    # there may also be the network of the iteration at which the first run ended
    assert_same_results({name: found[name] for name in expected}, expected)


def die_at(victim, source, target, short_side, file):
    if file == victim:
        os.kill(os.getpid(), signal.SIGKILL)
    RESIZE_FILE(source, target, short_side, file)


def test_a_killed_worker_of_a_resizing_is_reported_and_the_next_run_continues(
    programs, tmp_path, capsys
):
    words = [str(word) for word in programs['resize'].command(tmp_path)]
    victim = partial(die_at, Path('JPEGImages', 'c', '00001.jpg'))
    with mock.patch.object(resizing, 'resize_file', victim):
        line = refused(capsys, resize_youtube.main, *words)
    assert line.startswith('error: a worker process has ended')
    assert 'lower --num_workers. Run it again: finished work is kept' in line
    assert not (tmp_path / 'small').exists()
    resize_youtube.main(words)
    resize_youtube.main([words[0], str(tmp_path / 'whole'), *words[2:]])
    assert files_in(tmp_path / 'small') == files_in(tmp_path / 'whole')


def test_an_error_in_a_worker_is_one_line_without_its_traceback(programs, tmp_path, capsys):
    def unreadable(*_):
        raise OSError(116, 'Stale file handle', '/data/x.jpg')

    words = [str(word) for word in programs['train'].command(tmp_path)]
    with small_networks(), mock.patch('dataset.vos_dataset.VOSDataset.sample', unreadable):
        line = refused(capsys, lambda _: train.main(words), None)
    assert line == 'error: Stale file handle: /data/x.jpg'
