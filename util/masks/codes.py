"""Decoding the pixels of mask files.

Codes are the pixels as numbers: ids, or colours as 0xRRGGBB; 0 is the background. H W is the size
of the mask.
"""

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from util.errors import UserError
from util.images import open_image

VOID = 255  # marks unlabelled pixels in masks that also hold smaller ids


def voc_palette() -> np.ndarray:
    """The PASCAL VOC palette, uint8 (256, 3); that of DAVIS begins with the same colours."""
    index = np.arange(256)  # its bits are spread over the three channels
    palette = np.zeros((256, 3), int)
    for bit in range(8):
        for channel in range(3):
            palette[:, channel] |= ((index >> (3 * bit + channel)) & 1) << (7 - bit)
    return palette.astype(np.uint8)


def colour_codes(rgb: np.ndarray) -> np.ndarray:
    """Turn colours (..., 3) or (..., 4) into int32 codes (...); alpha is ignored."""
    red, green, blue = np.moveaxis(rgb[..., :3].astype(np.int32), -1, 0)
    return red << 16 | green << 8 | blue


DAVIS_PALETTE = voc_palette()
DAVIS_COLOURS: list[int] = colour_codes(DAVIS_PALETTE).tolist()
GREYS = [level * 0x010101 for level in range(256)]


class MaskCodes(NamedTuple):
    """The content of a mask file."""

    codes: np.ndarray  # H, W int32; 0 for the background
    is_colour: bool  # whether the codes are colours rather than ids
    palette: np.ndarray | None = None  # 256 colours, for an indexed file
    # Whether colours tell the objects apart, so that their numbers may be meaningless. False for
    # the palettes of DAVIS and of grey images, and where two numbers share a colour.
    is_free: bool = False

    def shades(self) -> np.ndarray:
        """The codes (H, W) or, if the palette tells objects apart, their colours."""
        if self.palette is None or self.is_colour or not self.is_free:
            return self.codes
        return np.where(self.codes == 0, 0, self.palette[self.codes])


def read_codes(path: str | Path) -> MaskCodes:
    """Read a mask file written by a program, turned upright according to its EXIF orientation.

    Modes P, L, 1, I, I;16, and F with whole numbers, hold ids. RGB, RGBA, LA and PA hold colours;
    black pixels, and those more transparent than opaque, are background. Others raise UserError.
    """
    with open_image(path) as image:
        return codes_of(path, ImageOps.exif_transpose(image))


def read_drawn_codes(path: str | Path) -> MaskCodes:
    """Read a mask file as a person sees it: like `read_codes`, but palettes count.

    An indexed file whose entry 0 is neither black nor transparent holds colours.
    """
    with open_image(path) as image:
        image = ImageOps.exif_transpose(image)
        found = codes_of(path, image)
        if image.mode != 'P':
            return found
        palette = colour_codes(palette_of(image))
        transparent = transparent_entries(image)
    if palette[0] == 0 or transparent[0]:
        is_free = has_own_palette(found.codes, palette)
        return found._replace(palette=palette, is_free=is_free)
    codes = np.where(transparent, 0, palette)[found.codes]
    return MaskCodes(codes, is_colour=True, palette=palette, is_free=True)


def has_own_palette(numbers: np.ndarray, palette: np.ndarray) -> bool:
    """Whether `MaskCodes.is_free` holds for an indexed file: numbers (H, W), 256 colours."""
    used = np.flatnonzero(np.bincount(numbers.ravel(), minlength=256)[1:]) + 1
    colours = palette[used].tolist()
    usual = ([entries[number] for number in used] for entries in (DAVIS_COLOURS, GREYS))
    return colours not in usual and len({0, *colours}) == 1 + len(used)


def codes_of(path: str | Path, image: Image.Image) -> MaskCodes:
    """The content of an opened mask file; see `read_codes`."""
    if image.mode in ('P', 'L', '1') or image.mode.startswith('I'):
        return MaskCodes(np.array(image).astype(np.int32), is_colour=False)
    if image.mode == 'F':
        values = np.array(image)
        if not (values == values.round().clip(0, 0xFFFF)).all():
            raise UserError(
                f'{path}: a mask cannot hold fractions; save it as an indexed, grey or RGB PNG'
            )
        return MaskCodes(values.astype(np.int32), is_colour=False)
    if image.mode not in ('RGB', 'RGBA', 'LA', 'PA'):
        raise UserError(
            f'{path}: a mask cannot have mode {image.mode}; save it as an indexed, grey or RGB PNG'
        )
    rgba = np.array(image.convert('RGBA'))
    codes = np.where(rgba[..., 3] < 128, 0, colour_codes(rgba))
    return MaskCodes(codes, is_colour=True, is_free=True)


def palette_of(image: Image.Image) -> np.ndarray:
    """The palette of an image, uint8 (256, 3); missing entries come from DAVIS_PALETTE."""
    colours = image.getpalette() if image.mode == 'P' else None
    palette = DAVIS_PALETTE.copy()
    if colours:
        palette.flat[: len(colours)] = colours
    return palette


def transparent_entries(image: Image.Image) -> np.ndarray:
    """bool (256,): which entries of an indexed image's palette are more transparent than opaque."""
    alpha = np.full(256, 255, np.uint8)
    found = image.info.get('transparency')
    if isinstance(found, bytes):
        alpha[: len(found)] = np.frombuffer(found, np.uint8)
    elif isinstance(found, int):
        alpha[found] = 0
    return alpha < 128


def any_void(masks: Iterable[Collection[int]]) -> bool:
    """Whether 255 means "not labelled" in a video: some mask holds it beside smaller ids.

    masks: the ids in each mask.
    """
    return any(VOID in ids and any(0 < number < VOID for number in ids) for ids in masks)


def codes_in(codes: np.ndarray) -> list[int]:
    """The distinct codes in a mask, sorted, without the background."""
    return np.unique(codes[codes != 0]).tolist()
