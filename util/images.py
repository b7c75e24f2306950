"""Reading pictures from disk: every failure is one sentence that names the file."""

import contextlib

import numpy as np
from PIL import Image, ImageOps

from util.errors import UserError

SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp')


@contextlib.contextmanager
def open_image(path):
    """A Pillow image, closed at the end. Raises UserError if it is missing, cut off or no image."""
    try:
        with Image.open(path) as image:
            yield image
    except FileNotFoundError as error:
        raise UserError(f'{path}: no such file') from error
    except UserError:
        raise
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        reason = (
            'no known image format' if isinstance(error, Image.UnidentifiedImageError) else error
        )
        sentence = f'cannot be read as an image ({reason}); get it again or remove it'
        raise UserError(f'{path}: {sentence}') from error


def read_image(path):
    """-> uint8 array (H, W, 3), RGB, turned upright where the file says so (EXIF)."""
    with open_image(path) as image:
        image = ImageOps.exif_transpose(image)
        if image.mode.startswith('I'):  # 16 bits a pixel; Pillow would clip them at 255
            grey = (np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8)
            return np.repeat(grey[:, :, None], 3, 2)
        return np.array(image.convert('RGB'))


def image_size(path):
    """(height, width) as `read_image` gives them, from the file's header."""
    with open_image(path) as image:
        width, height = image.size
        # of the base class: a PNG's own looks behind the pixels too, and decodes all of them
        turned = Image.Image.getexif(image).get(0x0112, 1) >= 5  # orientations 5-8 swap the sides
    return (width, height) if turned else (height, width)
