"""Random geometry and colour: drawn once, then applied to an image and its mask alike.

Every transform is a tuple of its parameters that can be called; `sample` draws one, from the
distribution of torchvision's transform of that name. Arrays are images, uint8 (H, W, 3) RGB, or
masks, uint8 (H, W). Images are interpolated bicubically and filled with the mean colour; masks
take the nearest pixel and are filled with background.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import cv2
import numpy as np

IMAGE_FILL = (124, 116, 104)  # ImageNet's mean
AREA_FROM = 1.5  # from this reduction on, images are averaged over areas, against aliasing
Range = tuple[float, float]
ColourChange = Callable[[np.ndarray, float], np.ndarray]


def interpolation(array: np.ndarray) -> int:
    """OpenCV's flag for an image or a mask."""
    return cv2.INTER_NEAREST if array.ndim == 2 else cv2.INTER_CUBIC


def fill(array: np.ndarray) -> int | tuple[int, int, int]:
    """What to fill an image or a mask with where a transform looks outside."""
    return 0 if array.ndim == 2 else IMAGE_FILL


def resize(array: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Scale an image or a mask to (height, width) = size."""
    height, width = array.shape[:2]
    if (height, width) == tuple(size):
        return array
    how = cv2.INTER_NEAREST_EXACT  # INTER_NEAREST is off by half a pixel
    if array.ndim == 3:
        reduction = max(height / size[0], width / size[1])
        how = cv2.INTER_AREA if reduction > AREA_FROM else cv2.INTER_CUBIC
    return cv2.resize(array, (size[1], size[0]), interpolation=how)


def flip(array: np.ndarray) -> np.ndarray:
    """Mirror an image or a mask horizontally."""
    return cv2.flip(array, 1)


class Window(NamedTuple):
    """A square part of an image; it may reach beyond the border."""

    top: int
    left: int
    size: int

    @classmethod
    def sample(cls, rng: np.random.Generator, shape: Sequence[int], size: int) -> 'Window':
        """Draw one inside the image; along a side that is shorter than `size`, one around it."""
        top, left = (
            int(rng.integers(min(0, side - size), max(0, side - size) + 1)) for side in shape[:2]
        )
        return cls(top, left, size)


class Affine(NamedTuple):
    """Rotates, scales and shears (along x) about the centre."""

    angle: float  # degrees
    scale: float
    shear: float  # degrees

    @classmethod
    def sample(
        cls,
        rng: np.random.Generator,
        *,
        degrees: float = 0,
        scale: Range = (1, 1),
        shear: float = 0,
    ) -> 'Affine':
        """Draw an angle of up to `degrees` and a shear of up to `shear` either way, and a scale."""
        return cls(rng.uniform(-degrees, degrees), rng.uniform(*scale), rng.uniform(-shear, shear))

    def matrix(self, height: int, width: int) -> np.ndarray:
        """The (2, 3) matrix that takes the centre of each pixel (x, y) to its new place."""
        angle, shear = math.radians(self.angle), math.tan(math.radians(self.shear))
        cos, sin = math.cos(angle), math.sin(angle)
        turn = self.scale * np.array([[cos, -cos * shear - sin], [sin, -sin * shear + cos]])
        centre = np.array([(width - 1) / 2, (height - 1) / 2])
        return np.column_stack([turn, centre - turn @ centre])

    def __call__(self, array: np.ndarray, window: Window | None = None) -> np.ndarray:
        """Transform an image or a mask; the result has its size, or is a window of that."""
        height, width = array.shape[:2]
        matrix, size = self.matrix(height, width), (width, height)
        if window:
            matrix[:, 2] -= window.left, window.top
            size = (window.size, window.size)
        flags = interpolation(array)
        return cv2.warpAffine(array, matrix, size, flags=flags, borderValue=fill(array))


class CropRange(NamedTuple):
    """From which windows a ResizedCrop is drawn."""

    scale: Range  # share of the image's area
    ratio: Range = (3 / 4, 4 / 3)  # width / height


class ResizedCrop(NamedTuple):
    """A rectangular window, scaled to a square; mirrored half of the time."""

    top: int
    left: int
    height: int
    width: int
    size: int  # side of the square
    flipped: bool

    @classmethod
    def sample(
        cls, rng: np.random.Generator, shape: Sequence[int], size: int, crops: CropRange
    ) -> 'ResizedCrop':
        """Draw a window of an image of this shape, and whether to mirror it."""
        flipped = bool(rng.random() < 0.5)
        full_height, full_width = shape[:2]
        narrowest, widest = crops.ratio
        for _ in range(10):
            area = full_height * full_width * rng.uniform(*crops.scale)
            aspect = math.exp(rng.uniform(math.log(narrowest), math.log(widest)))
            width, height = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if 0 < width <= full_width and 0 < height <= full_height:
                top = int(rng.integers(full_height - height + 1))
                left = int(rng.integers(full_width - width + 1))
                return cls(top, left, height, width, size, flipped)
        # the image is a long strip: take the largest window of the nearest ratio, from the middle
        width = min(full_width, max(1, round(full_height * widest)))
        height = min(full_height, max(1, round(full_width / narrowest)))
        top, left = (full_height - height) // 2, (full_width - width) // 2
        return cls(top, left, height, width, size, flipped)

    def __call__(self, array: np.ndarray) -> np.ndarray:
        """Crop and scale an image or a mask."""
        window = array[self.top : self.top + self.height, self.left : self.left + self.width]
        out = resize(window, (self.size, self.size))
        return flip(out) if self.flipped else out


class Jitter(NamedTuple):
    """Changes of colour, applied in order; for images only."""

    steps: tuple[tuple[ColourChange, float], ...]  # functions and their factors
    grey: bool = False

    @classmethod
    def sample(
        cls,
        rng: np.random.Generator,
        brightness: float,
        contrast: float,
        saturation: float,
        hue: float = 0.0,
        *,
        grey: float = 0.0,
    ) -> 'Jitter':
        """Draw factors from 1 - x to 1 + x, a shift of the hue from -x to x turns, and an order.

        grey: the probability that the result has no colours.
        """
        changes: tuple[tuple[ColourChange, float], ...] = (
            (adjust_brightness, brightness),
            (adjust_contrast, contrast),
            (adjust_saturation, saturation),
        )
        steps = [(change, rng.uniform(1 - x, 1 + x)) for change, x in changes]
        if hue:
            steps.append((shift_hue, rng.uniform(-hue, hue)))
        order = rng.permutation(len(steps))
        return cls(tuple(steps[i] for i in order), bool(rng.random() < grey))

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Change the colours of an image."""
        for change, factor in self.steps:
            image = change(image, factor)
        return grey_to_rgb(to_grey(image)) if self.grey else image


def to_grey(image: np.ndarray) -> np.ndarray:
    """The brightness of an image: uint8 (H, W)."""
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


def grey_to_rgb(grey: np.ndarray) -> np.ndarray:
    """The grey image (H, W, 3) of a brightness (H, W)."""
    return cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)


def adjust_brightness(image: np.ndarray, factor: float) -> np.ndarray:
    """Multiply all values by a factor."""
    return blend_with(image, 0, factor)


def adjust_contrast(image: np.ndarray, factor: float) -> np.ndarray:
    """Move all values away from the image's mean grey (factor > 1) or towards it."""
    return blend_with(image, round(cv2.mean(to_grey(image))[0]), factor)


def blend_with(image: np.ndarray, value: float, factor: float) -> np.ndarray:
    """factor * image + (1 - factor) * value, rounded and clipped.

    The published code truncates, in each of about six blends per frame: its training images are
    darker by 2.7 grey levels on average, and more of their channels are exactly 0 (4.3 % against
    1.4 %). In evaluation, its images have no such shift, so it is left out here.
    """
    table = factor * np.arange(256) + (1 - factor) * value
    return cv2.LUT(image, table.round().clip(0, 255).astype(np.uint8))


def adjust_saturation(image: np.ndarray, factor: float) -> np.ndarray:
    """Move all colours away from their grey (factor > 1) or towards it; see `blend_with`."""
    return cv2.addWeighted(image, factor, grey_to_rgb(to_grey(image)), 1 - factor, 0)


def shift_hue(image: np.ndarray, turns: float) -> np.ndarray:
    """Shift all hues by a share of the colour circle."""
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV_FULL)
    hsv[..., 0] += np.uint8(round(turns * 256) % 256)  # uint8 wraps around, as hues do
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB_FULL)
