"""Masks of boxes, and every way of writing their ids that means the same."""

import numpy as np
from PIL import Image

from util.masks import save_mask
from util.masks.codes import DAVIS_PALETTE


def boxes(*ids):
    """A mask (40, 60) with a box of each id, six at most."""
    mask = np.zeros((40, 60), np.uint16)
    for number, id_ in enumerate(ids):
        row, column = divmod(number, 3)
        mask[3 + 18 * row : 18 + 18 * row, 4 + 18 * column : 18 + 18 * column] = id_
    return mask


def save_indexed(path, mask, colours, order):
    """Write the colours of a mask's numbers as an indexed PNG whose palette has another order."""
    used = [number for number in np.unique(mask)]
    entries = np.zeros(max(used) + 1, np.uint8)
    entries[used] = [order.index(colours[number]) for number in used]
    image = Image.fromarray(entries[mask])
    image.putpalette([level for colour in order for level in colour])
    image.save(path)


def shuffled(path, mask, random):
    """Indexed, in the colours of DAVIS's palette, whose entries lie in any order."""
    colours = [tuple(colour) for colour in DAVIS_PALETTE.tolist()]
    order = list(colours)
    random.shuffle(order)
    save_indexed(path, mask, colours, order)


def optimised(path, mask, random):
    """Indexed, in the colours of DAVIS's palette, of which only those that are used are left."""
    colours = [tuple(colour) for colour in DAVIS_PALETTE.tolist()]
    order = [colours[number] for number in np.unique(mask)]
    random.shuffle(order)
    save_indexed(path, mask, colours, order)


def as_array(dtype):
    return lambda path, mask, random: Image.fromarray(mask.astype(dtype)).save(path)


def as_colours(mode):
    def save(path, mask, random):
        Image.fromarray(DAVIS_PALETTE[mask]).convert(mode).save(path)

    return save


def with_palette(palette):
    return lambda path, mask, random: save_mask(path, mask, palette)


def gif(path, mask, random):
    image = Image.fromarray(mask.astype(np.uint8))
    image.putpalette(DAVIS_PALETTE.tobytes())
    image.save(path)


def webp(path, mask, random):
    Image.fromarray(DAVIS_PALETTE[mask]).save(path, lossless=True)


GREY_RAMP = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, 1)
KINDS = {  # how a mask is written, and the suffix of the file
    'grey': (as_array(np.uint8), 'png'),
    'grey BMP': (as_array(np.uint8), 'bmp'),
    '16 bits': (as_array(np.uint16), 'png'),
    '32 bits': (as_array(np.int32), 'tif'),
    'floating point': (as_array(np.float32), 'tif'),
    'davis': (with_palette(DAVIS_PALETTE), 'png'),
    'grey ramp': (with_palette(GREY_RAMP), 'png'),
    'shuffled': (shuffled, 'png'),
    'optimised': (optimised, 'png'),
    'GIF': (gif, 'gif'),
    'RGB': (as_colours('RGB'), 'png'),
    'RGBA': (as_colours('RGBA'), 'tif'),
    'WebP': (webp, 'webp'),
}


def write_mask(folder, mask, kind, random):
    """Write a mask in one of KINDS, and return its path. `random` orders palettes."""
    save, suffix = KINDS[kind]
    path = folder / f'mask.{suffix}'
    save(path, mask, random)
    return path
