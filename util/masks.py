"""Index masks: reading them from whatever people have, and writing them.

A mask is a (H, W) array of object ids, 0 the background. Legend: H W its size.
"""

import cv2
import numpy as np
from PIL import Image

from util.errors import UserError
from util.files import whole_file
from util.images import open_image

MAX_SOFT_IDS = 2  # an outline in a colour of its own is none; an interpolated border gives many


def voc_palette():
    """The palette of PASCAL VOC, which DAVIS uses too: the index's bits spread; uint8 (256, 3)."""
    index = np.arange(256)
    palette = np.zeros((256, 3), int)
    for bit in range(8):
        for channel in range(3):
            palette[:, channel] |= ((index >> (3 * bit + channel)) & 1) << (7 - bit)
    return palette.astype(np.uint8)


DAVIS_PALETTE = voc_palette()


def save_mask(path, mask, palette=DAVIS_PALETTE):
    """Write a uint8 mask (H, W) as an indexed PNG."""
    image = Image.fromarray(np.ascontiguousarray(mask, np.uint8), mode='P')
    image.putpalette(np.ascontiguousarray(palette, np.uint8).tobytes())
    with whole_file(path) as part:
        image.save(part, format='PNG')


def load_mask(path):
    """An index mask that a program wrote (P, L or 1): uint8 (H, W). Colours are refused."""
    codes, is_colour = read_codes(path)
    if is_colour or codes.max(initial=0) > 255:
        raise UserError(f'{path}: not a mask of object ids up to 255')
    return codes.astype(np.uint8)


def read_codes(path):
    """A mask image as one number per pixel, and whether these are colours (0xRRGGBB) or ids.

    P, L, 1, I and I;16 hold ids; RGB and RGBA hold colours, where black and what is more
    transparent than not are background. -> int32 (H, W), bool.
    """
    with open_image(path) as image:
        if image.mode in ('P', 'L', '1') or image.mode.startswith('I'):
            return np.array(image).astype(np.int32), False
        if image.mode not in ('RGB', 'RGBA', 'LA', 'PA'):
            raise UserError(
                f'{path}: a mask cannot be {image.mode}; save it as an indexed, grey or RGB PNG'
            )
        rgba = np.array(image.convert('RGBA')).astype(np.int32)
    codes = rgba[..., 0] << 16 | rgba[..., 1] << 8 | rgba[..., 2]
    return np.where(rgba[..., 3] < 128, 0, codes), True


class MaskReader:
    """The masks of one video: checked together at the start, read one by one later.

    paths: the files. clean: snap soft borders instead of refusing them. Attributes: `ids`, a dict
    path -> ids in it; `colours`, a dict '#rrggbb' -> id (empty unless the masks hold colours);
    sorted by red, green, blue over all the files, so that a colour is the same object in each.
    Raises UserError for a mask without objects, with soft borders or with ids over 255.
    """

    def __init__(self, paths, *, clean=False):
        self.clean = clean
        self.cleaned = []  # sentences about what was snapped
        codes, kinds = {}, {}
        for path in paths:
            mask, kinds[path], snapped_from = self._read(path)
            codes[path] = np.unique(mask[mask != 0]).tolist()
            if snapped_from:
                self.cleaned.append(f'{path}: {snapped_from} ids snapped to {len(codes[path])}')
        if len(set(kinds.values())) == 2:
            first = {kind: path for path, kind in kinds.items()}
            raise UserError(f'{first[True]} holds colours, {first[False]} ids; make them one kind')
        every = sorted(set().union(*codes.values())) if codes else []
        self.colours = {}
        self._id_of = {code: code for code in every}
        if any(kinds.values()):
            self._id_of = {code: number for number, code in enumerate(every, 1)}
            self.colours = {f'#{code:06x}': number for code, number in self._id_of.items()}
        if any(not 0 < number <= 255 for number in self._id_of.values()):
            path = next(p for p in codes if any(not 0 < self._id_of[c] <= 255 for c in codes[p]))
            raise UserError(
                f'{path}: ids up to {max(self._id_of.values())}; ids must lie in 1..255'
            )
        self.ids = {path: sorted(self._id_of[code] for code in codes[path]) for path in paths}
        if not every:
            names = ', '.join(str(path) for path in paths[:3])
            raise UserError(f'{names}: a mask without objects (every pixel is background)')

    def read(self, path):
        """-> uint8 (H, W) of ids."""
        mask, _, _ = self._read(path)
        out = np.zeros(mask.shape, np.uint8)
        for code in np.unique(mask[mask != 0]).tolist():
            out[mask == code] = self._id_of[code]
        return out

    def _read(self, path):
        """-> codes (H, W), whether they are colours, the number of ids before snapping (or 0)."""
        codes, is_colour = read_codes(path)
        if len(soft_codes(codes)) <= MAX_SOFT_IDS:
            return codes, is_colour, 0
        number = len(np.unique(codes[codes != 0]))
        if not self.clean:
            raise UserError(
                f'{path}: soft borders, {number} ids instead of a few objects; scale masks with '
                'nearest neighbour and save them without compression loss, or pass --clean_mask'
            )
        return snap(codes), is_colour, number


def flat(codes):
    """Which pixels of (H, W) equal all their eight neighbours."""
    codes = codes.astype(np.float32)  # exact up to 2^24
    kernel = np.ones((3, 3), np.uint8)
    return cv2.erode(codes, kernel) == cv2.dilate(codes, kernel)


def soft_codes(codes):
    """The values of a mask (H, W) that only make up borders, as interpolation leaves them.

    Such a value has no pixel whose eight neighbours share it, and most of its pixels see at least
    two other values. A tiny object sees only what lies around it.
    """
    rows, columns = np.nonzero(~np.isin(codes, np.unique(codes[flat(codes)])))
    if not len(rows):
        return []
    padded = np.pad(codes, 1, mode='edge')
    seen = [padded[rows + y, columns + x] for y in range(3) for x in range(3)]
    seen = np.sort(seen, 0)  # 9, pixels
    num_values = 1 + (seen[1:] != seen[:-1]).sum(0)
    values, which = np.unique(codes[rows, columns], return_inverse=True)
    share = np.bincount(which, num_values >= 3) / np.bincount(which)
    return values[(share > 0.5) & (values != 0)].tolist()


def snap(codes):
    """Give every pixel of a soft border the value of the nearest solid pixel.

    Solid are the background and the values with an area: at least a fiftieth of the largest
    one's, so that the flat specks of JPEG compression count as border too.
    """
    values, areas = np.unique(codes[flat(codes) & (codes != 0)], return_counts=True)
    solid = values[areas * 50 >= areas.max()] if len(values) else values
    keep = np.isin(codes, [0, *solid])
    _, nearest = cv2.distanceTransformWithLabels(
        (~keep).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    value_of = np.zeros(nearest.max() + 1, codes.dtype)
    value_of[nearest[keep]] = codes[keep]
    return value_of[nearest]
