"""Soft masks: detecting masks that were interpolated or lossily compressed, and repairing them.

The borders of such masks hold values between those of the two areas that meet there, and each of
these values would count as an object. The thresholds below tell them from outlines, tiny objects
and stripes, which people draw on purpose.

Legend: H W the mask; codes are integers, object ids or colours 0xRRGGBB; colours are codes as
float32 (..., 3), which turns an id into a shade of blue. A pixel is flat if it equals its eight
neighbours, and solid if it is flat or next to a flat one.
"""

import cv2
import numpy as np

MAX_LINES = 2  # values between two areas that may be outlines drawn in colours of their own
MAX_STRAY = 0.05  # share of the pixels between two areas that may belong to nearby outlines
MIN_SHARE = 0.12  # smallest share of a border that a gradient covers; tiny objects cover less
MIN_PIXELS = 24  # smallest number of soft pixels in a soft mask
MIN_BORDER = 0.02  # smallest share of soft pixels among all pixels on borders
MAX_SPREAD = 0.1  # deviation of a mixture, caused by rounding or by a third area nearby
JPEG_GAP = 48  # levels; values in a JPEG that are closer than this are noise
NOISE = 16  # levels by which compression changes the colour of a flat place
MIN_AREA = 1 / 200  # relative to the largest object; flat specks left by compression are smaller
PENALTY = 8  # levels of colour difference that count as much as one pixel of distance


def is_soft(codes: np.ndarray) -> bool:
    """Whether the borders in a mask (H, W) are gradients.

    Where two areas meet, a gradient consists of many mixtures of them and covers much of the
    border. Outlines have one value each, and tiny objects cover little of the border.
    """
    num_codes = len(np.unique(codes))
    if not MAX_LINES + 3 <= num_codes <= 256:
        return num_codes > 256
    colours = to_colours(codes)
    flat = is_flat(colours)
    solid = grow(flat)
    # 1. Border pixels (N), and the colours of the two areas that meet there (N, 3).
    low, high = neighbour_range(colours, solid)
    on_border = ~flat & (low < high).any(-1)
    low, high, codes = low[on_border], high[on_border], codes[on_border]
    soft = ~solid[on_border] & is_mixture(colours[on_border], low, high)
    # 2. Per pair of areas: how often each soft value occurs, the frequent values first.
    _, pair = np.unique(np.concatenate([low, high], -1), axis=0, return_inverse=True)
    pair = pair.ravel()  # NumPy 2.0 keeps the axis
    kinds, counts = np.unique(np.stack([pair[soft], codes[soft]]), axis=1, return_counts=True)
    num_pixels, num_soft = np.bincount(pair), np.bincount(pair, soft)
    order = np.lexsort([-counts, kinds[0]])
    pairs, counts = kinds[0][order], counts[order]
    rank = np.arange(len(pairs)) - np.searchsorted(pairs, pairs)
    # 3. A pair is joined by a gradient if it has too many values for outlines on enough pixels.
    num_rest = np.bincount(pairs, counts * (rank >= MAX_LINES), minlength=len(num_pixels))
    num_values = np.bincount(pairs, minlength=len(num_pixels))
    has_many = (num_values > 2 * MAX_LINES) | (num_rest > MAX_STRAY * num_soft)
    is_gradient = has_many & (num_soft >= MIN_SHARE * num_pixels)
    return bool(num_soft[is_gradient].sum() > max(MIN_PIXELS, MIN_BORDER * len(pair)))


def has_noise(codes: np.ndarray) -> bool:
    """Whether values in a mask read from a JPEG are so close that some must be noise."""
    values = np.union1d(codes, 0)
    if len(values) > 256:
        return True
    colours = to_colours(values)
    gaps = np.abs(colours[:, None] - colours).max(-1)
    return bool((gaps < JPEG_GAP).sum() > len(values))  # each value is close to itself


def snap(codes: np.ndarray) -> np.ndarray:
    """Give each pixel of a soft mask (H, W) the code of an area that is similar and near."""
    colours = to_colours(codes)
    flat = is_flat(colours)
    values = area_values(codes[flat], NOISE if codes.max() > 255 else 0)
    known = np.isin(codes, values)
    solid = grow(flat) & known
    # A gradient from 0 to 4 passes through 1, 2 and 3, which may be areas elsewhere.
    core = solid | (known & ~is_between(colours, *neighbour_range(colours, solid)))
    out, best = np.zeros_like(codes), np.full(codes.shape, np.inf, np.float32)
    for value in values:
        own = core & (codes == value)
        cost = np.abs(colours - to_colours(value)).sum(-1)
        cost += PENALTY * cv2.distanceTransform((~own).astype(np.uint8), cv2.DIST_L2, 5)
        cost[own] = -1
        out[cost < best] = value
        best = np.minimum(best, cost)
    return out


def area_values(codes: np.ndarray, noise: int) -> list[int]:
    """The codes of the areas in a mask, given its flat pixels (N), the largest area first.

    Specks are left out, and so are codes within `noise` levels of a larger area's.
    """
    values, areas = np.unique(codes, return_counts=True)
    least = MIN_AREA * areas[values != 0].max(initial=0)
    values = values[np.argsort(-areas * (areas >= least), kind='stable')]
    num_large = (areas >= least).sum()
    kept: list[int] = []
    for value in values[:num_large].tolist():
        gaps = [np.abs(to_colours(value) - to_colours(other)).max() for other in kept]
        if min(gaps, default=np.inf) > noise:
            kept.append(value)
    return kept


def to_colours(codes: np.ndarray | int) -> np.ndarray:
    """Codes of any shape as float32 (..., 3): red, green and blue."""
    codes = np.asarray(codes)
    return np.stack([codes >> 16, codes >> 8 & 255, codes & 255], -1).astype(np.float32)


def is_flat(colours: np.ndarray) -> np.ndarray:
    """bool (H, W): whether a pixel of (H, W, 3) equals its eight neighbours."""
    box = np.ones((3, 3), np.uint8)
    return (cv2.erode(colours, box) == cv2.dilate(colours, box)).all(-1)


def grow(mask: np.ndarray) -> np.ndarray:
    """Grow a bool mask (H, W) by one pixel on every side."""
    return cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0


def neighbour_range(colours: np.ndarray, solid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The lowest and the highest level of each channel in the solid pixels around each pixel.

    The neighbourhood is the smallest one of 3, 5, 9 or 17 pixels that shows two colours. Where
    none does, the lowest level is not below the highest. Both results are float32 (H, W, 3).
    """
    levels = np.where(solid[..., None], colours, np.float32(np.inf))
    minus = np.where(solid[..., None], colours, np.float32(-np.inf))
    low, high = np.full_like(colours, np.inf), np.full_like(colours, -np.inf)
    for radius in (8, 4, 2, 1):
        box = np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)
        lowest, highest = cv2.erode(levels, box), cv2.dilate(minus, box)
        two = (lowest < highest).any(-1)
        low[two], high[two] = lowest[two], highest[two]
    return low, high


def is_between(colours: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Whether all channels lie in low..high, and at least one of them strictly inside."""
    within = ((low <= colours) & (colours <= high)).all(-1)
    return np.asarray(within & ((low < colours) & (colours < high)).any(-1))


def is_mixture(colours: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Whether colours are mixtures of two areas, whose channels range from `low` to `high`.

    In a mixture, all channels are equally far from the middle, relative to their extent.
    """
    extent = np.where(low < high, high - low, np.nan)
    off_middle = np.abs(2 * colours - low - high) / extent  # 0 to 1
    spread = np.nanmax(off_middle, -1) - np.nanmin(off_middle, -1)
    return is_between(colours, low, high) & (spread <= MAX_SPREAD)
