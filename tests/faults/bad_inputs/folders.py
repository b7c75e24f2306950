"""Folders that are empty, hold too much or something else, or cannot be written to."""

import os
import shutil

import numpy as np

from tests.faults.bad_inputs.case import Bad, all_of, save, write
from tests.faults.bad_inputs.commands import (
    CHECK_STATIC,
    MATCH_POINT,
    PROPAGATE,
    PROPAGATE_MASKS,
    RESIZE_STATIC,
    SCORE,
    TRAIN_STATIC,
    TRAIN_VIDEOS,
)
from tests.faults.bad_inputs.masks import BOX
from tests.helpers.stand_in import clip
from tests.helpers.video_files import write_movie


def make(name):
    return lambda folder: (folder / name).mkdir(parents=True)


def link(name, target):
    def spoil(folder):
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(target)

    return spoil


def pipe(name):
    """Put a named pipe in place of a file: reading from it would never end."""

    def spoil(folder):
        (folder / name).unlink(missing_ok=True)
        os.mkfifo(folder / name)

    return spoil


def folder_of_videos(folder):
    (folder / 'films').mkdir()
    write_movie(folder / 'films' / 'a.mkv', clip(3, 32, 48)[0], 'ffv1.mkv')


CASES = [
    Bad('an empty folder of frames', PROPAGATE.replace('frames', 'none'),
        ('none: no images', '.jpg'), make('none')),
    Bad('an empty folder of masks', PROPAGATE_MASKS.replace('masks', 'none'),
        ('none: no images', '.png'), make('none')),
    Bad('a folder of videos instead of frames', PROPAGATE.replace('frames', 'films'),
        ('films: no images', '.jpg'), folder_of_videos),
    Bad('frames of different sizes', PROPAGATE,
        ('frames/00009.png', '24x16', '48x32', 'one size'),
        save('frames/00009.png', BOX[::2, ::2])),
    Bad('two files for one frame', PROPAGATE, ('00003.jpg', '00003.png', 'remove one'),
        save('frames/00003.jpg', np.zeros((32, 48, 3), np.uint8))),
    Bad('a folder with the suffix of an image', PROPAGATE,
        ('frames/00009.png', 'not a regular file'), make('frames/00009.png')),
    Bad('a pipe with the suffix of an image', PROPAGATE,
        ('frames/00003.png', 'not a regular file'), pipe('frames/00003.png')),
    Bad('matching a pipe', MATCH_POINT, ('frames/00001.png', 'not a regular file'),
        pipe('frames/00001.png')),
    Bad('training on pipes', TRAIN_STATIC, ('.jpg', 'not a regular file'),
        all_of(*(pipe(f'static/{n}.jpg') for n in ('1', '22', '333')))),
    Bad('a pipe as a mask', PROPAGATE, 'mask.png', pipe('mask.png')),
    Bad('a frame that is a broken link', PROPAGATE, ('frames/00003.png', 'no such file'),
        link('frames/00003.png', 'gone.png')),
    Bad('a frame that is a link to itself', PROPAGATE, ('frames/00003.png', 'symbolic links'),
        link('frames/00003.png', '00003.png')),
    Bad('an input that is a link to itself', PROPAGATE.replace('frames', 'loop'),
        'loop: no such file', link('loop', 'loop')),
    Bad('a mask that is a link to itself', PROPAGATE, 'mask.png: no such mask',
        link('mask.png', 'mask.png')),
    Bad('an output that is a link to itself', PROPAGATE.replace('--output out', '--output loop'),
        ('loop: cannot write', '--output'), link('loop', 'loop')),
    Bad('an output that is a file', PROPAGATE.replace('--output out', '--output mask.png'),
        ('mask.png: cannot write', '--output')),
    Bad('an output below a file', PROPAGATE.replace('--output out', '--output mask.png/out'),
        ('mask.png/out: cannot write', '--output')),
    Bad('an output that holds other things', PROPAGATE.replace('--output out', '--output .'),
        ('masks: was not written by this program', '--output')),
    Bad('an output that is the input', PROPAGATE.replace('--output out', '--output frames'),
        ('frames: is inside the output', '--output')),
    Bad("an output with another program's overlay.mp4", PROPAGATE,
        'out/overlay.mp4: was not written by this program', write('out/overlay.mp4', b'')),
    Bad('training on a folder that contains itself', TRAIN_STATIC,
        ('static/more/again', 'link', 'remove'),
        all_of(make('static/more'), link('static/more/again', '..'))),
    Bad('training on two folders that contain each other', TRAIN_STATIC,
        ('static/', 'link', 'remove'),
        all_of(make('static/a'), make('static/b'), link('static/a/b', '../b'),
               link('static/b/a', '../a'))),
    Bad('checking a folder that contains itself', CHECK_STATIC, ('static/again', 'link', 'remove'),
        link('static/again', '.')),
    Bad('resizing a folder that contains itself', RESIZE_STATIC, ('static/again', 'link', 'remove'),
        link('static/again', '.')),
    Bad('counting a folder that contains itself', 'download_datasets.py --root . --check',
        ('static/fss/again', 'link', 'remove'),
        all_of(make('static/fss'), link('static/fss/again', '.'))),
    Bad('resizing an empty folder', 'scripts/resize_static.py none', 'none: no images',
        make('none')),
    Bad('resizing into a file', f'{RESIZE_STATIC} file', ('file: exists', 'move it away'),
        write('file', b'')),
    Bad('resizing pairs as videos', 'scripts/resize_youtube.py static', 'static/JPEGImages'),
    Bad('checking an empty folder', 'scripts/check_dataset.py none', 'none: no pairs',
        make('none')),
    Bad('checking a missing folder', 'scripts/check_dataset.py gone', 'gone: no such folder'),
    Bad('checking pairs as videos', f'{CHECK_STATIC} --video', 'static: holds no JPEGImages/'),
    Bad('scoring against an empty folder', SCORE.replace('ground_truth', 'none'),
        'none: holds no folder of masks', make('none')),
    Bad('scoring with a prediction missing', SCORE,
        ('predictions/a/00002.png: no such mask', 'missing frames: 1'),
        lambda folder: (folder / 'predictions/a/00002.png').unlink()),
    Bad('scoring with a video missing', SCORE, ('predictions: lacks a', '--videos'),
        lambda folder: shutil.rmtree(folder / 'predictions/a')),
    Bad('scoring the ground truth itself', 'scripts/score.py ground_truth ./ground_truth',
        'is the ground-truth folder'),
    Bad('training on an empty folder', TRAIN_VIDEOS.replace('videos', 'none'),
        'none/JPEGImages: no such', make('none')),
]  # fmt: skip
