"""Masks from which no objects can be taken, or not those that were meant."""

import cv2
import numpy as np

from tests.faults.bad_inputs.case import Bad, all_of, cut, save, write
from tests.faults.bad_inputs.commands import (
    MATCH_MASK,
    PROPAGATE,
    PROPAGATE_MASKS,
    SCORE,
    TRAIN_STATIC,
)
from tests.faults.bad_inputs.pictures import UNREADABLE, animate
from tests.helpers.picture_files import png

BOX = np.zeros((32, 48), np.uint8)
BOX[8:24, 10:30] = 1
IDS = BOX.astype(np.uint16)
COLOURS = np.array([[0, 0, 0], [200, 30, 40]], np.uint8)[BOX]
DISC = cv2.circle(np.zeros((32, 48), np.uint8), (24, 16), 12, 255, -1)
SOFT = cv2.GaussianBlur(DISC, (0, 0), 2)


def colour_noise():
    return np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)


def remove_masks(folder):
    for path in (folder / 'masks').iterdir():
        path.unlink()


CASES = [
    Bad('a mask with soft borders', PROPAGATE, ('mask.png', 'soft borders', '(--clean_mask)'),
        save('mask.png', SOFT)),
    Bad('a mask saved as a JPEG', PROPAGATE.replace('.png', '.jpg'), ('mask.jpg', 'soft borders'),
        save('mask.jpg', DISC, quality=60)),
    Bad('a photograph as a mask', PROPAGATE, ('mask.png', 'soft borders'),
        save('mask.png', colour_noise())),
    Bad('ids above 255', PROPAGATE, ('mask.png', 'id 300', '1..255', 'renumber'),
        save('mask.png', 300 * IDS)),
    Bad('a mask of twice the size', PROPAGATE, ('mask.png', '96x64', '48x32', 'nearest'),
        save('mask.png', np.kron(BOX, np.ones((2, 2), np.uint8)))),
    Bad('a mask that lies on its side', PROPAGATE,
        ('mask.png', '32x48', '48x32', 'turned by 90 degrees; turn it'), save('mask.png', BOX.T)),
    Bad('a mask named like another frame', PROPAGATE.replace('mask.png', 'masks/00002.png'),
        ('masks/00002.png', 'frame 00002', '00000', 'rename', '(--start')),
    Bad('a picture and its annotation as masks', PROPAGATE_MASKS,
        ('masks: 00001.jpg is a photograph', '00001.json', 'export'),
        all_of(remove_masks, save('masks/00001.jpg', BOX), write('masks/00001.json', '{}'))),
    Bad('a folder of masks per object', PROPAGATE_MASKS, ('masks', 'folders (001', 'merge'),
        all_of(remove_masks, lambda folder: (folder / 'masks/001').mkdir())),
    Bad('annotations as a mask', PROPAGATE.replace('mask.png', 'coco.json'),
        ('coco.json', '.json files cannot be read as masks', 'PNG'), write('coco.json', '{}')),
    Bad('frames and masks in one folder', PROPAGATE.replace('mask.png', 'frames'),
        ('frames: holds frames and masks', 'move')),
    Bad('a mask without objects', PROPAGATE, ('mask.png', 'without objects', 'draw'),
        save('mask.png', 0 * BOX)),
    Bad('an empty file as a mask', PROPAGATE, ('mask.png', UNREADABLE), write('mask.png', b'')),
    Bad('a truncated mask', PROPAGATE, ('mask.png', UNREADABLE),
        all_of(save('mask.png', colour_noise()), cut('mask.png'))),
    Bad('a decompression bomb as a mask', PROPAGATE, ('mask.png', '60000x60000', '134 million'),
        write('mask.png', png(60000, 60000))),
    Bad('an animated mask', PROPAGATE, ('mask.png', '2 images'), animate('mask.png', 'GIF')),
    Bad('a mask in CMYK', PROPAGATE.replace('.png', '.tif'), ('mask.tif', 'CMYK', 'save it as'),
        save('mask.tif', COLOURS, 'CMYK')),
    Bad('a mask of floating-point numbers', PROPAGATE.replace('.png', '.tif'),
        ('mask.tif', 'cannot hold fractions', 'save it'), save('mask.tif', BOX / np.float32(2))),
    Bad('a video as a mask', PROPAGATE.replace('mask.png', 'movie.mkv'), ('movie.mkv', UNREADABLE)),
    Bad('a missing mask', PROPAGATE.replace('mask.png', 'gone.png'), ('gone.png', '(--mask)')),
    Bad('two masks for one frame', PROPAGATE_MASKS,
        ('masks: 00002.png and 2.png', 'the same frame', 'remove'), save('masks/2.png', BOX)),
    Bad('a mask whose frame is missing', PROPAGATE_MASKS, ('masks/00004.png', '00000 to 00003'),
        save('masks/00004.png', BOX)),
    Bad('masks of colours and of ids', PROPAGATE_MASKS,
        ('00002.png holds colours', 'ids', 'convert'), save('masks/00002.png', COLOURS)),
    Bad('a truncated mask among others', PROPAGATE_MASKS, ('masks/00002.png', UNREADABLE),
        all_of(save('masks/00002.png', colour_noise()), cut('masks/00002.png'))),
    Bad('masks without any object', PROPAGATE_MASKS, ('masks/00000.png', 'without objects'),
        all_of(*(save(f'masks/0000{i}.png', 0 * BOX) for i in range(4)))),
    Bad('matching a mask of another size', MATCH_MASK, ('mask.png', '20x10', '48x32'),
        save('mask.png', np.ones((10, 20), np.uint8))),
    Bad('matching a mask without objects', MATCH_MASK, ('mask.png', 'background', 'paint'),
        save('mask.png', 0 * BOX)),
    Bad('scoring a prediction in colours', SCORE, ('predictions/a/00001.png', 'not a mask'),
        save('predictions/a/00001.png', COLOURS)),
    Bad('scoring a prediction of another size', SCORE, ('predictions/a/00001.png', '96x64'),
        save('predictions/a/00001.png', np.kron(BOX, np.ones((2, 2), np.uint8)))),
    Bad('scoring with truncated ground truth', SCORE, ('ground_truth/a/00001.png', UNREADABLE),
        all_of(save('ground_truth/a/00001.png', colour_noise()),
               cut('ground_truth/a/00001.png'))),
    Bad('scoring ids that the ground truth lacks', SCORE, ('predictions/a', '[7]', '[1, 2]'),
        save('predictions/a/00001.png', 7 * BOX)),
    Bad('training on masks of another size', TRAIN_STATIC, ('.png', 'the mask is 10x10', '56x40'),
        all_of(*(save(f'static/{n}.png', np.ones((10, 10), np.uint8))
                 for n in ('1', '22', '333')))),
]  # fmt: skip
