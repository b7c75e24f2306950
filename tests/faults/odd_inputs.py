"""Inputs that are odd and right: tests/test_odd_inputs.py runs them.

The clip is always the same four frames; what is odd is how they are stored.
"""

from typing import NamedTuple

import numpy as np
from PIL import Image

from tests.faults.bad_inputs.case import each, save
from tests.helpers import stand_in
from tests.helpers.video_files import KINDS, set_rotation, write_movie

IMAGES, MASKS = stand_in.clip(4, 32, 48)
RUN = 'propagate.py frames --mask mask.png --output out --size 64'
MANY = RUN.replace('mask.png', 'masks')
NAMES = [f'{number:05}' for number in range(4)]
EXIF = {3: 2, 6: 1, 8: 3}  # orientation -> quarter turns, counterclockwise, that store it so
TALL, WIDE = (20000, 10), (10, 20000)
HUGE = 10**12


class Odd(NamedTuple):
    """A command that works, as on the plain clip."""

    what: str
    command: str
    prepare: callable = None  # called with the folder of the clip first
    names: list = NAMES  # of the masks that come out
    first: np.ndarray = MASKS[0]  # the first of them
    output: str = 'out'


def frames(change, name='{:05}.png', **options):
    """-> what replaces the frames by change(picture), a Pillow image or an array."""

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
    """Frames and a mask of another size, one object on the left half."""
    mask = np.ones(size, np.uint8)
    mask[:, (size[1] + 1) // 2 :] = 0
    return each(frames(lambda image: np.resize(image, (*size, 3))), save('mask.png', mask))


def left_half(size):
    mask = np.ones(size, np.uint8)
    mask[:, (size[1] + 1) // 2 :] = 0
    return mask


def movie(name, kind=None, pictures=IMAGES, **options):
    return lambda folder: write_movie(folder / name, pictures, kind, **options)


def rotated(folder):
    """A film from a phone held upright: its pictures lie on their side in the file."""
    write_movie(folder / 'a.mp4', np.rot90(IMAGES, 1, (1, 2)), 'h264.mp4')
    set_rotation(folder / 'a.mp4', 90)


def gif(folder):
    first, *others = map(Image.fromarray, IMAGES)
    first.save(folder / 'a.gif', save_all=True, append_images=others, duration=100)


def named(pattern):
    return frames(same, pattern)


def film(path):
    return RUN.replace('frames', path)


def clutter(folder):
    """What a folder of frames may hold besides."""
    for name in ('.DS_Store', 'Thumbs.db', 'notes.txt', '.hidden.png'):
        (folder / 'frames' / name).write_bytes(b'\0')
    (folder / 'frames' / 'others').mkdir()


def links(folder):
    """Frames that lie elsewhere, in a folder that lies elsewhere."""
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
OPAQUE = np.full((32, 48, 1), 255, np.uint8)

PICTURES = [
    Odd('grey frames', RUN, frames(as_mode('L'))),
    Odd('grey frames with transparency', RUN, frames(as_mode('LA'))),
    Odd('frames with transparency', RUN, frames(as_mode('RGBA'))),
    Odd('black and white frames', RUN, frames(as_mode('1'))),
    Odd('frames with a palette', RUN, frames(as_mode('P'))),
    Odd('frames in CMYK', RUN, frames(as_mode('CMYK'), '{:05}.jpg')),
    Odd('frames of 16 bits', RUN, frames(grey_16_bits)),
    Odd('progressive JPEGs', RUN, frames(same, '{:05}.jpg', progressive=True)),
    Odd('JPEGs with previews behind them', RUN, frames(same, '{:05}.jpg', format='MPO')),
    Odd('JPEGs with the suffix of PNG', RUN, frames(same, format='JPEG')),
    Odd('PNGs with the suffix of WebP', RUN, frames(same, '{:05}.webp', format='PNG')),
    Odd('GIFs of one picture', RUN, frames(same, format='GIF')),
    Odd('upper case suffixes', RUN, frames(same, '{:05}.JPEG', format='JPEG')),
    *(
        Odd(f'frames turned by EXIF, {n}', RUN, frames(turn(n), '{:05}.jpg', exif=exif(n)))
        for n in EXIF
    ),
    Odd('PNGs turned by EXIF', RUN, frames(turn(6), exif=exif(6))),
    Odd('frames of one pixel', f'{RUN} --size 480', of_size((1, 1)), first=left_half((1, 1))),
    Odd('frames of one pixel, as they are', f'{RUN} --size -1', of_size((1, 1)),
        first=left_half((1, 1))),
    Odd('frames of 20000 x 10', f'{RUN} --size -1', of_size(WIDE), first=left_half(WIDE)),
    Odd('frames of 10 x 20000', f'{RUN} --size -1', of_size(TALL), first=left_half(TALL)),
    Odd('frames of odd sides', RUN, of_size((31, 47)), first=left_half((31, 47))),
]  # fmt: skip

OF_MASKS = [
    Odd('a mask in colours', RUN, save('mask.png', COLOURS)),
    Odd('a mask in colours with transparency', RUN, save('mask.png', np.dstack([COLOURS, OPAQUE]))),
    Odd('a mask of 16 bits', RUN, save('mask.png', MASKS[0].astype(np.uint16))),
    Odd('a black and white mask', RUN, save('mask.png', MASKS[0] > 0),
        first=(MASKS[0] > 0).astype(np.uint8)),
    Odd('the largest id', RUN, save('mask.png', MASKS[0] // 2 * 255), first=MASKS[0] // 2 * 255),
    Odd('a mask without background', RUN, save('mask.png', np.ones((32, 48), np.uint8)),
        first=np.ones((32, 48), np.uint8)),
    *(
        Odd(f'a mask in {kind}', RUN.replace('.png', f'.{kind}'), save(f'mask.{kind}', MASKS[0]))
        for kind in ('bmp', 'gif', 'tif', 'pgm')
    ),
    Odd('a mask turned by EXIF', RUN, save('mask.png', turn(6)(MASKS[0]), exif=exif(6))),
    Odd('masks by number', MANY, each(*(move(f'masks/0000{i}.png', f'masks/{i}.png')
                                        for i in range(4)))),
    Odd('a JPEG for a mask that may be cleaned', f'{RUN.replace(".png", ".jpg")} --clean_mask',
        save('mask.jpg', SQUARE, quality=100), first=SQUARE),
]  # fmt: skip

VIDEOS = [
    *(Odd(f'a video: {kind}', film(kind), movie(kind)) for kind in KINDS if kind != 'flv1.flv'),
    Odd('a video turned by its flag', film('a.mp4'), rotated),
    Odd('a video of uneven times', film('h264.mp4'), movie('h264.mp4', times=[0, 10, 300, 340])),
    Odd('an animated GIF', film('a.gif'), gif),
    Odd('a video of one frame', film('ffv1.mkv'), movie('ffv1.mkv', pictures=IMAGES[:1]),
        NAMES[:1]),
    Odd('a video with a colon in its name', film('http:a.mkv'), movie('http:a.mkv', 'ffv1.mkv')),
    Odd('a video with a percent sign', film('%03d.mkv'), movie('%03d.mkv', 'ffv1.mkv')),
    Odd('a video with spaces', film("'a b.mkv'"), movie('a b.mkv', 'ffv1.mkv')),
    Odd('a video with a line end', film("'a\nb.mkv'"), movie('a\nb.mkv', 'ffv1.mkv')),
    Odd('a video with dashes', film('./--a.mkv'), movie('--a.mkv', 'ffv1.mkv')),
    Odd('a video with the wrong suffix', film('a.dat'),
        each(movie('ffv1.mkv'), move('ffv1.mkv', 'a.dat'))),
    Odd('a video whose name is a number', film('0'),
        each(movie('ffv1.mkv'), move('ffv1.mkv', '0'))),
]  # fmt: skip


def names_of(pattern):
    return [pattern.format(number).rpartition('.')[0] for number in range(4)]


PATTERNS = {
    'spaces': ' frame {:05} .png',
    'letters of other scripts': '画像 ünï {:05}.png',
    'line ends': 'a\n{:05}.png',
    'leading dashes': '--frame-{:05}.png',
    'dots': 'a.b..{:05}.png',
    'percent signs': '100%d{:05}.png',
    'bytes that are no UTF-8': 'a\udcff{:05}.png',
    'quotes': '\'"$(rm){:05}`.png',
}
FOLDERS = [
    *(Odd(f'names with {what}', RUN, named(p), names_of(p)) for what, p in PATTERNS.items()),
    Odd('names with superscripts for numbers', RUN, named('²{:05}.png'), names_of('²{:05}.png')),
    Odd('other files in the folder', RUN, clutter),
    Odd('frames and folder behind links', RUN, links),
    Odd('a folder with a line end', RUN.replace('frames', "'a\nb'"), move('frames', 'a\nb')),
    Odd('a folder with dashes', RUN.replace('frames', './--frames'), move('frames', '--frames')),
    Odd('a folder for whose name there is no UTF-8', RUN.replace('frames', "'a\udcff'"),
        move('frames', 'a\udcff')),
    *(
        Odd(f'an output named {name!r}', RUN.replace('--output out', f"--output='{name}'"),
            output=name)
        for name in ('a b', '画像', '--out', 'a\nb', 'a.b/c', 'a\udcff', '%d')
    ),
]  # fmt: skip

OPTIONS = [
    *(Odd(f'{o} {HUGE}', f'{RUN} {o} {HUGE}')
      for o in ('--top_k', '--mem_every', '--max_mem_frames', '--end')),
    Odd('a stride beyond the end', f'{RUN} --stride {HUGE}', names=NAMES[:1]),
    Odd('the smallest size', f'{RUN} --size 16'),
    Odd('a size of its own', f'{RUN} --size 333'),
]  # fmt: skip

CASES = [*PICTURES, *OF_MASKS, *VIDEOS, *FOLDERS, *OPTIONS]
