"""Random geometry and colour: sampled once, then applied to an image and its mask alike.

Every transform is a tuple of its parameters that can be called. Images are uint8 (H, W, 3) RGB,
masks uint8 (H, W): masks are taken from the nearest pixel and filled with background, images are
interpolated bicubically and filled with the mean colour. Drawn like torchvision's transforms of
these names.
"""

import math
from typing import NamedTuple

import cv2
import numpy as np

IMAGE_FILL = (124, 116, 104)  # ImageNet's mean
SMOOTH_FROM = 1.5  # times smaller: from there on averaging areas keeps finer patterns from aliasing


def interpolation(picture):
    return cv2.INTER_NEAREST if picture.ndim == 2 else cv2.INTER_CUBIC


def fill(picture):
    return 0 if picture.ndim == 2 else IMAGE_FILL


def resize(picture, size):
    """An image or mask -> (height, width) = size."""
    height, width = picture.shape[:2]
    if (height, width) == tuple(size):
        return picture
    how = cv2.INTER_NEAREST_EXACT  # the plain one is half a pixel off
    if picture.ndim == 3:
        shrinks = max(height / size[0], width / size[1]) > SMOOTH_FROM
        how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return cv2.resize(picture, (size[1], size[0]), interpolation=how)


def flip(picture):
    return cv2.flip(picture, 1)


class Window(NamedTuple):
    """A square part of a picture; it may reach beyond it."""

    top: int
    left: int
    size: int

    @classmethod
    def sample(cls, rng, shape, size):
        """Anywhere inside; along a side that is too short, anywhere around all of it."""
        spare = [side - size for side in shape[:2]]
        return cls(*(int(rng.integers(min(0, s), max(0, s) + 1)) for s in spare), size)


class Affine(NamedTuple):
    """Turns, scales and shears (along x) about the centre of the picture."""

    angle: float  # degrees
    scale: float
    shear: float  # degrees

    @classmethod
    def sample(cls, rng, *, degrees=0, scale=(1, 1), shear=0):
        return cls(rng.uniform(-degrees, degrees), rng.uniform(*scale), rng.uniform(-shear, shear))

    def matrix(self, height, width):
        """(2, 3): where the centre of each pixel (x, y) goes."""
        angle, shear = math.radians(self.angle), math.tan(math.radians(self.shear))
        cos, sin = math.cos(angle), math.sin(angle)
        turn = self.scale * np.array([[cos, -cos * shear - sin], [sin, -sin * shear + cos]])
        centre = np.array([(width - 1) / 2, (height - 1) / 2])
        return np.column_stack([turn, centre - turn @ centre])

    def __call__(self, picture, window=None):
        """-> the picture in its size, or a Window of that."""
        height, width = picture.shape[:2]
        matrix, size = self.matrix(height, width), (width, height)
        if window:
            matrix[:, 2] -= window.left, window.top
            size = (window.size, window.size)
        how = {'flags': interpolation(picture), 'borderValue': fill(picture)}
        return cv2.warpAffine(picture, matrix, size, **how)


class ResizedCrop(NamedTuple):
    """A window of any size and shape, scaled to a square; mirrored half of the time."""

    top: int
    left: int
    height: int
    width: int
    size: int
    flipped: bool

    @classmethod
    def sample(cls, rng, shape, size, *, scale, ratio=(3 / 4, 4 / 3)):
        """scale: the window's share of the picture; ratio: of its width to its height."""
        flipped = bool(rng.random() < 0.5)
        full_height, full_width = shape[:2]
        for _ in range(10):
            area = full_height * full_width * rng.uniform(*scale)
            aspect = math.exp(rng.uniform(math.log(ratio[0]), math.log(ratio[1])))
            width, height = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if 0 < width <= full_width and 0 < height <= full_height:
                top = int(rng.integers(full_height - height + 1))
                left = int(rng.integers(full_width - width + 1))
                return cls(top, left, height, width, size, flipped)
        # a long strip: the largest window of the nearest ratio, from the middle
        width = min(full_width, max(1, round(full_height * ratio[1])))
        height = min(full_height, max(1, round(full_width / ratio[0])))
        top, left = (full_height - height) // 2, (full_width - width) // 2
        return cls(top, left, height, width, size, flipped)

    def __call__(self, picture):
        window = picture[self.top : self.top + self.height, self.left : self.left + self.width]
        out = resize(window, (self.size, self.size))
        return flip(out) if self.flipped else out


class Jitter(NamedTuple):
    """Changes of colour, in their order; for images only."""

    steps: tuple  # of (function, factor)
    grey: bool = False

    @classmethod
    def sample(cls, rng, brightness, contrast, saturation, hue=0.0, *, grey=0.0):
        """Factors from 1 - x to 1 + x, hue a shift of -x to x turns; grey: a probability."""
        changes = (
            (adjust_brightness, brightness),
            (adjust_contrast, contrast),
            (adjust_saturation, saturation),
        )
        steps = [(change, rng.uniform(1 - x, 1 + x)) for change, x in changes]
        if hue:
            steps.append((shift_hue, rng.uniform(-hue, hue)))
        order = rng.permutation(len(steps))
        return cls(tuple(steps[i] for i in order), bool(rng.random() < grey))

    def __call__(self, image):
        for change, factor in self.steps:
            image = change(image, factor)
        return three_channels(grey_of(image)) if self.grey else image


def grey_of(image):
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


def three_channels(grey):
    return cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)


def adjust_brightness(image, factor):
    return blend_with(image, 0, factor)


def adjust_contrast(image, factor):
    """Contrast: away from the image's mean grey, or towards it."""
    return blend_with(image, round(cv2.mean(grey_of(image))[0]), factor)


def blend_with(image, value, factor):
    table = factor * np.arange(256) + (1 - factor) * value
    return cv2.LUT(image, table.round().clip(0, 255).astype(np.uint8))


def adjust_saturation(image, factor):
    return cv2.addWeighted(image, factor, three_channels(grey_of(image)), 1 - factor, 0)


def shift_hue(image, turns):
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV_FULL)
    hsv[..., 0] += np.uint8(round(turns * 256) % 256)  # wraps around, as hues do
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB_FULL)
