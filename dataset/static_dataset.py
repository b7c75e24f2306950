"""Stage 0: three views of one image and its object, as if they were frames of a short video.

Differences from the published code, which gives the network masks with soft borders (2.6 % of their
pixels lie between 0.01 and 0.99) and thresholds them at 0.5 for the loss and the IoU only: masks
are hard here (`read_foreground`). Zooms are bicubic (`StaticDataset.sample`), not nearest
neighbour. Warps are cubic and filled with the mean colour (`dataset.tps`), not linear and black.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import ImageOps

from dataset.layout import Pair
from dataset.samples import NUM_FRAMES, RawSample, Sample, make_sample, read_image_fast
from dataset.sizes import fit_mask, size_for_network
from dataset.tps import ThinPlateWarp
from dataset.transforms import Affine, Jitter, Window, flip, resize
from util.images import open_image
from util.masks.codes import VOID, any_void, codes_in, read_drawn_codes

WARPED = 0.33  # share of the views that are warped


class StaticDataset:
    """Samples of static images with one object each.

    short_side: to which images are scaled before the crop.
    """

    def __init__(self, pairs: Sequence[Pair], *, crop: int = 384, short_side: int = 384) -> None:
        self.pairs = pairs
        self.crop = crop
        self.short_side = short_side

    def __len__(self) -> int:
        return len(self.pairs)

    def sample(self, index: int, rng: np.random.Generator, max_skip: int = 0) -> Sample:
        """A sample of image `index`; max_skip, which matters for videos only, is ignored."""
        image_path, mask_path = self.pairs[index]
        image, mask = read_pair(image_path, mask_path)
        # the published code scales after the affine transforms; before them, it costs less and the
        # views are drawn from the same distribution
        size = size_for_network(image_path, mask.shape, self.short_side)
        image, mask = resize(image, size), resize(mask, size)
        zoom = Affine.sample(rng, scale=(0.8, 1.5))  # bicubic; published: nearest neighbour
        image, mask = zoom(image), zoom(mask)
        if rng.random() < 0.5:
            image, mask = flip(image), flip(mask)
        image = Jitter.sample(rng, 0.1, 0.05, 0.05, 0.05, grey=0.05)(image)
        views = [draw_view(rng, image, mask, self.crop) for _ in range(NUM_FRAMES)]
        images, masks = (list(arrays) for arrays in zip(*views, strict=True))
        return make_sample(RawSample(images, masks, str(image_path)), [1], 1)


def draw_view(
    rng: np.random.Generator, image: np.ndarray, mask: np.ndarray, crop: int
) -> tuple[np.ndarray, np.ndarray]:
    """One view of an image and of its mask, both (crop, crop).

    It is turned, scaled, sheared, shifted and recoloured, and sometimes warped.
    """
    turn = Affine.sample(rng, degrees=20, scale=(0.9, 1.1), shear=10)
    window = Window.sample(rng, mask.shape, crop)
    image, mask = turn(image, window), turn(mask, window)
    image = Jitter.sample(rng, 0.1, 0.05, 0.05)(image)
    if rng.random() < WARPED:
        image, mask = ThinPlateWarp.sample(rng)(image, mask)
    return image, mask


def read_pair(image_path: Path, mask_path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read an image, uint8 (H, W, 3), and its mask, uint8 (H, W) of 0, 1 and VOID."""
    image = read_image_fast(image_path)
    return image, fit_mask(mask_path, read_foreground(mask_path), image.shape[:2])


def read_foreground(path: Path) -> np.ndarray:
    """Read the mask of one object: uint8 (H, W) of 0 and 1, and VOID in indexed files.

    Grey and RGB masks are cut at half of white. Indexed ones, and grey ones without a bright pixel,
    hold ids; any id is the object. The published code thresholds later: see the top of this file.
    """
    with open_image(path) as image:
        image = ImageOps.exif_transpose(image)
        is_indexed = image.mode == 'P'
        values = np.array(image.convert('L'))
    if is_indexed:
        found = read_drawn_codes(path)
        values = (found.codes > 0).astype(np.uint8)
        if not found.is_colour and any_void([codes_in(found.codes)]):
            values[found.codes == VOID] = VOID
        return values
    return (values > (127 if values.max(initial=0) > 127 else 0)).astype(np.uint8)
