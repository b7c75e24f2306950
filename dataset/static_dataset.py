"""Stage 0: three views of one image and its object, as if it were a short video."""

import numpy as np
from PIL import ImageOps
from torch.utils.data import Dataset

from dataset.samples import NUM_FRAMES, make_sample, read_picture
from dataset.sizes import fit_mask, size_for_network
from dataset.tps import ThinPlateWarp
from dataset.transforms import Affine, Jitter, Window, flip, resize
from util.images import open_image

WARPED = 0.33  # of the views


class StaticDataset(Dataset):
    """Samples of one object. They depend on seed, epoch and index only.

    pairs: list of (image path, mask path). short_side: to which pictures are scaled before the
    crop. Call `set_epoch` before a DataLoader's workers start.
    """

    def __init__(self, pairs, *, crop=384, short_side=384, seed=0):
        self.pairs = pairs
        self.crop = crop
        self.short_side = short_side
        self.seed = seed
        self.set_epoch(0)

    def set_epoch(self, epoch):
        self.epoch = epoch

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, index):
        return self.sample(index, np.random.default_rng((self.seed, self.epoch, index)))

    def sample(self, index, rng):
        image, mask = read_pair(*self.pairs[index])
        # first, and not after the turns as published: it comes to the same, and they cost less
        size = size_for_network(self.pairs[index][0], mask.shape, self.short_side)
        image, mask = resize(image, size), resize(mask, size)
        zoom = Affine.sample(rng, scale=(0.8, 1.5))
        image, mask = zoom(image), zoom(mask)
        if rng.random() < 0.5:
            image, mask = flip(image), flip(mask)
        image = Jitter.sample(rng, 0.1, 0.05, 0.05, 0.05, grey=0.05)(image)
        views = [view(rng, image, mask, self.crop) for _ in range(NUM_FRAMES)]
        images, masks = zip(*views, strict=True)
        return make_sample(images, masks, [1], 1, str(self.pairs[index][0]))


def view(rng, image, mask, crop):
    """-> an image and its mask, (crop, crop)."""
    turn = Affine.sample(rng, degrees=20, scale=(0.9, 1.1), shear=10)
    window = Window.sample(rng, mask.shape, crop)
    image, mask = turn(image, window), turn(mask, window)
    image = Jitter.sample(rng, 0.1, 0.05, 0.05)(image)
    if rng.random() < WARPED:
        image, mask = ThinPlateWarp.sample(rng)(image, mask)
    return image, mask


def read_pair(image_path, mask_path):
    """-> uint8 (H, W, 3), uint8 (H, W) of 0 and 1."""
    image = read_picture(image_path)
    return image, fit_mask(mask_path, read_foreground(mask_path), image.shape[:2])


def read_foreground(path):
    """A mask of one object -> uint8 (H, W) of 0 and 1.

    Grey and RGB masks are cut at half of white. Indexed ones, and grey ones without a bright pixel,
    hold ids; any id is the object.
    """
    with open_image(path) as image:
        image = ImageOps.exif_transpose(image)
        if image.mode == 'P':
            return (np.array(image) > 0).astype(np.uint8)
        values = np.array(image.convert('L'))
    return (values > (127 if values.max(initial=0) > 127 else 0)).astype(np.uint8)
