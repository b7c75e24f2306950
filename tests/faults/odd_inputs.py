"""Odd but valid inputs to propagate.py; tests/faults/test_odd_inputs.py runs them.

The clip is always the same four frames, stored in odd ways.
"""

import shlex
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from PIL import Image

from tests.faults.bad_inputs.case import all_of, save
from tests.helpers import stand_in
from tests.helpers.video_files import KINDS, rotation, set_display_matrix, write_movie
from util.masks.codes import DAVIS_PALETTE

IMAGES, MASKS = stand_in.clip(4, 32, 48)
RUN = 'propagate.py frames --mask mask.png --output out --size 64'
RUN_MASKS = RUN.replace('mask.png', 'masks')
NAMES = [f'{number:05}' for number in range(4)]
# EXIF orientation: how many counterclockwise quarter turns store an image in this way.
EXIF = {3: 2, 6: 1, 8: 3}
TALL, WIDE = (20000, 10), (10, 20000)
HUGE = 10**12


class Odd(NamedTuple):
    """A command that works as it does on the plain clip.

    what: names the case.
    prepare: called with the folder of the clip before the command.
    names, first: the names of the resulting masks, and the first of them.
    output: the folder that the command writes to.
    """

    what: str
    command: str
    prepare: Callable | None = None
    names: list = NAMES
    first: np.ndarray = MASKS[0]
    output: str = 'out'


def frames(change, name='{:05}.png', **options):
    """A function that replaces each frame by change(picture), a Pillow image or an array."""

    def prepare(folder):
        for number, image in enumerate(IMAGES):
            (folder / f'frames/{number:05}.png').unlink()
            changed = change(image)
            if isinstance(changed, np.ndarray):
                changed = Image.fromarray(changed)
            changed.save(folder / 'frames' / name.format(number), **options)

    return prepare


def same(image):
    return image


def as_mode(mode):
    return lambda image: Image.fromarray(image).convert(mode)


def grey_16_bits(image):
    return image.mean(2).astype(np.uint16) * 257


def exif(orientation):
    tag = Image.Exif()
    tag[0x0112] = orientation
    return tag


def turn(orientation):
    return lambda image: np.ascontiguousarray(np.rot90(image, EXIF[orientation]))


def of_size(size):
    """Frames of another size, and a mask with one object on the left half."""
    resized = frames(lambda image: np.resize(image, (*size, 3)))
    return all_of(resized, save('mask.png', left_half(size)))


def left_half(size):
    mask = np.ones(size, np.uint8)
    mask[:, (size[1] + 1) // 2 :] = 0
    return mask


def movie(name, kind=None, pictures=IMAGES, **options):
    return lambda folder: write_movie(folder / name, pictures, kind, **options)


def rotated(folder):
    """A video from a phone held upright: the file holds its pictures on their side."""
    write_movie(folder / 'a.mp4', np.rot90(IMAGES, 1, (1, 2)), 'h264.mp4')
    set_display_matrix(folder / 'a.mp4', rotation(90))


def gif(folder):
    first, *others = map(Image.fromarray, IMAGES)
    first.save(folder / 'a.gif', save_all=True, append_images=others, duration=100)


def named(pattern):
    return frames(same, pattern)


def on(path):
    """The command with another input."""
    return RUN.replace('frames', shlex.quote(path))


def clutter(folder):
    """Add what else folders of frames may hold."""
    for name in ('.DS_Store', 'Thumbs.db', 'notes.txt', '.hidden.png'):
        (folder / 'frames' / name).write_bytes(b'\0')
    (folder / 'frames' / 'others').mkdir()


def links(folder):
    """Turn the frames into links to files, and their folder into a link to a folder."""
    (folder / 'frames').rename(folder / 'pool')
    (folder / 'linked').mkdir()
    for number in range(4):
        (folder / f'linked/{number:05}.png').symlink_to(f'../pool/{number:05}.png')
    (folder / 'frames').symlink_to('linked')


def move(name, to):
    def prepare(folder):
        (folder / name).rename(folder / to)

    return prepare


COLOURS = np.array([[0, 0, 0], [10, 0, 0], [200, 30, 40]], np.uint8)[MASKS[0]]
SQUARE = np.kron([[0, 0, 0], [0, 255, 0]], np.ones((16, 16))).astype(np.uint8)
BORDER = np.pad(np.zeros((30, 46), bool), 1, constant_values=True)
OPAQUE = np.full((32, 48, 1), 255, np.uint8)


def save_with_palette(palette, entries):
    """Write the first mask with these palette entries for its ids."""

    def prepare(folder):
        image = Image.fromarray(np.array(entries, np.uint8)[MASKS[0]])
        image.putpalette(palette)
        image.save(folder / 'mask.png')

    return prepare


PICTURES = [
    Odd('grey frames', RUN, frames(as_mode('L'))),
    Odd('grey frames with transparency', RUN, frames(as_mode('LA'))),
    Odd('frames with transparency', RUN, frames(as_mode('RGBA'))),
    Odd('black and white frames', RUN, frames(as_mode('1'))),
    Odd('frames with a palette', RUN, frames(as_mode('P'))),
    Odd('frames in CMYK', RUN, frames(as_mode('CMYK'), '{:05}.jpg')),
    Odd('frames with 16 bits', RUN, frames(grey_16_bits)),
    Odd('progressive JPEGs', RUN, frames(same, '{:05}.jpg', progressive=True)),
    Odd('JPEGs followed by previews', RUN, frames(same, '{:05}.jpg', format='MPO')),
    Odd('JPEGs with the suffix .png', RUN, frames(same, format='JPEG')),
    Odd('PNGs with the suffix .webp', RUN, frames(same, '{:05}.webp', format='PNG')),
    Odd('GIFs of one image', RUN, frames(same, format='GIF')),
    Odd('suffixes in capitals', RUN, frames(same, '{:05}.JPEG', format='JPEG')),
    *(
        Odd(f'JPEGs with EXIF orientation {n}', RUN, frames(turn(n), '{:05}.jpg', exif=exif(n)))
        for n in EXIF
    ),
    Odd('TIFF frames', RUN, frames(same, '{:05}.tif')),
    Odd('JFIF frames', RUN, frames(same, '{:05}.jfif', format='JPEG')),
    Odd('PNGs with an EXIF orientation', RUN, frames(turn(6), exif=exif(6))),
    Odd('frames of one pixel', f'{RUN} --size 480', of_size((1, 1)), first=left_half((1, 1))),
    Odd('frames of one pixel, unscaled', f'{RUN} --size -1', of_size((1, 1)),
        first=left_half((1, 1))),
    Odd('frames of 20000 x 10', f'{RUN} --size -1', of_size(WIDE), first=left_half(WIDE)),
    Odd('frames of 10 x 20000', f'{RUN} --size -1', of_size(TALL), first=left_half(TALL)),
    Odd('frames with odd sides', RUN, of_size((31, 47)), first=left_half((31, 47))),
]  # fmt: skip

MASK_FILES = [
    Odd('a mask in colours', RUN, save('mask.png', COLOURS)),
    Odd('a mask in colours with transparency', RUN, save('mask.png', np.dstack([COLOURS, OPAQUE]))),
    Odd('a mask with 16 bits', RUN, save('mask.png', MASKS[0].astype(np.uint16))),
    Odd('a black and white mask', RUN, save('mask.png', MASKS[0] > 0),
        first=(MASKS[0] > 0).astype(np.uint8)),
    Odd('the largest id', RUN, save('mask.png', MASKS[0] // 2 * 255), first=MASKS[0] // 2 * 255),
    Odd('a mask without background', RUN, save('mask.png', np.ones((32, 48), np.uint8)),
        first=np.ones((32, 48), np.uint8)),
    *(
        Odd(f'a mask in {kind}', RUN.replace('.png', f'.{kind}'), save(f'mask.{kind}', MASKS[0]))
        for kind in ('bmp', 'gif', 'tif', 'pgm')
    ),
    Odd('a matte with 16 bits', RUN, save('mask.png', (MASKS[0] > 0) * np.uint16(65535)),
        first=(MASKS[0] > 0) * np.uint8(255)),
    Odd('a mask of floating-point numbers', RUN.replace('.png', '.tif'),
        save('mask.tif', MASKS[0].astype(np.float32))),
    Odd('a palette in which the objects come first', RUN, save_with_palette(
        [255, 0, 0, 0, 255, 0, 0, 0, 0], [2, 1, 0])),
    Odd('a mask in the colours of DAVIS', RUN, save('mask.png', DAVIS_PALETTE[MASKS[0]])),
    Odd('a mask among the frames', RUN.replace('mask.png', 'frames/00000_mask.png'),
        move('mask.png', 'frames/00000_mask.png')),
    Odd('void beside objects', RUN, save('mask.png', np.where(BORDER, 255, MASKS[0])),
        first=np.where(BORDER, 0, MASKS[0])),
    Odd('a mask with an EXIF orientation', RUN, save('mask.png', turn(6)(MASKS[0]), exif=exif(6))),
    Odd('masks that match frames by number', RUN_MASKS,
        all_of(*(move(f'masks/0000{i}.png', f'masks/{i}.png') for i in range(4)))),
    Odd('a JPEG as a mask, with --clean_mask', f'{RUN.replace(".png", ".jpg")} --clean_mask',
        save('mask.jpg', SQUARE, quality=100), first=SQUARE),
]  # fmt: skip

VIDEOS = [
    *(Odd(f'a video: {kind}', on(kind), movie(kind)) for kind in KINDS if kind != 'flv1.flv'),
    Odd('a video with a rotation flag', on('a.mp4'), rotated),
    Odd('a video with uneven times', on('h264.mp4'), movie('h264.mp4', times=[0, 10, 300, 340])),
    Odd('an animated GIF', on('a.gif'), gif),
    Odd('a video with one frame', on('ffv1.mkv'), movie('ffv1.mkv', pictures=IMAGES[:1]),
        NAMES[:1]),
    *(
        Odd(f'a video with {what} in its name', on(p), movie(p.removeprefix('./'), 'ffv1.mkv'))
        for what, p in {
            'a colon': 'http:a.mkv',
            'a percent sign': '%03d.mkv',
            'a space': 'a b.mkv',
            'a line break': 'a\nb.mkv',
            'leading dashes': './--a.mkv',
        }.items()
    ),
    Odd('a video with the wrong suffix', on('a.dat'),
        all_of(movie('ffv1.mkv'), move('ffv1.mkv', 'a.dat'))),
    Odd('a video whose name is a number', on('0'),
        all_of(movie('ffv1.mkv'), move('ffv1.mkv', '0'))),
]  # fmt: skip


def names_of(pattern):
    return [pattern.format(number).rpartition('.')[0] for number in range(4)]


PATTERNS = {
    'spaces': ' frame {:05} .png',
    'letters from other scripts': '画像 ünï {:05}.png',
    'line breaks': 'a\n{:05}.png',
    'leading dashes': '--frame-{:05}.png',
    'dots': 'a.b..{:05}.png',
    'percent signs': '100%d{:05}.png',
    'bytes that are not UTF-8': 'a\udcff{:05}.png',
    'quotes': '\'"$(rm){:05}`.png',
}
FOLDERS = [
    *(Odd(f'names with {what}', RUN, named(p), names_of(p)) for what, p in PATTERNS.items()),
    Odd('names with superscript digits', RUN, named('²{:05}.png'), names_of('²{:05}.png')),
    Odd('other files in the folder', RUN, clutter),
    Odd('symbolic links to the frames and their folder', RUN, links),
    *(
        Odd(f'a folder with {what} in its name', on(p), move('frames', p.removeprefix('./')))
        for what, p in {
            'a line break': 'a\nb',
            'leading dashes': './--frames',
            'bytes that are not UTF-8': 'a\udcff',
        }.items()
    ),
    *(
        Odd(f'an output named {name!r}', RUN.replace('--output out', f"--output='{name}'"),
            output=name)
        for name in ('a b', '画像', '--out', 'a\nb', 'a.b/c', 'a\udcff', '%d')
    ),
]  # fmt: skip

OPTIONS = [
    *(Odd(f'{o} {HUGE}', f'{RUN} {o} {HUGE}')
      for o in ('--top_k', '--mem_every', '--max_mem_frames', '--end')),
    Odd('a stride beyond the last frame', f'{RUN} --stride {HUGE}', names=NAMES[:1]),
    Odd('the smallest size', f'{RUN} --size 16'),
    Odd('a size that is no multiple of 16', f'{RUN} --size 333'),
]  # fmt: skip

CASES = [*PICTURES, *MASK_FILES, *VIDEOS, *FOLDERS, *OPTIONS]
