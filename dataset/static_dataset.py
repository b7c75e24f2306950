"""Stage 0: three views of one image and its object, as if it were a short video."""

from pathlib import Path

import numpy as np
from PIL import ImageOps
from torch.utils.data import Dataset

from dataset.samples import NUM_FRAMES, make_sample, read_picture
from dataset.tps import ThinPlateWarp
from dataset.transforms import Affine, Jitter, Window, flip, resize
from dataset.video import fit_mask, size_for_network
from util.errors import UserError
from util.files import list_files
from util.folders import walk
from util.images import open_image

IMAGE_SUFFIXES, MASK_SUFFIXES = ('.jpg', '.jpeg'), ('.png',)
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


def find_pairs(folder):
    """Every x.jpg with its x.png below a folder, in order -> list of (image path, mask path).

    Raises UserError if one of the two is missing, or if there are none.
    """
    pairs, alone = match_pairs(folder)
    if alone:
        raise UserError(f'{without_partner(alone[0])} ({len(alone)} such files in all)')
    if not pairs:
        raise UserError(f'{folder}: no pairs x.jpg, x.png in it')
    return pairs


def without_partner(path):
    lacking = 'mask .png' if path.suffix.lower() in IMAGE_SUFFIXES else 'image .jpg'
    return f'{path}: its {lacking} of the same name is missing beside it'


def match_pairs(folder):
    """-> list of (image path, mask path), list of the files without a partner."""
    if not Path(folder).is_dir():
        raise UserError(f'{folder}: no such folder')
    pairs, alone = [], []
    for place in walk(folder):
        images = {path.stem: path for path in list_files(place, IMAGE_SUFFIXES)}
        masks = {path.stem: path for path in list_files(place, MASK_SUFFIXES)}
        pairs += [(path, masks[stem]) for stem, path in images.items() if stem in masks]
        alone += [path for stem, path in images.items() if stem not in masks]
        alone += [path for stem, path in masks.items() if stem not in images]
    return pairs, alone
