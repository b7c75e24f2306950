"""Images that cannot be read, or not as what they are given for."""

import struct

import numpy as np
from PIL import Image

from tests.faults.bad_inputs.case import Bad, all_of, cut, save, write
from tests.faults.bad_inputs.commands import (
    MATCH_POINT,
    PROPAGATE,
    RESIZE_STATIC,
    TRAIN_STATIC,
)
from tests.helpers.picture_files import png

UNREADABLE = 'cannot be read as an image'
FIRST, LAST = 'frames/00000.png', 'frames/00003.png'


def claim_jpeg_size(width, height):
    """Write another size into the headers of all JPEGs."""

    def spoil(folder):
        for path in folder.rglob('*.jpg'):
            content = bytearray(path.read_bytes())
            at = content.index(b'\xff\xc0') + 5
            struct.pack_into('>HH', content, at, height, width)
            path.write_bytes(content)

    return spoil


def animate(name, kind):
    """Save two frames as one animation."""

    def spoil(folder):
        with Image.open(folder / FIRST) as first, Image.open(folder / LAST) as last:
            first.save(folder / name, kind, save_all=True, append_images=[last])

    return spoil


CASES = [
    Bad('an empty file as a frame', PROPAGATE, ('00003.png', UNREADABLE, 'get it again'),
        write(LAST, b'')),
    Bad('a frame that ends within its header', PROPAGATE, ('00003.png', UNREADABLE),
        cut(LAST, 0.01)),
    Bad('a truncated frame', PROPAGATE, ('00000.png', UNREADABLE, 'truncated'), cut(FIRST),
        leaves=('out',)),
    Bad('a text file with the suffix of an image', PROPAGATE, ('00003.png', UNREADABLE),
        write(LAST, 'hello')),
    Bad('PostScript, which Pillow would run in Ghostscript', PROPAGATE,
        ('00003.png', UNREADABLE, 'unknown format'),
        write(LAST, '%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 48 32\n%%EndComments\n'
                    'showpage\n')),
    Bad('a header that claims 60000 x 60000', PROPAGATE,
        ('00003.png', '60000x60000', '134 million'), write(LAST, png(60000, 60000))),
    Bad('a decompression bomb of 15000 x 15000', PROPAGATE,
        ('00003.png', '15000x15000', '134 million'), write(LAST, png(15000, 15000, 15000))),
    Bad('an image just over the limit', PROPAGATE,
        ('00003.png', '12000x11185', '134 million', 'scale'), write(LAST, png(12000, 11185))),
    Bad('an animated PNG among the frames', PROPAGATE, ('00003.png', '2 images'),
        animate(LAST, 'PNG')),
    Bad('an animated WebP among the frames', PROPAGATE, ('00003.png', '2 images'),
        animate(LAST, 'WEBP')),
    Bad('an animated GIF among the frames', PROPAGATE, ('00003.png', '2 images'),
        animate(LAST, 'GIF')),
    Bad('a frame of another size', PROPAGATE, ('00003.png', '40x32', '48x32', 'one size'),
        save(LAST, np.zeros((32, 40, 3), np.uint8))),
    Bad('a panorama that scaling would make too large', PROPAGATE,
        ('short side of 480', '960000x480', 'another short side (--size)'),
        all_of(*(save(f'frames/0000{i}.png', np.zeros((10, 20000), np.uint8)) for i in range(4)),
               save('mask.png', np.ones((10, 20000), np.uint8)))),
    Bad('matching a truncated image', MATCH_POINT, ('00001.png', UNREADABLE),
        cut('frames/00001.png')),
    Bad('matching a decompression bomb', MATCH_POINT, ('00001.png', '134 million'),
        write('frames/00001.png', png(60000, 60000))),
    Bad('matching an animation', MATCH_POINT, ('00001.png', '2 images'),
        animate('frames/00001.png', 'PNG')),
    Bad('training on a JPEG that claims 60000 x 60000', TRAIN_STATIC, ('.jpg', '60000x60000'),
        claim_jpeg_size(60000, 60000)),
    Bad('training on a JPEG that claims 20000 x 20000', TRAIN_STATIC, ('.jpg', '20000x20000'),
        claim_jpeg_size(20000, 20000)),
    Bad('training on truncated JPEGs', TRAIN_STATIC, ('.jpg', UNREADABLE),
        all_of(*(cut(f'static/{n}.jpg') for n in ('1', '22', '333')))),
    Bad('resizing a decompression bomb', RESIZE_STATIC, ('1.jpg', '60000x60000'),
        claim_jpeg_size(60000, 60000), leaves=('.static_small.384.part',)),
]  # fmt: skip
