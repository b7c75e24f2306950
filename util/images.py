"""Reading pictures from disk. Every failure is a one-line UserError that names the file."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from util.errors import UserError

JPEG_SUFFIXES = ('.jpg', '.jpeg', '.jfif')
SUFFIXES = (*JPEG_SUFFIXES, '.png', '.bmp', '.webp', '.tif', '.tiff', '.ppm', '.pgm')
# Accepted whatever the suffix says. Not all that Pillow knows: for EPS it would run Ghostscript.
FORMATS = ('JPEG', 'PNG', 'BMP', 'WEBP', 'GIF', 'TIFF', 'PPM')
ANIMATED = ('PNG', 'WEBP', 'GIF', 'TIFF')  # without MPO: a JPEG with previews after the picture
MAX_PIXELS = 2**27  # 0.4 GB in RGB
TOO_LARGE = f'more than {MAX_PIXELS // 10**6} million pixels are not read; scale it down'
EXIF_ORIENTATION = 0x0112


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
            if image.format in ANIMATED and (num_pictures := getattr(image, 'n_frames', 1)) > 1:
                raise UserError(
                    f'{path}: {num_pictures} pictures in one file; save the one you want by itself'
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
    """Raise UserError if a picture, or a video's frames, have more than MAX_PIXELS.

    size: (width, height), as the header of the file states it.
    """
    width, height = size
    if width * height > MAX_PIXELS:
        raise UserError(f'{path}: {width}x{height}; {TOO_LARGE}')


def read_image(path: str | Path) -> np.ndarray:
    """Return a picture as uint8 (H, W, 3), RGB, turned upright as its EXIF orientation says.

    Raises UserError as `open_image` does, and for floating-point pixels or more than 16 bits.
    """
    with open_image(path) as image:
        image = ImageOps.exif_transpose(image)
        if image.mode.startswith('I'):  # 16 bits per pixel; Pillow would clip them at 255
            values = np.asarray(image).astype(np.int64)
            if values.min() < 0 or values.max() > 0xFFFF:
                raise UserError(
                    f'{path}: more than 16 bits per pixel are not supported; save it with 8 or 16'
                )
            grey = (values >> 8).astype(np.uint8)
            return np.repeat(grey[:, :, None], 3, 2)
        if image.mode == 'F':  # the value of white is unknown: 1, 255 or anything else
            raise UserError(
                f'{path}: floating-point pixels are not supported; save it with 8 or 16 bits per '
                'channel'
            )
        return np.array(image.convert('RGB'))


def image_size(path: str | Path) -> tuple[int, int]:
    """Return (height, width) of what `read_image` gives, reading the header only."""
    with open_image(path) as image:
        width, height = image.size
        # Not image.getexif: for a PNG that decodes the whole picture to reach trailing chunks.
        orientation = Image.Image.getexif(image).get(EXIF_ORIENTATION, 1)
    return (width, height) if orientation >= 5 else (height, width)  # 5 to 8 swap the sides
