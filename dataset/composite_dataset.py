"""Stages 1 and 2 on little data: videos and stills, with things pasted that move on their own.

With a few dozen videos a network learns these videos by heart. Pasted things give it new objects,
occlusions and pairs of objects without end, with exact masks.
"""

import numpy as np

from dataset.cutouts import SOLID, camouflage, paste, read_cutout
from dataset.samples import NUM_FRAMES, make_sample
from dataset.static_dataset import view
from dataset.transforms import Jitter, ResizedCrop
from dataset.vos_dataset import MAX_TRIES, choose_objects, read_pair

STILLS = 0.35  # of the samples; the others are three frames of a video
WHOLE = 0.35  # of the frames are seen whole, squeezed into the square: much background
WHOLE_WINDOW = {'scale': (0.8, 1.0), 'ratio': (1.0, 2.0)}
LAYERS = ((0.4, 0.5, 0.1), (0.1, 0.5, 0.4))  # chances of 0, 1, 2 pasted things: videos, stills
FROM_VIDEOS = 0.4  # of the pasted things; the others are cut-outs
CAMOUFLAGED = 0.55  # of the pasted things
LATE = 0.25  # of the pasted things are not in the first frame, and so are background to the others
RECOLOURED = 0.4  # of the samples: any hue, or none, so that colours are not learnt by heart
PLAIN = 0.25  # of the stills have a made-up texture for a background


class CompositeDataset:
    """The samples of a VOSDataset, and new ones made of its frames and of cut-outs (list of PNG).

    Has what StageDataset asks of a set: a length, `set_epoch`, `sample`.
    """

    def __init__(self, videos, cutouts):
        self.videos = videos
        self.cutouts = cutouts

    def __len__(self):
        return len(self.videos)

    def set_epoch(self, epoch, max_skip):
        self.videos.set_epoch(epoch, max_skip)

    def sample(self, index, rng):
        """A sample around video `index`: see dataset.samples."""
        still = rng.random() < STILLS
        for _ in range(MAX_TRIES):
            make = self.still if still else self.moving
            images, masks, name = make(index, rng)
            for _ in range(rng.choice(3, p=LAYERS[still])):
                layers = self.layers(rng)
                if rng.random() < CAMOUFLAGED:
                    layers = camouflage(rng, layers, images[0])
                paste(rng, layers, images, masks, first=int(rng.random() < LATE))
            ids = choose_objects(rng, masks, self.videos.objects)
            if ids:
                break
        if rng.random() < RECOLOURED:
            recolour = Jitter.sample(rng, 0.3, 0.4, 0.6, hue=0.5, grey=0.2)
            images = [recolour(image) for image in images]
        return make_sample(images, masks, ids, self.videos.objects, name)

    def moving(self, index, rng):
        """Three frames -> images, masks (lists), name."""
        window = WHOLE_WINDOW if rng.random() < WHOLE else {}
        return self.videos.draw(index, rng, **window)

    def still(self, index, rng):
        """One frame, or a texture, seen three times, each time a little different."""
        crop = self.videos.crop
        name, images, masks = self.videos.videos[index]
        if rng.random() < PLAIN:
            image, mask = texture(rng, 2 * crop), np.zeros((2 * crop, 2 * crop), np.uint8)
            name = 'texture'
        else:
            i = int(rng.integers(len(images)))
            image, mask = read_pair(images[i], masks[i], self.videos.short_side)
            name = str(images[i])
        window = WHOLE_WINDOW if rng.random() < WHOLE else {'scale': (0.25, 1.0)}
        # somewhat larger than the crop, for views that are moved and turned
        cut = ResizedCrop.sample(rng, mask.shape, crop * 5 // 4, **window)
        image, mask = cut(image), cut(mask)
        views = [view(rng, image, mask, crop) for _ in range(NUM_FRAMES)]
        images, masks = (list(pictures) for pictures in zip(*views, strict=True))
        return images, masks, name

    def layers(self, rng):
        """The thing to paste, a picture with alpha per frame."""
        crop = self.videos.crop
        if rng.random() < FROM_VIDEOS:
            other = int(rng.integers(len(self.videos)))
            images, masks, _ = self.videos.draw(other, rng)
            ids = choose_objects(rng, masks, 1)
            if ids:
                alphas = [(mask == ids[0]).astype(np.uint8) * 255 for mask in masks]
                return cut_out(images, alphas)
        path = self.cutouts[rng.integers(len(self.cutouts))]
        return [read_cutout(path, crop)] * NUM_FRAMES


def cut_out(images, alphas):
    """-> a picture with alpha per frame: the window in which the object is in any of them."""
    rows, columns = np.nonzero(np.max(alphas, 0) > SOLID)
    window = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    return [np.dstack([image, alpha])[window] for image, alpha in zip(images, alphas, strict=True)]


def texture(rng, side):
    """Coloured noise, rough or smooth: uint8 (side, side, 3)."""
    import cv2

    roughness = rng.uniform(0.3, 2.0)
    picture = np.zeros((side, side, 3), np.float32)
    cells = 2
    while cells <= side:
        noise = rng.normal(0, 1, (cells, cells, 3)).astype(np.float32)
        noise = noise.mean(2, keepdims=True) * 1.5 + noise * 0.5
        picture += cv2.resize(noise, (side, side), interpolation=cv2.INTER_CUBIC) / cells**roughness
        cells *= 2
    picture *= rng.uniform(20, 60) / picture.std()
    return (picture + rng.uniform(60, 190, 3)).clip(0, 255).astype(np.uint8)
