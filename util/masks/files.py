"""Reading and writing single mask files.

A mask is a (H, W) array of object ids, 0 for the background. Legend: H W the size of the mask.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from util.errors import UserError
from util.files import atomic_write
from util.images import open_image
from util.masks.codes import DAVIS_PALETTE, MaskCodes, palette_of, read_codes


def save_mask(
    path: str | Path, mask: np.ndarray, palette: np.ndarray | None = DAVIS_PALETTE
) -> None:
    """Write a mask as a PNG; its folder is created if it is missing.

    Arguments:
        mask: (H, W) of ids up to 255.
        palette: uint8 (256, 3), the colours to show ids in; None writes a greyscale image.
    """
    image = Image.fromarray(np.ascontiguousarray(mask, np.uint8))
    if palette is not None:
        image.putpalette(palette.tobytes())
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as part:
        image.save(part, format='PNG')


def read_palette(path: str | Path) -> np.ndarray:
    """The palette of an indexed mask file, uint8 (256, 3); DAVIS_PALETTE if it has none."""
    with open_image(path) as image:
        return palette_of(image)


def load_foreground(path: str | Path) -> np.ndarray:
    """Read a mask of any kind as uint8 (H, W): 1 for every pixel that is not background, else 0.

    Anything but 0 (or black) counts, however dark. The masks of the static training images, whose
    greys are thresholded, are read by `dataset.static_dataset.read_foreground` instead.
    """
    return (read_codes(path).codes > 0).astype(np.uint8)


def load_mask(path: str | Path) -> np.ndarray:
    """Read a mask file of ids as uint8 (H, W). Colours raise UserError."""
    return as_ids(path, read_codes(path))


def as_ids(path: str | Path, found: MaskCodes) -> np.ndarray:
    """Turn the content of a mask file into uint8 (H, W) of ids. Colours raise UserError."""
    if found.is_colour or found.codes.max(initial=0) > 255:
        raise UserError(f'{path}: not a mask of object ids up to 255')
    return found.codes.astype(np.uint8)
