"""Pictures that cannot be read, or not as what they are given for."""

import struct

import numpy as np
from PIL import Image

from tests.faults.bad_inputs.case import Bad, cut, each, save, write
from tests.helpers.picture_files import png

RUN = 'propagate.py frames --mask mask.png --output out'
FIND = 'try_correspondence.py frames/00000.png frames/00001.png --point 3,4 --save out.png'
STATIC = 'train.py --stage 0 --static_root static --pretrained none -b 1 --num_workers 0 -i 9'
STATIC += ' --crop 32 --device cpu'
UNREADABLE = 'cannot be read as an image'
FIRST, LAST = 'frames/00000.png', 'frames/00003.png'


def jpeg_claiming(width, height):
    """A JPEG of 16 x 16 whose header says something else."""

    def spoil(folder):
        for path in folder.rglob('*.jpg'):
            content = bytearray(path.read_bytes())
            at = content.index(b'\xff\xc0') + 5
            struct.pack_into('>HH', content, at, height, width)
            path.write_bytes(content)

    return spoil


def animate(name, kind):
    def spoil(folder):
        with Image.open(folder / FIRST) as first, Image.open(folder / LAST) as last:
            first.save(folder / name, kind, save_all=True, append_images=[last])

    return spoil


CASES = [
    Bad('a frame of no bytes', RUN, ('00003.png', UNREADABLE, 'get it again'), write(LAST, b'')),
    Bad('a frame without pixels', RUN, ('00003.png', UNREADABLE), cut(LAST, 0.01)),
    Bad(
        'a frame that is cut off',
        RUN,
        ('00000.png', UNREADABLE, 'truncated'),
        cut(FIRST),
        leaves=('out',),
    ),
    Bad('a text with the suffix of a picture', RUN, ('00003.png', UNREADABLE),
        write(LAST, 'hello')),
    Bad(
        'a vector drawing that Ghostscript would run',
        RUN,
        ('00003.png', UNREADABLE, 'unknown format'),
        write(LAST, '%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 48 32\n%%EndComments\nshowpage\n'),
    ),
    Bad('a header of 60000 x 60000', RUN, ('00003.png', '60000x60000', '134 million'),
        write(LAST, png(60000, 60000))),
    Bad('a bomb of 15000 x 15000', RUN, ('00003.png', '15000x15000', '134 million'),
        write(LAST, png(15000, 15000, 15000))),
    Bad('a bomb just over the limit', RUN, ('00003.png', '12000x11185', '134 million', 'scale'),
        write(LAST, png(12000, 11185))),
    Bad('an animated PNG among the frames', RUN, ('00003.png', '2 pictures'), animate(LAST, 'PNG')),
    Bad('an animated WebP among the frames', RUN, ('00003.png', '2 pictures'),
        animate(LAST, 'WEBP')),
    Bad('an animated GIF among the frames', RUN, ('00003.png', '2 pictures'), animate(LAST, 'GIF')),
    Bad('a frame of another size', RUN, ('00003.png', '40x32', '48x32', 'one size'),
        save(LAST, np.zeros((32, 40, 3), np.uint8))),
    Bad('a very wide picture, which --size would enlarge', RUN,
        ('--size 480', '960000x480', 'another --size'),
        each(*(save(f'frames/0000{i}.png', np.zeros((10, 20000), np.uint8)) for i in range(4)),
             save('mask.png', np.ones((10, 20000), np.uint8)))),
    Bad('pictures to match: a cut one', FIND, ('00001.png', UNREADABLE), cut('frames/00001.png')),
    Bad('pictures to match: a bomb', FIND, ('00001.png', '134 million'),
        write('frames/00001.png', png(60000, 60000))),
    Bad('pictures to match: an animation', FIND, ('00001.png', '2 pictures'),
        animate('frames/00001.png', 'PNG')),
    Bad('training: a JPEG that claims to be 60000 x 60000', STATIC, ('.jpg', '60000x60000'),
        jpeg_claiming(60000, 60000)),
    Bad('training: a JPEG that claims to be 20000 x 20000', STATIC, ('.jpg', '20000x20000'),
        jpeg_claiming(20000, 20000)),
    Bad('training: JPEGs that are cut off', STATIC, ('.jpg', UNREADABLE),
        each(*(cut(f'static/{n}.jpg') for n in ('1', '22', '333')))),
    Bad('making smaller: a bomb', 'scripts/resize_static.py static', ('1.jpg', '60000x60000'),
        jpeg_claiming(60000, 60000), leaves=('.static_small.384.part',)),
]  # fmt: skip
