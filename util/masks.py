"""Index masks: reading them from whatever people have, and writing them.

A mask is a (H, W) array of object ids, 0 for the background. Codes are the pixels of a mask file
as numbers: ids, or colours as 0xRRGGBB. Legend: H W the size of the mask.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from util.errors import UserError
from util.files import atomic_write
from util.images import open_image
from util.soft_masks import has_noise, is_soft, snap


def voc_palette() -> np.ndarray:
    """PASCAL VOC's palette, uint8 (256, 3); DAVIS's palette begins with the same colours."""
    index = np.arange(256)  # its bits are spread over the three channels
    palette = np.zeros((256, 3), int)
    for bit in range(8):
        for channel in range(3):
            palette[:, channel] |= ((index >> (3 * bit + channel)) & 1) << (7 - bit)
    return palette.astype(np.uint8)


DAVIS_PALETTE = voc_palette()


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
        colours = image.getpalette() if image.mode == 'P' else None
    palette = DAVIS_PALETTE.copy()
    if colours:
        palette.flat[: len(colours)] = colours
    return palette


def load_foreground(path: str | Path) -> np.ndarray:
    """Read a mask of any kind as uint8 (H, W): 1 for every pixel that is not background, else 0.

    Anything but 0 (or black) counts, however dark. The masks of the static training images, whose
    greys are cut at half of white, are read by `dataset.static_dataset.read_foreground` instead.
    """
    return (read_codes(path).codes > 0).astype(np.uint8)


def load_mask(path: str | Path) -> np.ndarray:
    """Read a mask of ids that a program wrote as uint8 (H, W). Colours raise UserError."""
    codes, is_colour = read_codes(path)
    if is_colour or codes.max(initial=0) > 255:
        raise UserError(f'{path}: not a mask of object ids up to 255')
    return codes.astype(np.uint8)


class MaskCodes(NamedTuple):
    """What `read_codes` finds in a mask file."""

    codes: np.ndarray  # H, W int32; 0 for the background
    is_colour: bool  # whether the codes are colours rather than ids


def read_codes(path: str | Path) -> MaskCodes:
    """Read a mask file of any kind, turned upright as its EXIF orientation says.

    Modes P, L, 1, I and I;16 hold ids. RGB, RGBA, LA and PA hold colours, where black and pixels
    that are more transparent than opaque are background. Others raise UserError.
    """
    with open_image(path) as image:
        image = ImageOps.exif_transpose(image)
        if image.mode in ('P', 'L', '1') or image.mode.startswith('I'):
            return MaskCodes(np.array(image).astype(np.int32), is_colour=False)
        if image.mode not in ('RGB', 'RGBA', 'LA', 'PA'):
            raise UserError(
                f'{path}: a mask cannot be {image.mode}; save it as an indexed, grey or RGB PNG'
            )
        rgba = np.array(image.convert('RGBA')).astype(np.int32)
    codes = rgba[..., 0] << 16 | rgba[..., 1] << 8 | rgba[..., 2]
    return MaskCodes(np.where(rgba[..., 3] < 128, 0, codes), is_colour=True)


def codes_in(codes: np.ndarray) -> list[int]:
    """The distinct codes in a mask, sorted, without the background."""
    return np.unique(codes[codes != 0]).tolist()


class MaskReader:
    """The masks of one video: all of them are checked at the start, and read one by one later.

    Arguments:
        paths: the mask files.
        clean: snap soft borders to solid areas instead of refusing them.

    Attributes:
        ids: dict path -> the ids in that mask, sorted.
        sizes: dict path -> (H, W).
        colours: dict '#rrggbb' -> id, empty if the masks hold ids. Ids follow red, green and blue
            over all masks, so that a colour is the same object in each of them.
        cleaned: a sentence on each mask that was snapped.

    Raises UserError for masks without objects, with soft borders, or with ids over 255.
    """

    def __init__(self, paths: Sequence[Path], *, clean: bool = False) -> None:
        self.sizes: dict[Path, tuple[int, int]] = {}
        self.cleaned: list[str] = []
        self._soft: set[Path] = set()
        # 1. Read every mask once.
        codes_of: dict[Path, list[int]] = {}
        examples: dict[bool, Path] = {}  # whether a mask holds colours -> a mask of that kind
        for path in paths:
            codes, is_colour = read_codes(path)
            height, width = codes.shape
            self.sizes[path] = height, width
            if has_soft_borders(path, codes):
                codes = self._clean(path, codes, clean)
            codes_of[path] = codes_in(codes)
            if codes_of[path]:
                examples[is_colour] = path
        if len(examples) == 2:
            raise UserError(
                f'{examples[True]} holds colours, {examples[False]} ids; make them one kind'
            )
        # 2. Number the objects: ids stay, colours are counted over all masks.
        every = sorted({code for codes in codes_of.values() for code in codes})
        if not every:
            names = ', '.join(str(path) for path in paths[:3])
            raise UserError(
                f'{names}: a mask without objects, every pixel is background (0); draw some'
            )
        self._id_of = {code: code for code in every}
        self.colours: dict[str, int] = {}
        if True in examples:
            self._id_of = {code: number for number, code in enumerate(every, 1)}
            self.colours = {f'#{code:06x}': number for code, number in self._id_of.items()}
        if len(self.colours) > 255:
            raise UserError(f'{paths[0]}: {len(self.colours)} colours in all masks; 255 at most')
        self.ids = {path: [self._id_of[code] for code in codes_of[path]] for path in paths}
        for path, ids in self.ids.items():
            if wrong := [number for number in ids if not 1 <= number <= 255]:
                raise UserError(
                    f'{path}: holds id {wrong[-1]}; ids must lie in 1..255, renumber them'
                )

    def read(self, path: Path) -> np.ndarray:
        """Read one of the masks as uint8 (H, W) of ids."""
        codes = read_codes(path).codes
        if path in self._soft:
            codes = snap(codes)
        out = np.zeros(codes.shape, np.uint8)
        for code in codes_in(codes):
            out[codes == code] = self._id_of[code]
        return out

    def _clean(self, path: Path, codes: np.ndarray, clean: bool) -> np.ndarray:
        number = len(codes_in(codes))
        if not clean:
            raise UserError(
                f'{path}: soft borders, {number} ids instead of a few objects; scale masks with '
                'nearest neighbour and save them without lossy compression, or have them cleaned',
                parameter='clean',
            )
        self._soft.add(path)
        codes = snap(codes)
        self.cleaned.append(f'{path}: {number} ids snapped to {len(codes_in(codes))}')
        return codes


def has_soft_borders(path: Path, codes: np.ndarray) -> bool:
    """Whether a mask file was interpolated or lossily compressed."""
    is_jpeg = path.suffix.lower() in ('.jpg', '.jpeg')
    return is_soft(codes) or (is_jpeg and has_noise(codes))
