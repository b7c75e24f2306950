"""Programs in child processes, forked from a server that has imported everything: a quick start.

They can be killed, or be given a full disk, without harm to the process of the tests. Their
networks are small and untrained.
"""

import multiprocessing
import os
import resource
import signal
import sys
import time
from contextlib import contextmanager
from importlib import import_module
from unittest import mock

import torch
from torch import nn

from tests.helpers.coarse_network import CoarseNetwork

MODULES = [  # imported by the server; none of them computes anything at import
    'dataset.benchmarks', 'dataset.sources', 'dataset.stages', 'eval_davis', 'inference_core',
    'propagate', 'scripts.resize_youtube', 'scripts.resizing', 'tests.helpers.child_process',
    'torch.utils.tensorboard', 'train', 'util.evaluation.run', 'util.propagation.run',
    'util.training.start',
]  # fmt: skip
SERVER = multiprocessing.get_context('forkserver')
SERVER.set_forkserver_preload(MODULES)


class SmallNetwork(nn.Module):
    """Replaces PropagationNetwork in train.py: logits from the images alone, in 1 ms."""

    device = torch.device('cpu')

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 3, 1))

    def set_batch_norm(self, train):
        pass  # there is none

    def forward(self, frames, masks, valid):
        rest = frames[:, 1:]  # B, T-1, 3, H, W
        return self.layers(rest.flatten(0, 1)).unflatten(0, rest.shape[:2])


def small_network(_):
    torch.manual_seed(0)
    return SmallNetwork()


class Child:
    """Runs main(words) of a module in a process of its own.

    largest_file: in bytes; writing more into one file fails, as it does on a full disk.
    """

    def __init__(self, module, words, largest_file=None):
        # Pipes, because the limit on files does not apply to them. They hold all of the output.
        self.out, out = SERVER.Pipe(duplex=False)
        self.errors, errors = SERVER.Pipe(duplex=False)
        words = [str(word) for word in words]
        self.process = SERVER.Process(target=run, args=(module, words, out, errors, largest_file))
        self.process.start()

    def wait_until(self, condition):
        """Look often, since the program runs for less than a second."""
        deadline = time.monotonic() + 60
        while not condition():
            assert self.process.is_alive() and time.monotonic() < deadline
            time.sleep(0.0005)

    def kill(self, seconds):
        """Kill it after so many seconds; returns whether it was still running."""
        self.process.join(seconds)
        self.process.kill()
        code, _, errors = self.finish()
        assert code in (-signal.SIGKILL, 0), errors
        return code != 0

    def finish(self, seconds=100):
        """Wait until it exits; returns exit code, standard output, standard error."""
        self.process.join(seconds)
        assert self.process.exitcode is not None, 'it hangs'
        return self.process.exitcode, text_in(self.out), text_in(self.errors)


def text_in(pipe):
    os.set_blocking(pipe.fileno(), False)
    try:
        return os.read(pipe.fileno(), 1 << 20).decode()
    except BlockingIOError:  # empty, and another process still holds the other end
        return ''


def run(module, words, out, errors, largest_file):
    for pipe, number in ((out, 1), (errors, 2)):
        os.dup2(pipe.fileno(), number)
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__ = [
        os.fdopen(number, 'w', buffering=1) for number in (1, 2)
    ]
    multiprocessing.set_start_method('fork', force=True)  # how workers start without this server
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup ignores it, and children inherit that
    torch.set_num_threads(2)
    torch.use_deterministic_algorithms(True)
    if largest_file is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, resource.RLIM_INFINITY))
    with small_networks():
        import_module(module).main(words)


@contextmanager
def small_networks():
    """Inside the block, programs have such networks, whatever --model says."""
    with (
        mock.patch('inference_core.load_network', lambda *_, **__: CoarseNetwork()),
        mock.patch('util.training.start.start_network', small_network),
    ):
        yield
