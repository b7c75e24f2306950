"""What propagate, eval_davis, train and resize_youtube are asked to do in the tests of faults."""

import functools
import json
import time
from typing import NamedTuple

import av
import numpy as np
import pytest
import torch
from PIL import Image

from tests.helpers import benchmark_trees
from tests.helpers.child_process import Child
from tests.helpers.propagate_runs import annotate, files_in, make_clip, words_for
from tests.helpers.training_trees import own_tree
from util.propagation.journal import read_record

SMALL = ['--pretrained', 'none', '--crop', 32, '-b', 1, '--num_workers', 1, '--device', 'cpu']


class Program(NamedTuple):
    """words: of the command line, but for where results go; resume: those that go on."""

    module: str
    words: list
    resume: list

    def command(self, folder):
        """Everything the program writes lies below `folder`."""
        if self.module == 'train':
            return [*self.words, '--saves', folder / 'saves', '--log_root', folder / 'log']
        if self.module == 'scripts.resize_youtube':
            return [*self.words[:1], folder / 'small', *self.words[1:]]
        return [*self.words, '--output', folder / 'out']

    def resumed(self, folder):
        checkpoint = folder / 'saves' / 'x' / 'x_checkpoint.pth'
        if self.module == 'train':
            going_on = ['--load_model', checkpoint] if checkpoint.exists() else []
            return [*self.command(folder), *going_on]
        return [*self.command(folder), *self.resume]


def programs(root):
    """-> dict name -> Program, with their data below `root`."""
    clip = make_clip(root / 'clip', num_frames=12)
    annotate(clip / 'late', {2: [1], 7: [2]})
    words = [*words_before(clip, mask='late'), '--mem_every', 2, '--max_mem_frames', 3]
    davis = benchmark_trees.davis_2017(root / '2017', lengths=(5, 6, 4))
    videos = own_tree(root / 'DAVIS' / '2017' / 'trainval')
    schedule = ['-i', 12, '--save_every', 2, '--steps', 6, '--ema', 0.5, '--id', 'x', '--lr', 0.01]
    training = ['--stage', 2, '--davis_root', root / 'DAVIS', *SMALL, *schedule]
    model = words[words.index('--model') + 1]
    evaluation = ['--davis', davis, '--model', model, '--device', 'cpu']
    return {
        'propagate': Program('propagate', words, ['--resume']),
        'long clip': Program('propagate', words_before(long_clip(root / 'long')), ['--resume']),
        'both ways': Program('propagate', [*words, '--direction', 'both'], ['--resume']),
        'eval': Program('eval_davis', evaluation, ['--resume']),
        'train': Program('train', training, []),
        'resize': Program(
            'scripts.resize_youtube', [videos, '--short_side', 20, '--num_workers', 2], []
        ),
    }


def words_before(clip, **files):
    """`words_for` a propagation without its output."""
    words = words_for(clip, '', **files)
    at = words.index('--output')
    return [*words[:at], *words[at + 2 :]]


def long_clip(folder):
    """Blocks of changing colours, of which a video takes more space than a few pictures."""
    clip = make_clip(folder, num_frames=2)
    colours = np.random.default_rng(0).integers(0, 255, (250, 8, 12, 3), np.uint8)
    for number, picture in enumerate(colours.repeat(4, 1).repeat(4, 2), 2):
        Image.fromarray(picture).save(clip / 'images' / f'{number:05}.png')
    return clip


@pytest.fixture(scope='module')
def every(tmp_path_factory):
    return programs(tmp_path_factory.mktemp('data'))


@pytest.fixture(scope='module')
def undisturbed(every, tmp_path_factory):
    """-> a function: name of a program -> the results of an undisturbed run, its seconds."""

    @functools.cache
    def run(name):
        folder = tmp_path_factory.mktemp('whole')
        for place in ('first', 'timed'):  # the very first run of all starts their server
            begin = time.perf_counter()
            end_well(every[name].module, every[name].command(folder / place))
        return results_in(folder / place), time.perf_counter() - begin

    return run


def end_well(module, words):
    code, _, errors = Child(module, words).finish()
    assert code == 0, errors


def assert_same(found, expected):
    """Both are what `results_in` gives."""
    assert found.keys() == expected.keys()
    assert [name for name in expected if found[name] != expected[name]] == []


def assert_whole(folder):
    """Every file that has its final name can be read to the end."""
    for path in sorted(folder.rglob('*')):
        if path.is_file() and not path.name.startswith('.'):
            read_whole(path)


def read_whole(path):
    if path.suffix in ('.png', '.jpg'):
        with Image.open(path) as image:
            image.load()
    elif path.suffix == '.json':
        json.loads(path.read_text())
    elif path.suffix == '.pt':
        read_record(path)
    elif path.suffix == '.pth':
        torch.load(path, weights_only=True)
    elif path.suffix == '.mp4':
        with av.open(str(path)) as container:
            assert len(list(container.decode(video=0))) >= 10
    else:
        assert path.suffix == '.csv' or path.name == 'Thumbs.db' or 'tfevents' in path.name, path


def results_in(folder):
    """Every file that does not hold times: name -> content; tensors are compared as such."""
    names = (name for name in files_in(folder) if not name.startswith('log/'))
    return {name: content(folder / name) for name in names}


def content(path):
    if path.name == 'run.json':
        return sorted(json.loads(path.read_text()))
    if path.suffix != '.pth':
        return path.read_bytes()
    return Tensors(torch.load(path, weights_only=True))


class Tensors:
    """What is in a checkpoint; equal if every number is."""

    def __init__(self, content):
        self.content = {key: value for key, value in content.items() if key != 'config'}

    def __eq__(self, other):
        return same(self.content, other.content)


def same(a, b):
    if torch.is_tensor(a):
        return torch.is_tensor(b) and torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b
