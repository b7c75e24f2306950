"""Masks from which no objects can be taken, or not those that were meant."""

import cv2
import numpy as np

from tests.faults.bad_inputs.case import Bad, cut, each, save, write
from tests.faults.bad_inputs.pictures import FIND, STATIC, UNREADABLE, animate, png

RUN = 'propagate.py frames --mask mask.png --output out'
MANY = 'propagate.py frames --mask masks --output out'
MATCH = FIND.replace('--point 3,4', '--mask mask.png')
SCORE = 'scripts/score.py truth predictions'

BOX = np.zeros((32, 48), np.uint8)
BOX[8:24, 10:30] = 1
IDS = BOX.astype(np.uint16)
COLOURS = np.array([[0, 0, 0], [200, 30, 40]], np.uint8)[BOX]
DISC = cv2.circle(np.zeros((32, 48), np.uint8), (24, 16), 12, 255, -1)
SOFT = cv2.GaussianBlur(DISC, (0, 0), 2)


def colour_noise():
    return np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)


CASES = [
    Bad('a mask with soft edges', RUN, ('mask.png', 'soft borders', '--clean_mask'),
        save('mask.png', SOFT)),
    Bad('a mask that was a JPEG', RUN.replace('.png', '.jpg'), ('mask.jpg', 'soft borders'),
        save('mask.jpg', DISC, quality=60)),
    Bad('a photograph for a mask', RUN, ('mask.png', 'soft borders'),
        save('mask.png', colour_noise())),
    Bad('ids over 255', RUN, ('mask.png', 'id 300', '1..255', 'renumber'),
        save('mask.png', 300 * IDS)),
    Bad('a mask of another size', RUN, ('mask.png', '96x64', '48x32', 'nearest'),
        save('mask.png', np.kron(BOX, np.ones((2, 2), np.uint8)))),
    Bad('a mask that lies on its side', RUN, ('mask.png', '32x48', '48x32'),
        save('mask.png', BOX.T)),
    Bad('an empty mask', RUN, ('mask.png', 'without objects', 'draw'), save('mask.png', 0 * BOX)),
    Bad('a mask of no bytes', RUN, ('mask.png', UNREADABLE), write('mask.png', b'')),
    Bad('a mask that is cut off', RUN, ('mask.png', UNREADABLE),
        each(save('mask.png', colour_noise()), cut('mask.png'))),
    Bad('a mask that is a bomb', RUN, ('mask.png', '60000x60000', '134 million'),
        write('mask.png', png(60000, 60000))),
    Bad('an animated mask', RUN, ('mask.png', '2 pictures'), animate('mask.png', 'GIF')),
    Bad('a mask in CMYK', RUN.replace('.png', '.tif'), ('mask.tif', 'CMYK', 'save it as'),
        save('mask.tif', COLOURS, 'CMYK')),
    Bad('a mask of fractions', RUN.replace('.png', '.tif'), ('mask.tif', 'cannot be F', 'save it'),
        save('mask.tif', BOX.astype(np.float32))),
    Bad('a video for a mask', RUN.replace('mask.png', 'movie.mkv'), ('movie.mkv', UNREADABLE)),
    Bad('a mask that is not there', RUN.replace('mask.png', 'gone.png'), ('gone.png', '--mask')),
    Bad('two masks for one frame', MANY, ('masks: 00002.png and 2.png', 'one frame', 'remove'),
        save('masks/2.png', BOX)),
    Bad('a mask for no frame', MANY, ('masks/00004.png', '00000 to 00003'),
        save('masks/00004.png', BOX)),
    Bad('colours beside ids', MANY, ('00002.png holds colours', 'ids', 'one kind'),
        save('masks/00002.png', COLOURS)),
    Bad('one mask of many that is cut off', MANY, ('masks/00002.png', UNREADABLE),
        each(save('masks/00002.png', colour_noise()), cut('masks/00002.png'))),
    Bad('masks without any object', MANY, ('masks/00000.png', 'without objects'),
        each(*(save(f'masks/0000{i}.png', 0 * BOX) for i in range(4)))),
    Bad('a mask to match of another size', MATCH, ('mask.png', '20x10', '48x32'),
        save('mask.png', np.ones((10, 20), np.uint8))),
    Bad('an empty mask to match', MATCH, ('mask.png', 'background', 'draw'),
        save('mask.png', 0 * BOX)),
    Bad('scores: a prediction in colours', SCORE, ('predictions/a/00001.png', 'not a mask'),
        save('predictions/a/00001.png', COLOURS)),
    Bad('scores: a prediction of another size', SCORE, ('predictions/a/00001.png', '96x64'),
        save('predictions/a/00001.png', np.kron(BOX, np.ones((2, 2), np.uint8)))),
    Bad('scores: a true mask that is cut off', SCORE, ('truth/a/00001.png', UNREADABLE),
        each(save('truth/a/00001.png', colour_noise()), cut('truth/a/00001.png'))),
    Bad('scores: ids that the truth does not know', SCORE, ('predictions/a', '[7]', '[1, 2]'),
        save('predictions/a/00001.png', 7 * BOX)),
    Bad('training: masks of another size', STATIC, ('.png', 'the mask is 10x10', '56x40'),
        each(*(save(f'static/{n}.png', np.ones((10, 10), np.uint8)) for n in ('1', '22', '333')))),
]  # fmt: skip
