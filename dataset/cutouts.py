"""Cut-outs, which are images of single things without background, and how they move in a sample.

A layer is a uint8 (h, w, 4) RGBA array: what is pasted into one frame. Frames are H by W.
"""

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from dataset.layout import walk
from dataset.transforms import Jitter
from util.errors import UserError
from util.files import list_files, natural_key
from util.images import open_image

SOLID = 127  # pixels of a larger alpha belong to the object
SMALLEST_PART = 0.05  # smaller parts, as a share of the largest part's area, are specks
BEHIND = 0.3  # share of the pasted things that lie behind all objects
THIN = 0.35  # share of the pasted things that may become several times longer or higher
USUAL_SPREAD, THIN_SPREAD = 0.15, 0.6  # standard deviation of log(width / height) / 2


def find_cutouts(folder: str | Path) -> list[Path]:
    """The PNG files below a folder, in order. Raises UserError if there are none."""
    if not Path(folder).is_dir():
        raise UserError(
            f'{folder}: no such folder; name one of cut-outs, which are PNG files with alpha',
            parameter='paste',
        )
    places = walk(Path(folder))
    files = sorted((f for place in places for f in list_files(place, ('.png',))), key=natural_key)
    if not files:
        raise UserError(f'{folder}: no cut-outs (PNG files with alpha) in it', parameter='paste')
    return files


def usable_cutouts(files: Sequence[Path], side: int) -> list[Path]:
    """Those that `read_cutout` can read; it keeps them, so that this is no extra work.

    Raises UserError if there are none.
    """
    with ThreadPoolExecutor() as pool:
        faults = list(pool.map(lambda path: fault_of(path, side), files))
    if all(faults):
        raise UserError(
            f'none of {len(files)} PNG files is a cut-out, a thing with transparent pixels around '
            f'it; {faults[0]}',
            parameter='paste',
        )
    return [path for path, fault in zip(files, faults, strict=True) if not fault]


def fault_of(path: Path, side: int) -> str | None:
    """Why a file cannot be pasted; None if it can."""
    try:
        read_cutout(path, side)
    except UserError as error:
        return str(error)
    return None


@lru_cache(1000)
def read_cutout(path: Path, side: int) -> np.ndarray:
    """Read a PNG with alpha as a layer without margins, scaled down to `side` if it is larger.

    Raises UserError unless the alpha shows an object and something around it.
    """
    with open_image(path) as image:
        if not image.has_transparency_data:  # before the pixels are decoded
            raise UserError(f'{path}: not a cut-out (it has no alpha channel); remove it')
        image = image.convert('RGBA')
        image.thumbnail((side, side))
        layer = np.array(image)
    alpha = without_specks(layer[..., 3])
    rows, columns = np.nonzero(alpha > SOLID)
    if not len(rows) or (alpha > SOLID).all():
        raise UserError(f'{path}: not a cut-out (its alpha channel outlines nothing); remove it')
    layer[..., 3] = alpha
    return layer[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


def without_specks(alpha: np.ndarray) -> np.ndarray:
    """An alpha channel (h, w) whose small separate parts are made transparent."""
    number, labels, stats, _ = cv2.connectedComponentsWithStats((alpha > SOLID).astype(np.uint8))
    areas = stats[1:, cv2.CC_STAT_AREA]
    specks = [i for i in range(1, number) if areas[i - 1] < SMALLEST_PART * areas.max()]
    return np.where(np.isin(labels, specks), 0, alpha).astype(np.uint8)


def paste(
    rng: np.random.Generator,
    layers: Sequence[np.ndarray],
    images: Sequence[np.ndarray],
    masks: Sequence[np.ndarray],
    first: int = 0,
) -> None:
    """Paste a moving thing into frames in-place, in front of the objects there or behind them all.

    Arguments:
        layers: one per frame.
        images: uint8 (H, W, 3).
        masks: uint8 (H, W) of ids; the thing takes the lowest free one.
        first: index of the frame in which the thing appears.
    """
    new_id = min(set(range(1, 256)).difference(*map(np.unique, masks)))
    is_behind = rng.random() < BEHIND
    jitter = Jitter.sample(rng, 0.2, 0.2, 0.2, 0.05)
    path = sample_path(rng, layers[0].shape, masks[0].shape)
    frames = list(zip(layers, images, masks, path, strict=True))
    for layer, image, mask, place in frames[first:]:
        size = mask.shape[::-1]
        alpha = cv2.warpAffine(layer[..., 3], place, size, flags=cv2.INTER_LINEAR)
        if is_behind:
            alpha[mask > 0] = 0
        colours = jitter(np.ascontiguousarray(layer[..., :3]))
        colours = cv2.warpAffine(
            colours, place, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        opacity = alpha[..., None].astype(np.float32) / 255
        image[:] = (image * (1 - opacity) + colours * opacity).round().astype(np.uint8)
        mask[alpha > SOLID] = new_id


def camouflage(
    rng: np.random.Generator, layers: Sequence[np.ndarray], image: np.ndarray
) -> list[np.ndarray]:
    """Give layers, to some degree, the colours of a random part of the image they will lie on.

    Without this, an object's mean colour would tell it from the background in nearly all samples,
    and a network that looks no further takes each stone of a path for a grey thing lying on it.
    """
    is_object = layers[0][..., 3] > SOLID
    side = min(image.shape[:2]) // 2
    top, left = (rng.integers(length - side + 1) for length in image.shape[:2])
    mean, deviation = colours_of(image[top : top + side, left : left + side].reshape(-1, 3))
    own_mean, own_deviation = colours_of(layers[0][is_object, :3])
    degree = rng.uniform(0.3, 1)
    gain = (deviation / own_deviation).clip(0.5, 2) ** degree
    goal = own_mean + degree * (mean - own_mean)
    changed = [layer.copy() for layer in layers]  # `read_cutout` keeps its layers for later samples
    for layer in changed:
        layer[..., :3] = ((layer[..., :3] - own_mean) * gain + goal).round().clip(0, 255)
    return changed


def colours_of(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean of RGB pixels (N, 3), and their deviation plus 1, by which one can divide."""
    return pixels.mean(0), pixels.std(0) + 1


def sample_path(
    rng: np.random.Generator, shape: Sequence[int], frame_shape: Sequence[int]
) -> list[np.ndarray]:
    """Where a layer of this shape goes in each of three frames: (2, 3) affine matrices.

    Its centre lies anywhere in the first frame. It moves, turns and grows at a steady rate of its
    own, with a little trembling.
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
