"""Training samples made plainly, with PIL and torchvision, one image after the other.

Draws the same random numbers as the project's own datasets, in the same order, and applies them
with the functions that the published data loading is built of.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
import torchvision.transforms.v2.functional as F
from PIL import Image
from torchvision.transforms.v2 import InterpolationMode
from tps import ThinPlateSpline

from dataset import static_dataset, transforms, vos_dataset
from dataset.samples import NUM_FRAMES, RawSample, Sample, make_sample
from dataset.sizes import scaled
from dataset.tps import ThinPlateWarp
from dataset.transforms import IMAGE_FILL, Affine, Jitter, ResizedCrop, Window

CHANGES = {
    transforms.adjust_brightness: F.adjust_brightness,
    transforms.adjust_contrast: F.adjust_contrast,
    transforms.adjust_saturation: F.adjust_saturation,
    transforms.shift_hue: F.adjust_hue,
}


def sampler(dataset: Any) -> Callable[..., Sample]:
    """A function that makes the samples of a dataset, with the arguments of `dataset.sample`."""
    is_static = isinstance(dataset, static_dataset.StaticDataset)
    return partial(static_sample if is_static else video_sample, dataset)


def video_sample(dataset, index, rng, max_skip):
    """Like `VOSDataset.sample`, but without trying again if no object is found."""
    _, image_paths, mask_paths = dataset.videos[index]
    chosen = vos_dataset.sample_frames(rng, len(image_paths), max_skip // dataset.skip_divisor)
    images = [Image.open(image_paths[i]).convert('RGB') for i in chosen]
    masks = [Image.open(mask_paths[i]) for i in chosen]
    crops = vos_dataset.BL30K_CROPS if dataset.bl30k else vos_dataset.CROPS
    window = ResizedCrop.sample(rng, images[0].size[::-1], dataset.crop, crops)
    colours = Jitter.sample(rng, 0.1, 0.03, 0.03, grey=0.05)
    for t in range(NUM_FRAMES):
        turn = Affine.sample(rng, degrees=15, shear=10)
        flicker = Jitter.sample(rng, 0.01, 0.01, 0.01)
        images[t] = jitter(affine(jitter(crop(images[t], window), colours), turn), flicker)
        masks[t] = affine(crop(masks[t], window), turn)
    masks = [np.array(mask) for mask in masks]
    ids = vos_dataset.choose_objects(rng, masks, vos_dataset.NUM_OBJECTS, dataset.bl30k)
    raw = RawSample([np.array(image) for image in images], masks, '')
    return make_sample(raw, ids, vos_dataset.NUM_OBJECTS)


def static_sample(dataset, index, rng, max_skip=0):
    """Like `StaticDataset.sample`."""
    image, mask = (Image.open(path) for path in dataset.pairs[index])
    size = list(scaled(image.size[::-1], dataset.short_side))
    image = F.resize(image.convert('RGB'), size, InterpolationMode.BICUBIC)
    mask = F.resize(mask.convert('L'), size, InterpolationMode.NEAREST)
    zoom = Affine.sample(rng, scale=(0.8, 1.5))
    image, mask = affine(image, zoom), affine(mask, zoom)
    if rng.random() < 0.5:
        image, mask = F.hflip(image), F.hflip(mask)
    image = jitter(image, Jitter.sample(rng, 0.1, 0.05, 0.05, 0.05, grey=0.05))
    views = [static_view(rng, image, mask, dataset.crop) for _ in range(NUM_FRAMES)]
    images, masks = zip(*views, strict=True)
    masks = [(mask > 127).astype(np.uint8) for mask in masks]
    return make_sample(RawSample(list(images), masks, ''), [1], 1)


def static_view(rng, image, mask, side):
    turn = Affine.sample(rng, degrees=20, scale=(0.9, 1.1), shear=10)
    window = Window.sample(rng, image.size[::-1], side)
    image, mask = (F.crop(affine(x, turn), *window, window.size) for x in (image, mask))
    image = np.array(jitter(image, Jitter.sample(rng, 0.1, 0.05, 0.05)))
    mask = np.array(mask)
    if rng.random() < static_dataset.WARPED:
        image, mask = warp(ThinPlateWarp.sample(rng), image, mask)
    return image, mask


def interpolation(image):
    return InterpolationMode.BICUBIC if image.mode == 'RGB' else InterpolationMode.NEAREST


def crop(image, window):
    box, size = (window.top, window.left, window.height, window.width), [window.size] * 2
    image = F.resized_crop(image, *box, size, interpolation(image))
    return F.hflip(image) if window.flipped else image


def affine(image, turn):
    fill = IMAGE_FILL if image.mode == 'RGB' else 0
    how = interpolation(image)
    return F.affine(image, turn.angle, [0, 0], turn.scale, [turn.shear, 0.0], how, fill)


def jitter(image, colours):
    for change, factor in colours.steps:
        image = CHANGES[change](image, factor)
    return F.rgb_to_grayscale(image, 3) if colours.grey else image


def warp(spline, image, mask):
    """Warp with the package's own transform of every pixel and PyTorch's sampling."""
    height, width = mask.shape
    y, x = np.mgrid[:height, :width]
    places = np.stack([(x.ravel() + 0.5) / width, (y.ravel() + 0.5) / height], 1)
    source = ThinPlateSpline().fit(spline.moved, spline.points).transform(places)
    grid = torch.from_numpy(source * 2 - 1).float().view(1, height, width, 2)
    sample = torch.nn.functional.grid_sample
    fill = torch.tensor(IMAGE_FILL).view(3, 1, 1)  # grid_sample gives 0 outside the image
    image = torch.from_numpy(image).permute(2, 0, 1)[None] - fill.float()
    image = (sample(image, grid, 'bicubic', align_corners=False)[0] + fill).clamp(0, 255).round()
    mask = torch.from_numpy(mask)[None, None].float()
    mask = sample(mask, grid, 'nearest', align_corners=False)[0, 0]
    return image.permute(1, 2, 0).byte().numpy(), mask.byte().numpy()
