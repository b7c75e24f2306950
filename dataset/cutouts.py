"""Pictures of single things without a background, and their motion over the frames of a sample."""

import math
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from dataset.transforms import Jitter
from util.errors import UserError
from util.files import natural_key
from util.images import open_image

SOLID = 127  # alpha above it belongs to the object
SMALLEST_PART = 0.05  # of the largest part's area; what is smaller is a speck
THIN = 0.35  # of the pasted things may become several times longer or higher
USUAL_SPREAD, THIN_SPREAD = 0.15, 0.6  # of log(width / height) / 2


def find_cutouts(folder):
    """The PNG files below a folder, in order. Raises UserError if there are none."""
    if not Path(folder).is_dir():
        raise UserError(f'{folder}: no such folder; give one of cut-outs (PNG with alpha, --paste)')
    files = sorted(Path(folder).rglob('*.png'), key=lambda path: natural_key(path))
    if not files:
        raise UserError(f'{folder}: no cut-outs in it (PNG with alpha)')
    return files


@lru_cache(1000)
def read_cutout(path, side):
    """A PNG with alpha -> uint8 (h, w, 4), its larger side scaled down to `side`, no margins.

    Raises UserError if the alpha shows no object, or all of the picture as one.
    """
    with open_image(path) as image:
        image = image.convert('RGBA')
        image.thumbnail((side, side))
        picture = np.array(image)
    alpha = without_specks(picture[..., 3])
    rows, columns = np.nonzero(alpha > SOLID)
    if not len(rows) or (alpha > SOLID).all():
        raise UserError(f'{path}: not a cut-out (its alpha shows no border); remove it')
    picture[..., 3] = alpha
    return picture[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


def without_specks(alpha):
    number, labels, stats, _ = cv2.connectedComponentsWithStats((alpha > SOLID).astype(np.uint8))
    areas = stats[1:, cv2.CC_STAT_AREA]
    specks = [i for i in range(1, number) if areas[i - 1] < SMALLEST_PART * areas.max()]
    return np.where(np.isin(labels, specks), 0, alpha).astype(np.uint8)


def paste(rng, layers, images, masks, first=0):
    """Put a moving thing into frames, in front of the objects there or behind them all.

    layers: a picture (h, w, 4) with alpha per frame; images uint8 (H, W, 3), masks uint8 (H, W) of
    ids. Both are changed in place; the thing takes the lowest free id. first: the frame in which it
    appears.
    """
    number = min(set(range(1, 256)).difference(*map(np.unique, masks)))
    behind = rng.random() < 0.3
    jitter = Jitter.sample(rng, 0.2, 0.2, 0.2, 0.05)
    path = sample_path(rng, layers[0].shape, masks[0].shape)
    frames = list(zip(layers, images, masks, path, strict=True))
    for layer, image, mask, place in frames[first:]:
        size = mask.shape[::-1]
        alpha = cv2.warpAffine(layer[..., 3], place, size, flags=cv2.INTER_LINEAR)
        if behind:
            alpha[mask > 0] = 0
        colours = jitter(np.ascontiguousarray(layer[..., :3]))
        colours = cv2.warpAffine(
            colours, place, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        share = alpha[..., None].astype(np.float32) / 255
        image[:] = (image * (1 - share) + colours * share).round().astype(np.uint8)
        mask[alpha > SOLID] = number


def camouflage(rng, layers, image):
    """Layers as of `paste`, coloured some way like a part of the image that they will lie on.

    Otherwise an object's mean colour would tell it from its background in nearly all samples, and
    a network that looks no further takes every stone of a path for the grey thing that lies on it.
    """
    shown = layers[0][..., 3] > SOLID
    side = min(image.shape[:2]) // 2
    top, left = (rng.integers(length - side + 1) for length in image.shape[:2])
    mean, deviation = colours_of(image[top : top + side, left : left + side].reshape(-1, 3))
    own_mean, own_deviation = colours_of(layers[0][shown, :3])
    share = rng.uniform(0.3, 1)
    gain = (deviation / own_deviation).clip(0.5, 2) ** share
    goal = own_mean + share * (mean - own_mean)
    changed = [layer.copy() for layer in layers]  # they are kept for other samples
    for layer in changed:
        layer[..., :3] = ((layer[..., :3] - own_mean) * gain + goal).round().clip(0, 255)
    return changed


def colours_of(pixels):
    return pixels.mean(0), pixels.std(0) + 1


def sample_path(rng, shape, frame_shape):
    """Where a picture goes in each of three frames: list of (2, 3) affine matrices.

    It lies anywhere with its centre in the first frame, and moves, turns and grows at its own
    steady rate, with a little trembling.
    """
    height, width = frame_shape
    spread = THIN_SPREAD if rng.random() < THIN else USUAL_SPREAD
    stretch = math.exp(rng.normal(0, spread))
    size = rng.uniform(0.2, 0.8) * min(frame_shape)
    size /= max(shape[1] * stretch, shape[0] / stretch)
    centre = rng.uniform((0.1, 0.1), (0.9, 0.9)) * (width, height)
    speed = rng.exponential(0.12) * min(frame_shape)
    direction = rng.uniform(0, 2 * math.pi)
    velocity = speed * np.array([math.cos(direction), math.sin(direction)])
    angle, turn = rng.uniform(-30, 30), rng.normal(0, 10)
    growth = rng.normal(1, 0.08)
    flip = rng.choice([-1, 1])
    path = []
    for t in range(3):
        a = math.radians(angle + t * turn + rng.normal(0, 3))
        scale = size * growth**t * rng.normal(1, 0.02)
        linear = scale * np.array([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]])
        linear = linear @ np.diag([flip * stretch, 1 / stretch])
        at = centre + t * velocity + rng.normal(0, 0.01, 2) * (width, height)
        middle = np.array([shape[1], shape[0]]) / 2
        path.append(np.column_stack([linear, at - linear @ middle]))
    return path
