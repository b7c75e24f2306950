"""Index masks: reading them from whatever people have, and writing them.

A mask is a (H, W) array of object ids, 0 the background. Legend: H W its size.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from util.errors import UserError
from util.files import atomic_write
from util.images import open_image
from util.soft_masks import has_noise, is_soft, snap


def voc_palette():
    """PASCAL VOC's palette, the index's bits spread: uint8 (256, 3). DAVIS's begins like it."""
    index = np.arange(256)
    palette = np.zeros((256, 3), int)
    for bit in range(8):
        for channel in range(3):
            palette[:, channel] |= ((index >> (3 * bit + channel)) & 1) << (7 - bit)
    return palette.astype(np.uint8)


DAVIS_PALETTE = voc_palette()


def save_mask(path, mask, palette=DAVIS_PALETTE):
    """Write a uint8 mask (H, W) as an indexed PNG, or a grey one if `palette` is None."""
    image = Image.fromarray(np.ascontiguousarray(mask, np.uint8))
    if palette is not None:
        image.putpalette(palette.tobytes())
    with atomic_write(path) as part:
        image.save(part, format='PNG')


def read_palette(path):
    """The palette of an indexed mask, uint8 (256, 3); DAVIS_PALETTE for one of another kind."""
    with open_image(path) as image:
        colours = image.getpalette() if image.mode == 'P' else None
    palette = DAVIS_PALETTE.copy()
    if colours:
        palette.flat[: len(colours)] = colours
    return palette


def load_foreground(path):
    """A mask of any kind, colours too: uint8 (H, W), 1 where it is not background."""
    return (read_codes(path)[0] > 0).astype(np.uint8)


def load_mask(path):
    """An index mask that a program wrote (P, L or 1): uint8 (H, W). Colours are refused."""
    codes, is_colour = read_codes(path)
    if is_colour or codes.max(initial=0) > 255:
        raise UserError(f'{path}: not a mask of object ids up to 255')
    return codes.astype(np.uint8)


def read_codes(path):
    """A mask image as one number per pixel, and whether these are colours (0xRRGGBB) or ids.

    P, L, 1, I and I;16 hold ids; RGB and RGBA hold colours, where black and what is more
    transparent than not are background. Turned upright like a picture, where the file says so.
    -> int32 (H, W), bool.
    """
    with open_image(path) as image:
        image = ImageOps.exif_transpose(image)
        if image.mode in ('P', 'L', '1') or image.mode.startswith('I'):
            return np.array(image).astype(np.int32), False
        if image.mode not in ('RGB', 'RGBA', 'LA', 'PA'):
            raise UserError(
                f'{path}: a mask cannot be {image.mode}; save it as an indexed, grey or RGB PNG'
            )
        rgba = np.array(image.convert('RGBA')).astype(np.int32)
    codes = rgba[..., 0] << 16 | rgba[..., 1] << 8 | rgba[..., 2]
    return np.where(rgba[..., 3] < 128, 0, codes), True


def present(codes):
    """The codes in a mask, without the background."""
    return np.unique(codes[codes != 0]).tolist()


class MaskReader:
    """The masks of one video: checked together at the start, read one by one later.

    paths: the files. clean: snap soft borders instead of refusing them. Attributes: `ids`, a dict
    path -> ids in it; `sizes`, a dict path -> (H, W); `colours`, a dict '#rrggbb' -> id (empty
    unless the masks hold colours); sorted by red, green, blue over all the files, so that a colour
    is the same object in each; `cleaned`, sentences about what was snapped.
    Raises UserError for masks without objects, with soft borders or with ids over 255.
    """

    def __init__(self, paths, *, clean=False):
        self.sizes, self.cleaned = {}, []
        self._soft = set()
        codes, kinds = {}, {}
        for path in paths:
            mask, is_colour, soft = self._read(path)
            self.sizes[path] = mask.shape
            if soft:
                mask = self._clean(path, mask, clean)
            codes[path] = present(mask)
            if codes[path]:
                kinds[is_colour] = path
        if len(kinds) == 2:
            raise UserError(f'{kinds[True]} holds colours, {kinds[False]} ids; make them one kind')
        every = sorted(set().union(*codes.values()))
        if not every:
            names = ', '.join(str(path) for path in paths[:3])
            raise UserError(
                f'{names}: a mask without objects, every pixel is background (0); draw some'
            )
        self.colours = {}
        self._id_of = {code: code for code in every}
        if True in kinds:
            self._id_of = {code: number for number, code in enumerate(every, 1)}
            self.colours = {f'#{code:06x}': number for code, number in self._id_of.items()}
        self.ids = {path: sorted(self._id_of[code] for code in codes[path]) for path in paths}
        if len(self.colours) > 255:
            raise UserError(f'{paths[0]}: {len(self.colours)} colours in all masks; 255 at most')
        for path, ids in self.ids.items():
            if ids and not (ids[0] > 0 and ids[-1] <= 255):
                raise UserError(
                    f'{path}: holds id {ids[-1]}; ids must lie in 1..255, renumber them'
                )

    def read(self, path):
        """-> uint8 (H, W) of ids."""
        codes, _ = read_codes(path)
        if path in self._soft:
            codes = snap(codes)
        out = np.zeros(codes.shape, np.uint8)
        for code in present(codes):
            out[codes == code] = self._id_of[code]
        return out

    def _clean(self, path, codes, clean):
        number = len(present(codes))
        if not clean:
            raise UserError(
                f'{path}: soft borders, {number} ids instead of a few objects; scale masks with '
                'nearest neighbour and save them without compression loss, or pass --clean_mask'
            )
        self._soft.add(path)
        codes = snap(codes)
        self.cleaned.append(f'{path}: {number} ids snapped to {len(present(codes))}')
        return codes

    def _read(self, path):
        """-> codes (H, W) as the file has them, whether they are colours, whether to be cleaned."""
        codes, is_colour = read_codes(path)
        is_jpeg = Path(path).suffix.lower() in ('.jpg', '.jpeg')
        return codes, is_colour, is_soft(codes) or (is_jpeg and has_noise(codes))
