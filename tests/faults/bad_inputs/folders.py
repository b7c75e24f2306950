"""Folders in which nothing, too much or something else is."""

import os
import shutil

import numpy as np

from tests.faults.bad_inputs.case import Bad, each, save, write
from tests.faults.bad_inputs.masks import BOX, MANY
from tests.faults.bad_inputs.masks import RUN as ONE
from tests.faults.bad_inputs.options import RUN, TRAIN
from tests.faults.bad_inputs.pictures import FIND, STATIC
from tests.helpers.stand_in import clip
from tests.helpers.video_files import write_movie

SCORE = 'scripts/score.py truth predictions'


def make(name):
    return lambda folder: (folder / name).mkdir(parents=True)


def link(name, target):
    def spoil(folder):
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(target)

    return spoil


def pipe(name):
    def spoil(folder):
        (folder / name).unlink(missing_ok=True)
        os.mkfifo(folder / name)

    return spoil


def only_a_video(folder):
    (folder / 'films').mkdir()
    write_movie(folder / 'films' / 'a.mkv', clip(3, 32, 48)[0], 'ffv1.mkv')


CASES = [
    Bad('an empty folder of frames', RUN.replace('frames', 'none'), ('none: no images', '.jpg'),
        make('none')),
    Bad('an empty folder of masks', MANY.replace('masks', 'none'), ('none: no images', '.png'),
        make('none')),
    Bad('a folder of videos for one of frames', RUN.replace('frames', 'films'),
        ('films: no images', '.jpg'), only_a_video),
    Bad('a folder of mixed sizes', RUN, ('frames/00009.png', '24x16', '48x32', 'one size'),
        save('frames/00009.png', BOX[::2, ::2])),
    Bad('two kinds of the same frame', RUN, ('00003.jpg', '00003.png', 'remove one'),
        save('frames/00003.jpg', np.zeros((32, 48, 3), np.uint8))),
    Bad('a folder with the suffix of a picture', RUN, ('frames/00009.png', 'not a regular file'),
        make('frames/00009.png')),
    Bad('a pipe with the suffix of a picture', RUN, ('frames/00003.png', 'not a regular file'),
        pipe('frames/00003.png')),
    Bad('a picture to match that is a pipe', FIND, ('frames/00001.png', 'not a regular file'),
        pipe('frames/00001.png')),
    Bad('training on a pipe', STATIC, ('.jpg', 'not a regular file'),
        each(*(pipe(f'static/{n}.jpg') for n in ('1', '22', '333')))),
    Bad('a mask that is a pipe', ONE, 'mask.png', pipe('mask.png')),
    Bad('a frame that is a link to nowhere', RUN, ('frames/00003.png', 'no such file'),
        link('frames/00003.png', 'gone.png')),
    Bad('a frame that is a link to itself', RUN, ('frames/00003.png', 'symbolic links'),
        link('frames/00003.png', '00003.png')),
    Bad('an input that is a link to itself', RUN.replace('frames', 'loop'), 'loop: no such file',
        link('loop', 'loop')),
    Bad('a mask that is a link to itself', ONE, 'mask.png: no such mask',
        link('mask.png', 'mask.png')),
    Bad('an output that is a link to itself', RUN.replace('--output out', '--output loop'),
        ('loop: cannot write', '--output'), link('loop', 'loop')),
    Bad('an output that is a file', RUN.replace('--output out', '--output mask.png'),
        ('mask.png: cannot write', '--output')),
    Bad('an output below a file', RUN.replace('--output out', '--output mask.png/out'),
        ('mask.png/out: cannot write', '--output')),
    Bad('an output that holds other things', RUN.replace('--output out', '--output .'),
        ('masks: was not written by this program', '--output')),
    Bad('an output that is the input', RUN.replace('--output out', '--output frames'),
        ('frames: lies in the output', '--output')),
    Bad('an output with a run.json of others', RUN, ('out/overlay.mp4: was not written by this program',),
        write('out/overlay.mp4', b'')),
    Bad('training: a folder that is in itself', STATIC, ('static/more/again', 'link', 'remove it'),
        each(make('static/more'), link('static/more/again', '..'))),
    Bad('training: two folders that are in each other', STATIC, ('static/', 'link', 'remove it'),
        each(make('static/a'), make('static/b'), link('static/a/b', '../b'),
             link('static/b/a', '../a'))),
    Bad('checking: a folder that is in itself', 'scripts/check_dataset.py static',
        ('static/again', 'link', 'remove it'), link('static/again', '.')),
    Bad('making smaller: a folder that is in itself', 'scripts/resize_static.py static',
        ('static/again', 'link', 'remove it'), link('static/again', '.')),
    Bad('counting: a folder that is in itself', 'download_datasets.py --root . --check',
        ('static/fss/again', 'link', 'remove it'),
        each(make('static/fss'), link('static/fss/again', '.'))),
    Bad('making smaller: an empty folder', 'scripts/resize_static.py none', 'none: no images',
        make('none')),
    Bad('making smaller: into a file', 'scripts/resize_static.py static file',
        ('file: exists', 'move it away'), write('file', b'')),
    Bad('making smaller: no tree', 'scripts/resize_youtube.py static', 'static/JPEGImages'),
    Bad('checking an empty folder', 'scripts/check_dataset.py none', 'none: no pairs',
        make('none')),
    Bad('checking what is not there', 'scripts/check_dataset.py gone', 'gone: no such folder'),
    Bad('checking pairs for videos', 'scripts/check_dataset.py static --video',
        'static: holds no JPEGImages/'),
    Bad('scores: an empty folder', SCORE.replace('truth', 'none'), 'none: holds no folder of masks',
        make('none')),
    Bad('scores: a frame short', SCORE, ('predictions/a/00002.png', '1 frames'),
        lambda folder: (folder / 'predictions/a/00002.png').unlink()),
    Bad('scores: a video short', SCORE, ('predictions: lacks a', '--videos'),
        lambda folder: shutil.rmtree(folder / 'predictions/a')),
    Bad('scores: of the truth itself', 'scripts/score.py truth ./truth', 'is the truth itself'),
    Bad('training: an empty folder', TRAIN.replace('videos', 'none'), 'none/JPEGImages: no such',
        make('none')),
]  # fmt: skip
