"""What a case of the tables is, the files that its command runs beside, and ways to spoil them."""

import shlex
from collections.abc import Callable
from importlib import import_module
from typing import NamedTuple

import numpy as np
from PIL import Image

from tests.helpers import benchmark_trees, stand_in
from tests.helpers.training_trees import own_tree, write_pair
from tests.helpers.video_files import write_movie
from util.masks import save_mask


class Bad(NamedTuple):
    """A mistake that a program answers with one line and exit code 2.

    mistake: names the case.
    command: the program and its arguments, relative to a folder that the world of it has filled.
    expected: what the line contains; a string, or a tuple of several.
    spoil: called with that folder before the command.
    leaves: names in the folder that may be new afterwards; nothing else may change.
    """

    mistake: str
    command: str
    expected: str | tuple
    spoil: Callable | None = None
    leaves: tuple = ()


def call(command):
    """Run the `main` of a program in this process: 'scripts/score.py masks predictions'."""
    program, *argv = shlex.split(command)
    import_module(program.removesuffix('.py').replace('/', '.')).main(argv)


def clip_world(folder):
    """frames/ (4 of 48 x 32), masks/ for all of them, mask.png for the first, movie.mkv."""
    images, masks = stand_in.clip(4, 32, 48)
    for name in ('frames', 'masks'):
        (folder / name).mkdir()
    for number, (image, mask) in enumerate(zip(images, masks, strict=True)):
        Image.fromarray(image).save(folder / 'frames' / f'{number:05}.png')
        save_mask(folder / 'masks' / f'{number:05}.png', mask)
    save_mask(folder / 'mask.png', masks[0])
    write_movie(folder / 'movie.mkv', images, 'ffv1.mkv')


def benchmark_world(folder):
    """DAVIS/{2016,2017}, YouTube/; ground_truth/ and predictions/ with the masks of a video a."""
    benchmark_trees.davis_2017(folder / 'DAVIS' / '2017', lengths=(3, 3))
    benchmark_trees.davis_2016(folder / 'DAVIS', own=True)
    benchmark_trees.youtube(folder / 'YouTube')
    for name in ('ground_truth', 'predictions'):
        benchmark_trees.write_masks(folder / name / 'a', stand_in.clip(4, 32, 48)[1])
    (folder / 'list.txt').write_text('a\n')


def training_world(folder):
    """static/ with three pairs, videos/ with a and b of three frames each."""
    for stem in ('1', '22', '333'):
        write_pair(folder / 'static', stem)
    own_tree(folder / 'videos', lengths=(3, 3))


def text_world(folder):
    (folder / 'notes.txt').write_text('no archive, no image, no weights\n')


WORLDS = {
    'propagate.py': clip_world,
    'try_correspondence.py': clip_world,
    'eval_davis.py': benchmark_world,
    'eval_davis_2016.py': benchmark_world,
    'eval_youtube.py': benchmark_world,
    'scripts/score.py': benchmark_world,
    'train.py': training_world,
    'scripts/check_dataset.py': training_world,
    'scripts/resize_static.py': training_world,
    'scripts/resize_youtube.py': training_world,
}


def world_of(command):
    """The function that fills the folder in which a command runs."""
    return WORLDS.get(command.split()[0], text_world)


# Each of the following returns a function that spoils a folder.


def write(name, content):
    """Write a file with these bytes, or this text."""
    content = content.encode() if isinstance(content, str) else content

    def spoil(folder):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)

    return spoil


def cut(name, share=0.6):
    """Keep only the first part of a file."""

    def spoil(folder):
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: int(len(content) * share)])

    return spoil


def save(name, array, mode=None, **options):
    """Save an array as an image."""

    def spoil(folder):
        image = Image.fromarray(np.asarray(array))
        (image.convert(mode) if mode else image).save(folder / name, **options)

    return spoil


def all_of(*spoils):
    """Do several of these, one after the other."""

    def spoil(folder):
        for one in spoils:
            one(folder)

    return spoil
