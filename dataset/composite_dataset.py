"""Stages 1 and 2 on little data: videos and stills, with things pasted that move on their own.

With a few dozen videos, a network learns these videos by heart. Pasted things give it an endless
supply of new objects, occlusions and pairs of objects, with exact masks.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from dataset.cutouts import SOLID, camouflage, paste, read_cutout
from dataset.samples import NUM_FRAMES, RawSample, Sample, make_sample
from dataset.static_dataset import draw_view
from dataset.transforms import CropRange, Jitter, ResizedCrop
from dataset.vos_dataset import MAX_TRIES, NUM_OBJECTS, VOSDataset, choose_objects

# Shares of the samples
STILLS = 0.35  # three views of one image; the others are three frames of a video
RECOLOURED = 0.4  # in any hue, or without colours, so that colours are not learnt by heart
WHOLE = 0.35  # whole frames, squeezed into the square: much background
# Shares of the stills
PLAIN = 0.25  # before a random texture instead of a frame
# Shares of the pasted things
FROM_VIDEOS = 0.4  # objects of videos; the others are cut-outs
CAMOUFLAGED = 0.55
LATE = 0.25  # not yet in the first frame, so that they are background to the others

WHOLE_CROPS = CropRange((0.8, 1.0), (1.0, 2.0))
STILL_CROPS = CropRange((0.25, 1.0))
LAYERS = ((0.4, 0.5, 0.1), (0.1, 0.5, 0.4))  # chances of 0, 1, 2 pasted things: videos, stills


class CompositeDataset:
    """The samples of a VOSDataset, changed, and new ones made of its frames and of cut-outs."""

    def __init__(self, videos: VOSDataset, cutouts: Sequence[Path]) -> None:
        self.videos = videos
        self.cutouts = cutouts
        self.crop = videos.crop

    def __len__(self) -> int:
        return len(self.videos)

    def sample(self, index: int, rng: np.random.Generator, max_skip: int) -> Sample:
        """A sample around video `index`; max_skip is the largest distance between its frames."""
        is_still = rng.random() < STILLS
        for _ in range(MAX_TRIES):
            raw = self.still(index, rng) if is_still else self.moving(index, rng, max_skip)
            for _ in range(rng.choice(3, p=LAYERS[is_still])):
                layers = self.layers(rng, max_skip)
                if rng.random() < CAMOUFLAGED:
                    layers = camouflage(rng, layers, raw.images[0])
                paste(rng, layers, raw.images, raw.masks, first=int(rng.random() < LATE))
            ids = choose_objects(rng, raw.masks, NUM_OBJECTS, has_void=True)
            if ids:
                break
        if rng.random() < RECOLOURED:
            recolour = Jitter.sample(rng, 0.3, 0.4, 0.6, hue=0.5, grey=0.2)
            raw = raw._replace(images=[recolour(image) for image in raw.images])
        return make_sample(raw, ids, NUM_OBJECTS)

    def moving(self, index: int, rng: np.random.Generator, max_skip: int) -> RawSample:
        """Three frames of a video."""
        crops = WHOLE_CROPS if rng.random() < WHOLE else None
        return self.videos.draw_frames(index, rng, max_skip, crops)

    def still(self, index: int, rng: np.random.Generator) -> RawSample:
        """Three views of one frame of a video, or of a texture."""
        if rng.random() < PLAIN:
            side = 2 * self.crop
            name, image, mask = 'texture', texture(rng, side), np.zeros((side, side), np.uint8)
        else:
            image, mask, path = self.videos.draw_image(index, rng)
            name = str(path)
        crops = WHOLE_CROPS if rng.random() < WHOLE else STILL_CROPS
        # somewhat larger than the crop, as the views are shifted and turned
        window = ResizedCrop.sample(rng, mask.shape, self.crop * 5 // 4, crops)
        image, mask = window(image), window(mask)
        views = [draw_view(rng, image, mask, self.crop) for _ in range(NUM_FRAMES)]
        images, masks = (list(arrays) for arrays in zip(*views, strict=True))
        return RawSample(images, masks, name)

    def layers(self, rng: np.random.Generator, max_skip: int) -> list[np.ndarray]:
        """The thing to paste: one layer (see dataset.cutouts) per frame."""
        if rng.random() < FROM_VIDEOS:
            raw = self.videos.draw_frames(int(rng.integers(len(self.videos))), rng, max_skip)
            ids = choose_objects(rng, raw.masks, 1, has_void=True)
            if ids:
                return cut_out(raw, ids[0])
        path = self.cutouts[int(rng.integers(len(self.cutouts)))]
        return [read_cutout(path, self.crop)] * NUM_FRAMES


def cut_out(raw: RawSample, object_id: int) -> list[np.ndarray]:
    """One layer per frame: the window in which the object lies in any of them."""
    alphas = [(mask == object_id).astype(np.uint8) * 255 for mask in raw.masks]
    rows, columns = np.nonzero(np.max(alphas, 0) > SOLID)
    window = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    pairs = zip(raw.images, alphas, strict=True)
    return [np.dstack([image, alpha])[window] for image, alpha in pairs]


def texture(rng: np.random.Generator, side: int) -> np.ndarray:
    """Coloured noise, rough or smooth: uint8 (side, side, 3)."""
    roughness = rng.uniform(0.3, 2.0)
    image = np.zeros((side, side, 3), np.float32)
    cells = 2
    while cells <= side:
        noise = rng.normal(0, 1, (cells, cells, 3)).astype(np.float32)
        noise = noise.mean(2, keepdims=True) * 1.5 + noise * 0.5
        image += cv2.resize(noise, (side, side), interpolation=cv2.INTER_CUBIC) / cells**roughness
        cells *= 2
    image *= rng.uniform(20, 60) / image.std()
    return (image + rng.uniform(60, 190, 3)).clip(0, 255).astype(np.uint8)
