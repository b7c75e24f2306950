"""Running out of memory: the message says which option to lower, and finished work is kept."""

from functools import partial
from importlib import import_module
from unittest import mock

import cv2
import numpy as np
import pytest
import torch

from dataset import sources
from inference_core import InferenceCore
from model.model import PropagationModel
from tests.helpers.child_process import small_networks
from tests.helpers.fault_programs import make_programs, results_in
from tests.helpers.folders import names_in
from tests.helpers.loopback import refused
from util.errors import is_out_of_memory, user_message

KINDS = {  # library: a function that runs out of memory in it
    'GPU': lambda: raise_error(torch.OutOfMemoryError('CUDA out of memory. Tried to')),
    'library of the GPU': lambda: raise_error(RuntimeError('cuDNN: CUDNN_STATUS_ALLOC_FAILED')),
    'PyTorch on the CPU': lambda: torch.empty(1 << 60, dtype=torch.uint8),
    'NumPy': lambda: np.empty(1 << 60, np.uint8),
    'OpenCV': lambda: cv2.resize(np.zeros((9, 9), np.uint8), (1 << 24, 1 << 24)),
    'Python': lambda: bytearray(1 << 60),
    'operating system': lambda: raise_error(OSError(12, 'Cannot allocate memory')),
}


def raise_error(error):
    raise error


@pytest.fixture
def run(tmp_path):
    """A function that runs a program in this process, and returns its results."""
    programs = make_programs(tmp_path)

    def run(name, folder, *more, resume=False):
        program = programs[name]
        words = program.resumed(folder) if resume else program.command(folder)
        import_module(program.module).main([str(word) for word in (*words, *more)])
        return results_in(folder)

    with small_networks():
        yield run


def fails_at(number, kind, function):
    """Replaces a function; the call with this number, from 0, runs out of memory."""
    calls = iter(range(10**6))

    def failing(*args, **options):
        return KINDS[kind]() if next(calls) == number else function(*args, **options)

    return failing


@pytest.mark.parametrize('kind', KINDS)
def test_each_library_is_recognised(kind):
    with pytest.raises(Exception) as caught:
        KINDS[kind]()
    assert is_out_of_memory(caught.value)
    assert user_message(caught.value).startswith('out of memory: ')


@pytest.mark.parametrize(
    'error', [RuntimeError('mat1 and mat2 shapes'), ValueError('out of memory'), KeyError('x')]
)
def test_a_bug_has_no_message(error):
    assert user_message(error) is None


@pytest.mark.parametrize('kind', ['GPU', 'PyTorch on the CPU', 'Python'])
def test_a_clip_can_be_resumed_when_memory_ran_out(run, tmp_path, capsys, monkeypatch, kind):
    expected = run('propagate', tmp_path / 'whole')
    with mock.patch.object(InferenceCore, 'step', fails_at(7, kind, InferenceCore.step)):
        line = refused(capsys, lambda _: run('propagate', tmp_path / 'x'))
    assert line.startswith('error: out of memory: the masks so far are kept')
    assert all(option in line for option in ('--size', '--max_mem_frames', '--amp', '--resume'))
    assert len(names_in(tmp_path / 'x' / 'out' / 'masks')) == 7
    assert run('propagate', tmp_path / 'x', resume=True) == expected
    assert 'continuing the unfinished run' in capsys.readouterr().out


def test_memory_that_runs_out_while_an_image_is_read_is_not_taken_for_damage(run, tmp_path, capsys):
    """It happens in a thread that reads ahead."""
    reading = fails_at(4, 'Python', sources.read_image)
    with mock.patch.object(sources, 'read_image', reading):
        line = refused(capsys, lambda _: run('propagate', tmp_path / 'x'))
    assert line.startswith('error: out of memory: the masks so far are kept')


def test_a_video_that_runs_out_of_memory_does_not_stop_the_others(run, tmp_path, capsys):
    expected = run('eval', tmp_path / 'whole')
    with mock.patch.object(InferenceCore, 'step', fails_at(3, 'GPU', InferenceCore.step)):
        line = refused(capsys, lambda _: run('eval', tmp_path / 'x'))
    assert line.startswith('error: 1 of 3 videos failed (the others are finished): b: out of mem')
    assert '--max_mem_frames' in line and '--amp' in line and '--resume' in line
    assert {'a', 'c'} == {path.name for path in (tmp_path / 'x' / 'out').iterdir() if path.is_dir()}
    assert run('eval', tmp_path / 'x', resume=True) == expected


@pytest.mark.parametrize('where', ['step', 'optimizer'])
def test_a_training_that_runs_out_of_memory_keeps_sound_weights(run, tmp_path, capsys, where):
    expected = run('train', tmp_path / 'whole', '--save_every', 4)
    if where == 'step':
        owner, change, kept = PropagationModel, partial(fails_at, 7, 'GPU'), 7
    else:  # weights may be partly updated, so the checkpoint of iteration 4 stays
        owner, change, kept = torch.optim.Adam, in_the_middle, 4
    failing = mock.patch.object(owner, 'step', change(owner.step))
    with failing:
        line = refused(capsys, lambda _: run('train', tmp_path / 'x', '--save_every', 4))
    checkpoint = tmp_path / 'x' / 'saves' / 'x' / 'x_checkpoint.pth'
    assert line == (
        'error: out of memory: lower --batch_size, --crop or --num_workers, or use --amp; '
        f'resume with --load_model {checkpoint}'
    )
    assert torch.load(checkpoint, weights_only=True)['iteration'] == kept
    found = run('train', tmp_path / 'x', '--save_every', 4, resume=True)
    assert {name: found[name] for name in expected} == expected


def in_the_middle(step):
    """Replaces Adam's `step`, which updates the weights once too often and then fails."""
    calls = iter(range(10**6))

    def failing(optimizer, *args):
        result = step(optimizer, *args)
        return KINDS['GPU']() if next(calls) == 7 else result

    return failing
