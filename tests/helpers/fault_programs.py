"""The programs that the tests of faults kill and starve, and comparisons of what they leave."""

import json
from typing import NamedTuple

import av
import numpy as np
import torch
from PIL import Image

from tests.helpers import benchmark_trees
from tests.helpers.child_process import Child
from tests.helpers.clips import draw_masks, make_clip
from tests.helpers.folders import files_in
from tests.helpers.propagate_runs import arguments
from tests.helpers.training_trees import own_tree
from util.propagation.journal import read_record

SMALL = ['--pretrained', 'none', '--crop', 32, '-b', 1, '--num_workers', 1, '--device', 'cpu']


class Program(NamedTuple):
    """A program with its options.

    words: the command line without the options that say where results go.
    resume: options with which it continues an interrupted run.
    """

    module: str
    words: list
    resume: list

    def command(self, folder):
        """The whole command line. Everything that the program writes lies below `folder`."""
        if self.module == 'train':
            return [*self.words, '--saves', folder / 'saves', '--log_root', folder / 'log']
        if self.module == 'scripts.resize_youtube':
            return [*self.words[:1], folder / 'small', *self.words[1:]]
        return [*self.words, '--output', folder / 'out']

    def resumed(self, folder):
        """The command line that continues a run in `folder`, or starts one."""
        checkpoint = folder / 'saves' / 'x' / 'x_checkpoint.pth'
        if self.module == 'train':
            continuing = ['--load_model', checkpoint] if checkpoint.exists() else []
            return [*self.command(folder), *continuing]
        return [*self.command(folder), *self.resume]


def make_programs(root):
    """The programs by name, with their data below `root`."""
    clip = make_clip(root / 'clip', num_frames=12)
    draw_masks(clip / 'late', {2: [1], 7: [2]})
    words = [*arguments_but_output(clip, mask='late'), '--mem_every', 2, '--max_mem_frames', 3]
    references = ['--references', '--whole_masks', '--direction', 'both']
    davis = benchmark_trees.davis_2017(root / '2017', lengths=(5, 6, 4))
    videos = own_tree(root / 'DAVIS' / '2017' / 'trainval')
    schedule = ['-i', 12, '--save_every', 2, '--steps', 6, '--ema', 0.5, '--id', 'x', '--lr', 0.01]
    training = ['--stage', 2, '--davis_root', root / 'DAVIS', *SMALL, *schedule]
    model = words[words.index('--model') + 1]
    evaluation = ['--davis', davis, '--model', model, '--device', 'cpu']
    long_clip = arguments_but_output(make_long_clip(root / 'long'))
    resizing = [videos, '--short_side', 20, '--num_workers', 2]
    return {
        'propagate': Program('propagate', words, ['--resume']),
        'long clip': Program('propagate', long_clip, ['--resume']),
        'both ways': Program('propagate', [*words, '--direction', 'both'], ['--resume']),
        'references': Program('propagate', [*words, *references], ['--resume']),
        'eval': Program('eval_davis', evaluation, ['--resume']),
        'train': Program('train', training, []),
        'resize': Program('scripts.resize_youtube', resizing, []),
    }


def arguments_but_output(clip, **files):
    """The `arguments` of propagate.py without --output."""
    words = arguments(clip, '', **files)
    at = words.index('--output')
    return [*words[:at], *words[at + 2 :]]


def make_long_clip(folder):
    """Write blocks of changing colours, whose video takes more space than the contact sheet."""
    clip = make_clip(folder, num_frames=2)
    colours = np.random.default_rng(0).integers(0, 255, (250, 8, 12, 3), np.uint8)
    for number, picture in enumerate(colours.repeat(4, 1).repeat(4, 2), 2):
        Image.fromarray(picture).save(clip / 'images' / f'{number:05}.png')
    return clip


def run_to_the_end(module, words):
    """Run main(words) of a module in a child process, which must succeed."""
    code, _, errors = Child(module, words).finish()
    assert code == 0, errors


def results_in(folder):
    """The content of every file that does not record times, by name; see `content`."""
    names = (name for name in files_in(folder) if not name.startswith('log/'))
    return {name: content(folder / name) for name in names}


def assert_same_results(found, expected):
    """Compare two returns of `results_in`."""
    assert found.keys() == expected.keys()
    assert [name for name in expected if found[name] != expected[name]] == []


def content(path):
    """Bytes; Tensors for a checkpoint; only the names of the entries for run.json."""
    if path.name == 'run.json':
        return sorted(json.loads(path.read_text()))
    if path.suffix != '.pth':
        return path.read_bytes()
    return Tensors(torch.load(path, weights_only=True))


class Tensors:
    """The content of a checkpoint; two are equal if every number in them is."""

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


def assert_files_are_whole(folder):
    """Every file that has its final name can be read to the end."""
    for path in sorted(folder.rglob('*')):
        if path.is_file() and not path.name.startswith('.'):
            read_to_the_end(path)


def read_to_the_end(path):
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
