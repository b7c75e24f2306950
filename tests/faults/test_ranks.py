"""A torchrun job whose process is killed, or that is stopped: it ends soon and keeps its work."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tests.helpers import benchmark_trees
from tests.helpers.processes import hear_ctrl_c, wait_until
from tests.helpers.training_trees import own_tree

ROOT = Path(__file__).parents[2]
LAUNCHER = [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=2']


def launch(folder, *words):
    """Start a job of two processes; its output goes to out.txt and err.txt in `folder`."""
    with open(folder / 'out.txt', 'w') as out, open(folder / 'err.txt', 'w') as errors:
        return subprocess.Popen(
            [str(word) for word in (*LAUNCHER, *words)],
            stdout=out,
            stderr=errors,
            cwd=ROOT,
            preexec_fn=hear_ctrl_c,
        )


def ranks_of(job):
    """The process ids of a job by their rank."""
    children = Path(f'/proc/{job.pid}/task/{job.pid}/children').read_text().split()
    environments = {int(pid): Path(f'/proc/{pid}/environ').read_text() for pid in children}
    found = {pid: re.search(r'\0RANK=(\d)\0', text) for pid, text in environments.items()}
    return {int(rank[1]): pid for pid, rank in found.items() if rank}


def end_of(job, folder):
    """Wait for a job, which must fail within a minute, and return what it wrote to stderr."""
    begin = time.monotonic()
    assert job.wait(60) == 1
    print(f'ended after {time.monotonic() - begin:.1f} s')
    return (folder / 'err.txt').read_text()


def assert_reported(errors, program, number):
    """torchrun names the killed process, and no message of the other one hides that."""
    assert f'{program} FAILED' in errors
    cause = errors[errors.index('Root Cause') :]
    assert re.search(rf'rank +: {number} ', cause) and 'SIGKILL' in cause
    assert not re.search(r'^(?!Traceback).*Error: ', errors.partition('torch/distributed')[0], re.M)


def test_a_killed_rank_ends_an_evaluation_which_can_be_resumed(checkpoint, tmp_path):
    tree = benchmark_trees.davis_2017(tmp_path / '2017', lengths=(40, 4))
    output = tmp_path / 'out'
    words = ['eval_davis.py', '--davis', tree, '--model', checkpoint, '--device', 'cpu']
    words += ['--output', output]
    job = launch(tmp_path, *words)
    # rank 1 has finished b, and waits for rank 0
    wait_until((output / 'b').exists, job, (tmp_path / 'err.txt').read_text)
    os.kill(ranks_of(job)[0], signal.SIGKILL)
    assert_reported(end_of(job, tmp_path), 'eval_davis.py', 0)
    assert not (output / 'a').exists()
    kept = (output / 'b' / '00001.png').stat().st_mtime_ns
    subprocess.run([sys.executable, *map(str, words), '--resume'], cwd=ROOT, check=True)
    assert len(list((output / 'a').iterdir())) == 40
    assert (output / 'b' / '00001.png').stat().st_mtime_ns == kept
    assert not list(output.glob('.*'))


def start_training(folder):
    """Start a training; returns it after its second iteration, and the path of its checkpoint."""
    own_tree(folder / 'DAVIS' / '2017' / 'trainval')
    job = launch(
        folder, 'train.py', '--stage', 2, '--davis_root', folder / 'DAVIS', '--crop', 32,
        '--pretrained', 'none', '-b', 1, '--num_workers', 1, '--device', 'cpu', '-i', 500,
        '--debug', '--ema', 0.5, '--id', 'x', '--saves', folder / 'saves',
        '--log_root', folder / 'log',
    )  # fmt: skip
    output, errors = folder / 'out.txt', folder / 'err.txt'
    wait_until(lambda: 'iteration 2:' in output.read_text(), job, errors.read_text)
    return job, folder / 'saves' / 'x' / 'x_checkpoint.pth'


def test_a_killed_rank_ends_a_training_which_keeps_what_it_has_learnt(tmp_path):
    job, checkpoint = start_training(tmp_path)
    os.kill(ranks_of(job)[1], signal.SIGKILL)
    assert_reported(end_of(job, tmp_path), 'train.py', 1)
    assert torch.load(checkpoint, weights_only=True)['iteration'] >= 2


@pytest.mark.parametrize(
    'receiver, number',
    [
        ('torchrun', signal.SIGINT),
        ('processes', signal.SIGTERM),
        (0, signal.SIGTERM),
        (1, signal.SIGTERM),
    ],
)
def test_a_stopped_training_of_two_processes_keeps_what_it_has_learnt(tmp_path, receiver, number):
    """Both ranks leave after the same iteration, even if only one of them gets the signal.

    `processes` signals the ranks and their data workers, as `pkill -f train.py` does.
    """
    job, checkpoint = start_training(tmp_path)
    if receiver == 'torchrun':
        job.send_signal(number)
    elif receiver in (0, 1):
        os.kill(ranks_of(job)[receiver], number)
    else:
        for group in ranks_of(job).values():
            os.killpg(group, number)
    errors = end_of(job, tmp_path)
    assert errors.count('error: ') == errors.count('error: interrupted') == 2
    done = re.findall(r'^iteration (\d+):', (tmp_path / 'out.txt').read_text(), re.M)
    assert torch.load(checkpoint, weights_only=True)['iteration'] == int(done[-1])
