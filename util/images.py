"""Reading images from disk. Every failure is a one-line UserError that names the file."""

import contextlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

from util.errors import UserError

JPEG_SUFFIXES = ('.jpg', '.jpeg', '.jfif')
SUFFIXES = (*JPEG_SUFFIXES, '.png', '.bmp', '.webp', '.tif', '.tiff', '.ppm', '.pgm')
# Accepted whatever the suffix. Not all that Pillow supports: for EPS, it would run Ghostscript.
FORMATS = ('JPEG', 'PNG', 'BMP', 'WEBP', 'GIF', 'TIFF', 'PPM')
ANIMATED = ('PNG', 'WEBP', 'GIF', 'TIFF')  # not MPO, which is a JPEG followed by previews
MAX_PIXELS = 2**27  # 0.4 GB in RGB
TOO_LARGE = f'more than {MAX_PIXELS // 10**6} million pixels are not supported; scale it down'
EXIF_ORIENTATION = 0x0112
BIT_DEPTHS = (8, 10, 12, 14, 16)  # of cameras whose images have 16 bits per channel


@contextlib.contextmanager
def open_image(path: str | Path) -> Iterator[Image.Image]:
    """Open an image with Pillow and close it at the end of the block.

    Raises UserError if the file is missing, damaged, not an image, animated, or has more than
    MAX_PIXELS: a small file can hold billions of pixels of one colour.
    """
    if Path(path).exists() and not Path(path).is_file():  # reading from a pipe would never end
        raise UserError(f'{path}: not a regular file; pass an image file')
    try:
        with Image.open(path, formats=FORMATS) as image:
            check_pixels(path, image.size)
            if image.format in ANIMATED and (num_images := getattr(image, 'n_frames', 1)) > 1:
                raise UserError(
                    f'{path}: {num_images} images in one file; save the one you want by itself'
                )
            yield image
    except FileNotFoundError as error:
        raise UserError(f'{path}: no such file') from error
    except UserError:
        raise
    except Image.DecompressionBombError as error:  # Pillow's own limit, unless a program lifted it
        raise UserError(f'{path}: {TOO_LARGE}') from error
    except (OSError, SyntaxError, ValueError) as error:
        reason = (
            f'unknown format; supported are {", ".join(FORMATS)}'
            if isinstance(error, Image.UnidentifiedImageError)
            else error
        )
        raise UserError(
            f'{path}: cannot be read as an image ({reason}); get it again or remove it'
        ) from error


def check_pixels(path: str | Path, size: tuple[int, int]) -> None:
    """Raise UserError if an image, or the frames of a video, have more than MAX_PIXELS.

    size: (width, height), as the header of the file states it.
    """
    width, height = size
    if width * height > MAX_PIXELS:
        raise UserError(f'{path}: {width}x{height}; {TOO_LARGE}')


def read_image(path: str | Path, num_bits: int = 16) -> np.ndarray:
    """Return an image as uint8 (H, W, 3), RGB, turned upright according to its EXIF orientation.

    num_bits: how many bits of an image with 16 bits per channel are used (see `bits_used`).

    Raises UserError like `open_image`, and for floating-point pixels or more than 16 bits.
    """
    with open_image(path) as image:
        if is_deep(image):
            values = deep_values(path, image) >> (num_bits - 8)
            return np.ascontiguousarray(np.broadcast_to(values, (*values.shape[:2], 3)), np.uint8)
        image = ImageOps.exif_transpose(image)
        if image.mode == 'F':  # the value of white is unknown: 1, 255 or anything else
            raise UserError(
                f'{path}: floating-point pixels are not supported; save it with 8 or 16 bits per '
                'channel'
            )
        return np.array(image.convert('RGB'))


def bits_used(paths: Iterable[str | Path]) -> int | None:
    """How many bits images with 16 bits per channel use: 8, 10, 12, 14 or 16.

    12-bit cameras write values up to 4095, which would look almost black on a scale to 65535. None
    if there are no such images. Reads all of them, unless one uses all bits.
    """
    used = None
    for path in paths:
        with open_image(path) as image:
            if is_deep(image):
                greatest = int(deep_values(path, image).max())
                used = max(used or 0, next(n for n in BIT_DEPTHS if greatest < 2**n))
        if used == BIT_DEPTHS[-1]:
            break
    return used


def is_deep(image: Image.Image) -> bool:
    """Whether an image has 16 bits per channel, which Pillow would cut to 8 if it has colours."""
    raw_modes = [str(tile.args) for tile in getattr(image, 'tile', ())]
    return image.mode.startswith('I') or any(re.search(r'\b(RGBA?|LA);16', m) for m in raw_modes)


def deep_values(path: str | Path, image: Image.Image) -> np.ndarray:
    """The values of an image with 16 bits per channel: (H, W, 1) or (H, W, 3), RGB, upright."""
    if image.mode.startswith('I'):
        values = np.asarray(ImageOps.exif_transpose(image)).astype(np.int64)[:, :, None]
        if values.min() < 0 or values.max() > 0xFFFF:
            raise UserError(
                f'{path}: more than 16 bits per pixel are not supported; save it with 8 or 16'
            )
        return values
    image.load()  # unlike OpenCV, raises an error if the file is damaged
    flags = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH
    values = np.asarray(cv2.imdecode(np.fromfile(path, np.uint8), flags))  # blue comes first
    return values.reshape(*values.shape[:2], -1)[:, :, ::-1]


def image_size(path: str | Path) -> tuple[int, int]:
    """Return (height, width) of the result of `read_image`, reading only the header."""
    with open_image(path) as image:
        width, height = image.size
        # Not image.getexif, which decodes a whole PNG to reach trailing chunks.
        orientation = Image.Image.getexif(image).get(EXIF_ORIENTATION, 1)
    return (width, height) if orientation >= 5 else (height, width)  # 5 to 8 swap the sides
