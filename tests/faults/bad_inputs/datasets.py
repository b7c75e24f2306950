"""Benchmarks and training sets with something missing, or with something that must not be."""

import numpy as np

from tests.faults.bad_inputs.case import Bad, cut, each, save, write
from tests.faults.bad_inputs.options import TRAIN

DAVIS = 'eval_davis.py --davis DAVIS/2017 --output out'
DAVIS_2016 = 'eval_davis_2016.py --davis DAVIS/2016 --output out'
YOUTUBE = 'eval_youtube.py --yv YouTube --output out'
STATIC = 'train.py --stage 0 --static_root static --pretrained none -b 1 --num_workers 0 -i 9'
STATIC += ' --crop 32 --device cpu'
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
    """The videos, where --davis_root tree looks for them."""
    (folder / 'tree/2017').mkdir(parents=True)
    (folder / 'videos').rename(folder / 'tree/2017/trainval')
    (folder / TRAIN_LIST).parent.mkdir(parents=True)


TRAIN_DAVIS = TRAIN.replace('--vos_root videos', '--davis_root tree')

CASES = [
    Bad('DAVIS: no tree', DAVIS.replace('2017', '2000'), ('2000/trainval: no such', '--davis')),
    Bad('DAVIS: a split that is not there', f'{DAVIS} --split testdev',
        ('2017/test-dev: no such folder', '--davis')),
    Bad('DAVIS: no list', DAVIS, ('val.txt: no such file',), remove(LIST)),
    Bad('DAVIS: an empty list', DAVIS, ('val.txt: lists no videos',), write(LIST, '\n\n')),
    Bad('DAVIS: a list that is no text', DAVIS, ('val.txt', 'no text'),
        write(LIST, b'\xff\xfe\0a')),
    Bad('DAVIS: a video twice', DAVIS, 'val.txt: lists a video twice', write(LIST, 'a\nb\na\n')),
    Bad('DAVIS: a video that is not there', DAVIS, '480p/z: no such folder', write(LIST, 'a\nz\n')),
    Bad('DAVIS: a name that leads elsewhere', DAVIS, ("'../../a'", 'val.txt', 'no name of a video'),
        write(LIST, '../../a\n')),
    Bad('DAVIS: a name that is a path from the top', DAVIS, ("'/tmp'", 'no name of a video'),
        write(LIST, '/tmp\n')),
    Bad('DAVIS: the folder itself for a name', DAVIS, ("'.'", 'no name'), write(LIST, '.\n')),
    Bad('DAVIS: a frame short', DAVIS, ('480p/a: frame 00001 is missing',),
        remove(f'{IMAGES}/a/00001.jpg')),
    Bad('DAVIS: a mask short', DAVIS, ('480p/a: 00001 is missing',),
        remove(f'{MASKS}/a/00001.png')),
    Bad('DAVIS: the last frame short', DAVIS, ('480p/a: 00002 is missing',),
        remove(f'{IMAGES}/a/00002.jpg')),
    Bad('DAVIS: no first mask', DAVIS, ('480p/b: has no mask for the first frame 00000',),
        remove(f'{MASKS}/b/00000.png')),
    Bad('DAVIS: a number that is none', DAVIS, '480p/a: frame 00001 is missing',
        move(f'{IMAGES}/a/00001.jpg', f'{IMAGES}/a/²²².jpg')),
    Bad('DAVIS: a frame that is cut off', DAVIS, ('1 of 2 videos failed', 'a/00001.jpg'),
        cut(f'{IMAGES}/a/00001.jpg'), leaves=('out',)),
    Bad('DAVIS: masks in colours', DAVIS, ('1 of 2 videos failed', 'a/00000.png: not a mask'),
        save(f'{MASKS}/a/00000.png', np.zeros((48, 64, 3), np.uint8)), leaves=('out',)),
    Bad('DAVIS: a first mask of another size', DAVIS, ('1 of 2 videos', 'a/00000.png: the mask is'),
        save(f'{MASKS}/a/00000.png', np.ones((20, 20), np.uint8)), leaves=('out',)),
    Bad('DAVIS: a first mask without objects', DAVIS, ('1 of 2 videos', 'a/00000.png', 'object'),
        save(f'{MASKS}/a/00000.png', np.zeros((48, 64), np.uint8)), leaves=('out',)),
    Bad('DAVIS: masks for an output', DAVIS.replace('--output out', f'--output {MASKS}'),
        'was not written by this program'),
    Bad('DAVIS 2016: no list', DAVIS_2016, 'val.txt: no such file', remove(LIST_2016)),
    Bad('DAVIS 2016: a line that leads elsewhere', DAVIS_2016, ("'..'", 'no name of a video'),
        write(LIST_2016, '/JPEGImages/480p/../00000.jpg /Annotations/480p/../00000.png\n')),
    Bad('DAVIS 2016: a frame short', DAVIS_2016, '480p/b: frame 00001 is missing',
        remove('DAVIS/2016/JPEGImages/480p/b/00001.jpg')),
    Bad('YouTube: no split', f'{YOUTUBE} --split none', 'none_all_frames/JPEGImages: no such'),
    Bad('YouTube: no frames of a video', YOUTUBE, 'JPEGImages/x: no such folder',
        move(f'{FRAMES}/x', f'{FRAMES}/z')),
    Bad('YouTube: an annotated frame short', YOUTUBE, 'x/00006.png: a mask for a frame',
        remove(f'{FRAMES}/x/00006.jpg')),
    Bad('YouTube: no masks of a video', YOUTUBE, 'Annotations/x: holds no masks',
        each(*(remove(f'YouTube/valid/Annotations/x/0000{i}.png') for i in (1, 6)))),
    Bad('YouTube: a required frame short', YOUTUBE, 'JPEGImages/x: frame 00099 is missing',
        write(META, '{"videos": {"x": {"objects": {"1": {"frames": ["00099"]}}}}}')),
    Bad('YouTube: a meta.json that is cut off', YOUTUBE, ('meta.json', 'damaged'),
        write(META, '{"videos": {"x"')),
    Bad('YouTube: a meta.json of something else', YOUTUBE, ('meta.json', 'damaged'),
        write(META, '[1, 2]')),
    Bad('scores: a list of other videos', 'scripts/score.py truth predictions --list list.txt',
        'truth: lacks b', write('list.txt', 'a\nb\n')),
    Bad('scores: a list that is not there', 'scripts/score.py truth predictions --list gone.txt',
        'gone.txt: no such file'),
    Bad('scores: a list that leads elsewhere', 'scripts/score.py truth predictions --list list.txt',
        ("'../a'", 'no name of a video'), write('list.txt', '../a\n')),
    Bad('stage 0: no folder', STATIC.replace('static ', 'gone '),
        ('gone: no such', '--static_root')),
    Bad('stage 0: a mask short', STATIC, ('22.jpg', 'mask .png', 'missing'),
        remove('static/22.png')),
    Bad('stage 0: a picture short', STATIC, ('22.png', 'image .jpg', 'missing'),
        remove('static/22.jpg')),
    Bad('stage 2: no tree', TRAIN.replace('videos', 'gone'), ('gone: no such', '--vos_root')),
    Bad('stage 2: no masks', TRAIN, 'videos/Annotations: no such folder',
        move('videos/Annotations', 'videos/masks')),
    Bad('stage 2: a frame short', TRAIN, 'a/00001.png: has no frame',
        remove('videos/JPEGImages/a/00001.jpg')),
    Bad('stage 2: masks short', TRAIN, 'no video of 3 frames or more with masks',
        each(*(remove(f'videos/Annotations/{v}/00001.png') for v in 'ab'))),
    Bad('stage 2: a frame in two files', TRAIN, ('00001', 'one frame, two files'),
        save('videos/JPEGImages/a/00001.png', np.zeros((40, 56, 3), np.uint8))),
    Bad('stage 2: a list with a video twice', TRAIN_DAVIS, 'train.txt: lists a video twice',
        each(as_davis, write(TRAIN_LIST, 'a\nb\na\n'))),
    Bad('stage 2: a list with a video that is not there', TRAIN_DAVIS, 'JPEGImages/z: cannot be',
        each(as_davis, write(TRAIN_LIST, 'a\nz\n'))),
    Bad('stage 2: nothing given, nothing there', 'train.py --stage 2 --pretrained none',
        ('nothing to train stage 2 on', '--vos_root')),
    Bad('stage 2: no cut-outs', f'{TRAIN} --paste static/none', 'static/none: no such folder'),
    Bad('validation: no tree', f'{TRAIN} --validate gone', 'gone/trainval: no such folder'),
]  # fmt: skip
