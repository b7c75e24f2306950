"""Stages 1 and 2: three frames of a video with one or two of its objects.

A tree of videos is JPEGImages/<video>/<frame>.jpg and Annotations/<video>/<frame>.png, or the same
one folder deeper, in 480p/.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from torch.utils.data import Dataset

from dataset.layout import match_frames, tree_folders, video_names
from dataset.samples import NUM_FRAMES, make_sample, read_picture
from dataset.sizes import check_size, fit_mask, scaled
from dataset.transforms import Affine, Jitter, ResizedCrop, resize
from util.errors import UserError
from util.masks import load_mask

MAX_TRIES = 5  # to find frames that show an object
CROP_SCALE, BL30K_CROP_SCALE = (0.36, 1.0), (0.25, 1.0)  # shares of the frame's area


class VOSDataset(Dataset):
    """Samples of up to `objects` objects. They depend on seed, epoch and index only.

    videos: list of (name, image paths, mask paths). max_skip: the largest distance between two
    frames, in frames of 1 / `skip_divisor`. short_side: larger frames are scaled down to it first.
    bl30k: its rules for crops and objects. Call `set_epoch` before a DataLoader's workers start.
    """

    def __init__(
        self,
        videos,
        *,
        max_skip,
        objects=2,
        crop=384,
        short_side=None,
        bl30k=False,
        skip_divisor=1,
        seed=0,
    ):
        self.videos = videos
        self.objects = objects
        self.crop = crop
        self.short_side = short_side
        self.bl30k = bl30k
        self.skip_divisor = skip_divisor
        self.seed = seed
        self.set_epoch(0, max_skip)

    def set_epoch(self, epoch, max_skip=None):
        """max_skip: from this epoch on; None keeps it."""
        self.epoch = epoch
        if max_skip is not None:
            self.max_skip = max_skip // self.skip_divisor

    def __len__(self):
        return len(self.videos)

    def __getitem__(self, index):
        return self.sample(index, np.random.default_rng((self.seed, self.epoch, index)))

    def sample(self, index, rng):
        for _ in range(MAX_TRIES):
            pictures, annotations, name = self.draw(index, rng)
            ids = choose_objects(rng, annotations, self.objects, self.bl30k)
            if ids:
                break
        return make_sample(pictures, annotations, ids, self.objects, name)

    def draw(self, index, rng, **window):
        """Three frames of a video -> images, masks of all ids (lists), the files they are from.

        window: for ResizedCrop.sample, by default the published one.
        """
        _, images, masks = self.videos[index]
        chosen = sample_frames(rng, len(images), self.max_skip)
        pairs = [read_pair(images[i], masks[i], self.short_side) for i in chosen]
        for i, (image, _) in zip(chosen, pairs, strict=True):
            check_size(images[i], image.shape[:2], pairs[0][0].shape[:2])
        window = window or {'scale': BL30K_CROP_SCALE if self.bl30k else CROP_SCALE}
        pictures, annotations = self._augment(rng, *zip(*pairs, strict=True), window)
        frames = ', '.join(images[i].name for i in chosen)
        return pictures, annotations, f'{images[chosen[0]].parent}: {frames}'

    def _augment(self, rng, images, masks, window):
        """-> images and masks, all (crop, crop)."""
        crop = ResizedCrop.sample(rng, masks[0].shape, self.crop, **window)
        jitter = Jitter.sample(rng, 0.1, 0.03, 0.03, grey=0.05)
        pictures, annotations = [], []
        for image, mask in zip(images, masks, strict=True):
            turn = Affine.sample(rng, degrees=15, shear=10)
            flicker = Jitter.sample(rng, 0.01, 0.01, 0.01)
            pictures.append(flicker(turn(jitter(crop(image)))))
            annotations.append(turn(crop(mask)))
        return pictures, annotations


def sample_frames(rng, num_frames, max_skip):
    """Three frame numbers of a video, in order of time or the reverse of it.

    As published: in a video no longer than max_skip, and at the end of a longer one, the first two
    are the same frame.
    """
    reach = min(num_frames, max_skip)
    start = rng.integers(num_frames - reach + 1)
    first = min(start + 1 + rng.integers(reach + 1), num_frames - reach, num_frames - 1)
    second = min(first + 1 + rng.integers(reach + 1), num_frames - reach // 2, num_frames - 1)
    frames = [int(start), int(first), int(second)]
    return frames[::-1] if rng.random() < 0.5 else frames


def choose_objects(rng, masks, num_objects, bl30k=False):
    """Up to `num_objects` ids that the first of the masks shows, in random order."""
    ids = [int(i) for i in np.unique(masks[0]) if i]
    if bl30k:
        ids = [i for i in ids if is_large_enough(i, masks)]
    return [int(i) for i in rng.permutation(ids)[:num_objects]]


def is_large_enough(i, masks):
    """Whether a BL30K object of 101 to 900 pixels is small all along, rather than mostly hidden."""
    area, *others = (int((mask == i).sum()) for mask in masks)
    return area > 100 and (area > 900 or max(others) < 400)


def read_pair(image_path, mask_path, short_side=None):
    """-> uint8 (H, W, 3), uint8 (H, W) of ids, scaled down to a short side if they are larger."""
    image = read_picture(image_path)
    mask = fit_mask(mask_path, load_mask(mask_path), image.shape[:2])
    if short_side is None or min(mask.shape) <= short_side:
        return image, mask
    size = scaled(mask.shape, short_side)
    return resize(image, size), resize(mask, size)


class Found(NamedTuple):
    """What `find_videos` finds: videos, and the numbers of what was left out."""

    videos: list  # of (name, image paths, mask paths)
    num_short: int  # videos
    num_without_mask: int  # frames


class Files(Sequence):
    """Paths in one folder. BL30K has ten million: as objects of their own they would fill 2 GB."""

    def __init__(self, folder, names):
        self.folder = folder
        self.names = names

    def __len__(self):
        return len(self.names)

    def __getitem__(self, index):
        return Path(self.folder, self.names[index])


def find_videos(root, names=None):
    """The videos of a tree, or those `names` of them -> Found.

    Frames without a mask are left out, and then videos of fewer than 3 frames. Raises UserError for
    a mask without a frame, and if nothing remains.
    """
    images, annotations = tree_folders(root)
    videos, num_short, num_without_mask, shared = [], 0, 0, {}
    for name in video_names(images) if names is None else names:
        frames, masks, without_mask, without_frame = match_frames(images / name, annotations / name)
        if without_frame:
            raise UserError(f'{annotations / name / without_frame[0]}: has no frame in {images}')
        num_without_mask += len(without_mask)
        if len(frames) < NUM_FRAMES:
            num_short += 1
            continue
        # videos number their frames alike: one tuple of names for all of them
        files = [Files(images / name, shared.setdefault(frames, frames))]
        files.append(Files(annotations / name, shared.setdefault(masks, masks)))
        videos.append((name, *files))
    if not videos:
        raise UserError(f'{images}: no video of {NUM_FRAMES} frames or more with masks in it')
    return Found(videos, num_short, num_without_mask)
