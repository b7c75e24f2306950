"""Benchmarks and training sets in which something is missing, or must not be there."""

import numpy as np

from tests.faults.bad_inputs.case import Bad, all_of, cut, save, write
from tests.faults.bad_inputs.commands import (
    DAVIS,
    DAVIS_2016,
    SCORE,
    TRAIN_DAVIS,
    TRAIN_STATIC,
    TRAIN_VIDEOS,
    YOUTUBE,
)

IMAGES, MASKS = 'DAVIS/2017/trainval/JPEGImages/480p', 'DAVIS/2017/trainval/Annotations/480p'
LIST, LIST_2016 = 'DAVIS/2017/trainval/ImageSets/2017/val.txt', 'DAVIS/2016/ImageSets/480p/val.txt'
META = 'YouTube/valid/meta.json'
FRAMES = 'YouTube/all_frames/valid_all_frames/JPEGImages'
TRAIN_LIST = 'tree/2017/trainval/ImageSets/2017/train.txt'


def remove(name):
    return lambda folder: (folder / name).unlink()


def move(name, to):
    return lambda folder: (folder / name).rename(folder / to)


def as_davis(folder):
    """Move the videos to where --davis_root tree finds them."""
    (folder / 'tree/2017').mkdir(parents=True)
    (folder / 'videos').rename(folder / 'tree/2017/trainval')
    (folder / TRAIN_LIST).parent.mkdir(parents=True)


CASES = [
    Bad('DAVIS: no tree', DAVIS.replace('2017', '2000'), ('2000/trainval: no such', '(--davis)')),
    Bad('DAVIS: a missing split', f'{DAVIS} --split testdev',
        ('2017/test-dev: no such folder', '(--davis)')),
    Bad('DAVIS: no list of videos', DAVIS, 'val.txt: no such file', remove(LIST)),
    Bad('DAVIS: an empty list', DAVIS, 'val.txt: lists no videos', write(LIST, '\n\n')),
    Bad('DAVIS: a list that is not a text file', DAVIS, ('val.txt', 'not a text file'),
        write(LIST, b'\xff\xfe\0a')),
    Bad('DAVIS: a video that is listed twice', DAVIS, 'val.txt: lists a video twice',
        write(LIST, 'a\nb\na\n')),
    Bad('DAVIS: a missing video', DAVIS, '480p/z: no such folder', write(LIST, 'a\nz\n')),
    Bad('DAVIS: a name that leads out of the tree', DAVIS,
        ("'../../a'", 'val.txt', 'not a valid video name'), write(LIST, '../../a\n')),
    Bad('DAVIS: an absolute path as a name', DAVIS, ("'/tmp'", 'not a valid video name'),
        write(LIST, '/tmp\n')),
    Bad('DAVIS: the folder itself as a name', DAVIS, ("'.'", 'not a valid video name'),
        write(LIST, '.\n')),
    Bad('DAVIS: a missing frame', DAVIS, '480p/a: frame 00001 is missing',
        remove(f'{IMAGES}/a/00001.jpg')),
    Bad('DAVIS: a missing mask', DAVIS, '480p/a: 00001 is missing',
        remove(f'{MASKS}/a/00001.png')),
    Bad('DAVIS: the last frame missing', DAVIS, '480p/a: 00002 is missing',
        remove(f'{IMAGES}/a/00002.jpg')),
    Bad('DAVIS: no first mask', DAVIS, '480p/b: has no mask for the first frame 00000',
        remove(f'{MASKS}/b/00000.png')),
    Bad('DAVIS: a superscript number as a name', DAVIS, '480p/a: frame 00001 is missing',
        move(f'{IMAGES}/a/00001.jpg', f'{IMAGES}/a/²²².jpg')),
    Bad('DAVIS: a truncated frame', DAVIS, ('1 of 2 videos failed', 'a/00001.jpg'),
        cut(f'{IMAGES}/a/00001.jpg'), leaves=('out',)),
    Bad('DAVIS: masks in colours', DAVIS, ('1 of 2 videos failed', 'a/00000.png: not a mask'),
        save(f'{MASKS}/a/00000.png', np.zeros((48, 64, 3), np.uint8)), leaves=('out',)),
    Bad('DAVIS: a first mask of another size', DAVIS, ('1 of 2 videos', 'a/00000.png: the mask is'),
        save(f'{MASKS}/a/00000.png', np.ones((20, 20), np.uint8)), leaves=('out',)),
    Bad('DAVIS: a first mask without objects', DAVIS, ('1 of 2 videos', 'a/00000.png', 'object'),
        save(f'{MASKS}/a/00000.png', np.zeros((48, 64), np.uint8)), leaves=('out',)),
    Bad('DAVIS: the folder of masks as the output',
        DAVIS.replace('--output out', f'--output {MASKS}'), 'was not written by this program'),
    Bad('DAVIS 2016: no list of videos', DAVIS_2016, 'val.txt: no such file', remove(LIST_2016)),
    Bad('DAVIS 2016: a line that leads out of the tree', DAVIS_2016,
        ("'..'", 'not a valid video name'),
        write(LIST_2016, '/JPEGImages/480p/../00000.jpg /Annotations/480p/../00000.png\n')),
    Bad('DAVIS 2016: a missing frame', DAVIS_2016, '480p/b: frame 00001 is missing',
        remove('DAVIS/2016/JPEGImages/480p/b/00001.jpg')),
    Bad('YouTube: a missing split', f'{YOUTUBE} --split none',
        'none_all_frames/JPEGImages: no such'),
    Bad('YouTube: a video without frames', YOUTUBE, 'JPEGImages/x: no such folder',
        move(f'{FRAMES}/x', f'{FRAMES}/z')),
    Bad('YouTube: an annotated frame missing', YOUTUBE, 'x/00006.png: a mask for a frame',
        remove(f'{FRAMES}/x/00006.jpg')),
    Bad('YouTube: a video without masks', YOUTUBE, 'Annotations/x: holds no masks',
        all_of(*(remove(f'YouTube/valid/Annotations/x/0000{i}.png') for i in (1, 6)))),
    Bad('YouTube: a required frame missing', YOUTUBE, 'JPEGImages/x: frame 00099 is missing',
        write(META, '{"videos": {"x": {"objects": {"1": {"frames": ["00099"]}}}}}')),
    Bad('YouTube: a truncated meta.json', YOUTUBE, ('meta.json', 'damaged'),
        write(META, '{"videos": {"x"')),
    Bad('YouTube: a meta.json of another kind', YOUTUBE, ('meta.json', 'damaged'),
        write(META, '[1, 2]')),
    Bad('scoring with a list of other videos', f'{SCORE} --list list.txt', 'ground_truth: lacks b',
        write('list.txt', 'a\nb\n')),
    Bad('scoring with a missing list', f'{SCORE} --list gone.txt', 'gone.txt: no such file'),
    Bad('scoring with a list that leads out of the folder', f'{SCORE} --list list.txt',
        ("'../a'", 'not a valid video name'), write('list.txt', '../a\n')),
    Bad('stage 0: no folder', TRAIN_STATIC.replace('static ', 'gone '),
        ('gone: no such', '--static_root')),
    Bad('stage 0: a missing mask', TRAIN_STATIC, ('22.jpg', 'mask .png', 'missing'),
        remove('static/22.png')),
    Bad('stage 0: a missing image', TRAIN_STATIC, ('22.png', 'image .jpg', 'missing'),
        remove('static/22.jpg')),
    Bad('stage 2: no tree', TRAIN_VIDEOS.replace('videos', 'gone'),
        ('gone: no such', '--vos_root')),
    Bad('stage 2: no masks', TRAIN_VIDEOS, 'videos/Annotations: no such folder',
        move('videos/Annotations', 'videos/masks')),
    Bad('stage 2: a missing frame', TRAIN_VIDEOS, 'a/00001.png: has no frame',
        remove('videos/JPEGImages/a/00001.jpg')),
    Bad('stage 2: too few masks', TRAIN_VIDEOS, 'no video has 3 or more frames with masks',
        all_of(*(remove(f'videos/Annotations/{v}/00001.png') for v in 'ab'))),
    Bad('stage 2: two files for one frame', TRAIN_VIDEOS, ('00001', 'two files for one frame'),
        save('videos/JPEGImages/a/00001.png', np.zeros((40, 56, 3), np.uint8))),
    Bad('stage 2: a video that is listed twice', TRAIN_DAVIS, 'train.txt: lists a video twice',
        all_of(as_davis, write(TRAIN_LIST, 'a\nb\na\n'))),
    Bad('stage 2: a listed video that is missing', TRAIN_DAVIS, 'JPEGImages/z: cannot be',
        all_of(as_davis, write(TRAIN_LIST, 'a\nz\n'))),
    Bad('stage 2: no set anywhere', 'train.py --stage 2 --pretrained none',
        ('nothing to train stage 2 on', '--vos_root')),
    Bad('stage 2: no cut-outs', f'{TRAIN_VIDEOS} --paste static/none',
        'static/none: no such folder'),
    Bad('validation: no tree', f'{TRAIN_VIDEOS} --validate gone',
        ('gone/trainval: no such folder', '(--validate)')),
]  # fmt: skip
