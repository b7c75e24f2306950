"""Reading pictures from disk: every failure is one sentence that names the file."""

import contextlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from util.errors import UserError

SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp')
# what a file may be, whatever its suffix. Not all that Pillow knows: for EPS it runs Ghostscript
FORMATS = ('JPEG', 'PNG', 'BMP', 'WEBP', 'GIF', 'TIFF', 'PPM')
ANIMATED = ('PNG', 'WEBP', 'GIF', 'TIFF')  # not MPO, a JPEG with previews behind it
MAX_PIXELS = 2**27  # 0.4 GB in RGB
Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit warns in two lines; `open_image` has ours


@contextlib.contextmanager
def open_image(path):
    """A Pillow image, closed at the end. Raises UserError if it is missing, cut off or no image.

    Nor is more than one picture in a file taken, nor more than MAX_PIXELS: a small file can hold
    billions of pixels of one colour.
    """
    if Path(path).exists() and not Path(path).is_file():
        raise UserError(f'{path}: no regular file; give an image')  # from a pipe, it never comes
    try:
        with Image.open(path, formats=FORMATS) as image:
            check_pixels(path, image.size)
            if image.format in ANIMATED and getattr(image, 'n_frames', 1) > 1:
                what = f'{image.n_frames} pictures in one file'
                raise UserError(f'{path}: {what}; save the one that you mean by itself')
            yield image
    except FileNotFoundError as error:
        raise UserError(f'{path}: no such file') from error
    except UserError:
        raise
    except (OSError, SyntaxError, ValueError) as error:
        reason = (
            f'no known image format, which are {", ".join(FORMATS)}'
            if isinstance(error, Image.UnidentifiedImageError)
            else error
        )
        sentence = f'cannot be read as an image ({reason}); get it again or remove it'
        raise UserError(f'{path}: {sentence}') from error


def check_pixels(path, size):
    """size: (width, height) of a picture or of the frames of a video, as its header states it."""
    width, height = size
    if width * height > MAX_PIXELS:
        limit = f'more than {MAX_PIXELS // 10**6} million pixels are not read'
        raise UserError(f'{path}: {width}x{height}, and {limit}; scale it down')


def read_image(path):
    """-> uint8 array (H, W, 3), RGB, turned upright where the file says so (EXIF)."""
    with open_image(path) as image:
        image = ImageOps.exif_transpose(image)
        if image.mode.startswith('I'):  # 16 bits a pixel; Pillow would clip them at 255
            values = np.asarray(image).astype(np.int64)
            if values.min() < 0 or values.max() > 0xFFFF:
                raise UserError(f'{path}: more than 16 bits a pixel; save it with 8 or 16')
            grey = (values >> 8).astype(np.uint8)
            return np.repeat(grey[:, :, None], 3, 2)
        if image.mode == 'F':  # of 0 to 1, to 255, or else?
            raise UserError(f'{path}: fractions for colours; save it with 8 or 16 bits a pixel')
        return np.array(image.convert('RGB'))


def image_size(path):
    """(height, width) as `read_image` gives them, from the file's header."""
    with open_image(path) as image:
        width, height = image.size
        # of the base class: a PNG's own looks behind the pixels too, and decodes all of them
        turned = Image.Image.getexif(image).get(0x0112, 1) >= 5  # orientations 5-8 swap the sides
    return (width, height) if turned else (height, width)
