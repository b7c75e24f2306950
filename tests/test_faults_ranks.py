"""A process of a torchrun job is killed: the whole job ends soon, and says whose end it was."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import torch

from tests import trees
from tests.training_trees import own_tree

ROOT = Path(__file__).parent.parent
LAUNCHER = [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=2']


def launch(folder, *words):
    """A job of two processes; what it says goes to out.txt and err.txt."""
    with open(folder / 'out.txt', 'w') as out, open(folder / 'err.txt', 'w') as errors:
        return subprocess.Popen(
            [str(word) for word in (*LAUNCHER, *words)], stdout=out, stderr=errors, cwd=ROOT
        )


def wait_for(condition, job, folder):
    deadline = time.monotonic() + 120
    while not condition():
        errors = (folder / 'err.txt').read_text()
        assert job.poll() is None and time.monotonic() < deadline, errors
        time.sleep(0.05)


def kill_rank(job, number):
    """SIGKILL to the process of this rank."""
    children = Path(f'/proc/{job.pid}/task/{job.pid}/children').read_text().split()
    for pid in children:
        if f'\0RANK={number}\0' in Path(f'/proc/{pid}/environ').read_text():
            return os.kill(int(pid), signal.SIGKILL)
    raise AssertionError(f'no rank {number} among {children}')


def end_of(job, folder):
    """-> what the job wrote to stderr; it must end within a minute."""
    begin = time.monotonic()
    assert job.wait(60) == 1
    print(f'ended after {time.monotonic() - begin:.1f} s')
    return (folder / 'err.txt').read_text()


def assert_told(errors, program, number):
    """torchrun says which process was killed, the other has nothing to say that hides it."""
    assert f'{program} FAILED' in errors
    cause = errors[errors.index('Root Cause') :]
    assert re.search(rf'rank +: {number} ', cause) and 'SIGKILL' in cause
    assert not re.search(r'^(?!Traceback).*Error: ', errors.partition('torch/distributed')[0], re.M)


def test_a_killed_rank_ends_an_evaluation_and_the_next_goes_on(checkpoint, tmp_path):
    tree = trees.davis_2017(tmp_path / '2017', lengths=(40, 4))
    output = tmp_path / 'out'
    words = ['eval_davis.py', '--davis', tree, '--model', checkpoint, '--device', 'cpu']
    words += ['--output', output]
    job = launch(tmp_path, *words)
    wait_for(lambda: (output / 'b').exists(), job, tmp_path)  # rank 1 waits for rank 0
    kill_rank(job, 0)
    assert_told(end_of(job, tmp_path), 'eval_davis.py', 0)
    assert not (output / 'a').exists()
    kept = (output / 'b' / '00001.png').stat().st_mtime_ns
    subprocess.run([sys.executable, *map(str, words), '--resume'], cwd=ROOT, check=True)
    assert len(list((output / 'a').iterdir())) == 40
    assert (output / 'b' / '00001.png').stat().st_mtime_ns == kept
    assert not list(output.glob('.*'))


def test_a_killed_rank_ends_a_training_which_keeps_what_it_learnt(tmp_path):
    own_tree(tmp_path / 'DAVIS' / '2017' / 'trainval')
    saves = tmp_path / 'saves' / 'x'
    job = launch(
        tmp_path, 'train.py', '--stage', 2, '--davis_root', tmp_path / 'DAVIS', '--crop', 32,
        '--pretrained', 'none', '-b', 1, '--num_workers', 1, '--device', 'cpu', '-i', 500,
        '--debug', '--id', 'x', '--saves', tmp_path / 'saves', '--log_root', tmp_path / 'log',
    )  # fmt: skip
    wait_for(lambda: 'iteration 2:' in (tmp_path / 'out.txt').read_text(), job, tmp_path)
    kill_rank(job, 1)
    assert_told(end_of(job, tmp_path), 'train.py', 1)
    assert torch.load(saves / 'x_checkpoint.pth', weights_only=True)['iteration'] >= 2
