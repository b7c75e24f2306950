"""Reading the masks that people bring for a video, whatever their kind.

A mask is a (H, W) array of object ids, 0 for the background. Legend: H W the size of the mask.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from util.errors import UserError
from util.images import JPEG_SUFFIXES
from util.masks.codes import VOID, MaskCodes, codes_in, read_drawn_codes
from util.masks.ids import MaskFile, number_objects, some
from util.masks.soft import has_noise, is_soft, snap

FULL_16_BIT = 0xFFFF  # white in a 16-bit matte


class MaskReader:
    """The masks of one video: all of them are checked at the start, and read one by one later.

    Arguments:
        paths: the mask files.
        clean: snap soft borders to solid areas instead of refusing them.

    Attributes:
        ids: dict path -> the ids in that mask, sorted. Which they are: `util.masks.ids`.
        sizes: dict path -> (H, W).
        colours: dict '#rrggbb' -> id, empty if the masks hold ids. A colour is the same object in
            each of them.
        notes: sentences on masks that were snapped, or read otherwise than one might expect.

    Raises UserError for masks without objects, with soft borders, or with ids over 255.
    """

    def __init__(self, paths: Sequence[Path], *, clean: bool = False) -> None:
        self.sizes: dict[Path, tuple[int, int]] = {}
        self.notes: list[str] = []
        self._soft: set[Path] = set()
        backgrounds: dict[Path, int] = {}
        # 1. Read every mask once, and number the objects in them.
        files = {path: self._look_at(path, clean, backgrounds) for path in paths}
        if not any(file.codes for file in files.values()):
            names = ', '.join(str(path) for path in paths[:3])
            raise UserError(
                f'{names}: a mask without objects, every pixel is background (0); draw some'
            )
        numbering = number_objects(files)
        self._id_of, self.colours = numbering.id_of, numbering.colours
        self.ids = {path: sorted({*self._id_of.get(path, {}).values()}) for path in paths}
        # 2. Refuse ids that a mask cannot have.
        if len(self.colours) > 255:
            raise UserError(f'{paths[0]}: {len(self.colours)} colours in all masks; 255 at most')
        for path, ids in self.ids.items():
            if wrong := [number for number in ids if not 1 <= number <= 255]:
                raise UserError(
                    f'{path}: holds id {wrong[-1]}; ids must lie in 1..255, renumber them (the '
                    '16-bit ids of VIPSeg or BURST are not supported)'
                )
        # 3. Tell the user what may be a mistake.
        self.notes += numbering.notes
        large = [path for path, code in backgrounds.items() if code in self._id_of[path]]
        if large:
            number = self._id_of[large[0]][backgrounds[large[0]]]
            self.notes.append(
                f'{some(large)}: object {number} covers most of the image and touches all four '
                'borders; if it is the background, make it black (0)'
            )

    def _look_at(self, path: Path, clean: bool, backgrounds: dict[Path, int]) -> MaskFile:
        """Read a mask, note its size, and note the code that may be its background, if any."""
        found = read_drawn_codes(path)
        height, width = found.codes.shape
        self.sizes[path] = height, width
        if has_soft_borders(path, found.shades()):
            found = self._clean(path, found, clean)
        found = without_matte(found)
        if code := surrounding_code(found.codes):
            backgrounds[path] = code
        palette = None if found.palette is None else found.palette.tolist()
        return MaskFile(codes_in(found.codes), found.is_colour, found.is_free, palette)

    def read(self, path: Path) -> np.ndarray:
        """Read one of the masks as uint8 (H, W) of ids."""
        found = read_drawn_codes(path)
        if path in self._soft:
            found = snapped(found)
        codes = without_matte(found).codes
        out = np.zeros(codes.shape, np.uint8)
        for code, number in self._id_of.get(path, {}).items():
            out[codes == code] = number
        return out

    def _clean(self, path: Path, found: MaskCodes, clean: bool) -> MaskCodes:
        number = len(codes_in(found.codes))
        if not clean:
            raise UserError(
                f'{path}: soft borders, {number} ids instead of a few objects; scale masks with '
                'nearest neighbour and save them without lossy compression, or have them cleaned',
                parameter='clean',
            )
        self._soft.add(path)
        found = snapped(found)
        self.notes.append(f'{path}: {number} ids snapped to {len(codes_in(found.codes))}')
        return found


def has_soft_borders(path: Path, codes: np.ndarray) -> bool:
    """Whether a mask file was interpolated or lossily compressed."""
    is_jpeg = path.suffix.lower() in JPEG_SUFFIXES
    return is_soft(codes) or (is_jpeg and has_noise(codes))


def snapped(found: MaskCodes) -> MaskCodes:
    """A soft mask with its pixels snapped to solid areas."""
    shades = found.shades()
    clean = snap(shades)
    if shades is found.codes:
        return found._replace(codes=clean)
    codes = np.zeros_like(found.codes)  # an indexed file: back from colours to numbers
    for colour in codes_in(clean):
        codes[clean == colour] = found.codes[shades == colour][0]
    return found._replace(codes=codes)


def without_matte(found: MaskCodes) -> MaskCodes:
    """Turn the largest 16-bit number into the largest id: white, or void beside smaller ids."""
    codes = found.codes
    if found.is_colour or found.palette is not None or VOID in codes:
        return found
    return found._replace(codes=np.where(codes == FULL_16_BIT, VOID, codes))


def surrounding_code(codes: np.ndarray) -> int:
    """The code that covers most of a mask and touches all its borders; 0 if there is none."""
    borders = (codes[0], codes[-1], codes[:, 0], codes[:, -1])
    on_all = set.intersection(*({*codes_in(border)} for border in borders))
    return next((code for code in on_all if (codes == code).sum() > codes.size / 2), 0)
