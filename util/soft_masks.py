"""Masks that were interpolated or compressed with loss: telling them, and mending them.

Their borders have values between those of the two areas that meet there. Codes are ids or
colours, 0xRRGGBB; a colour here is (..., 3) float32, of an id too (its `blue`). Legend: H W the
mask. Flat pixels equal their eight neighbours; solid ones also are flat's neighbours.
"""

import cv2
import numpy as np

MAX_LINES = 2  # values between two areas that are outlines in colours of their own
MAX_STRAY = 0.05  # of the pixels between two areas: those of other outlines near by
MIN_SHARE = 0.12  # of the pixels where these areas meet; tiny objects on a border are fewer
MIN_PIXELS = 24
MIN_BORDER = 0.02  # of all pixels where areas meet
MAX_SPREAD = 0.1  # by rounding, and by the third of three areas that meet
JPEG_GAP = 48  # levels; closer values in a JPEG are noise
NOISE = 16  # levels by which compression changes the colour of a flat place
MIN_AREA = 1 / 200  # of the largest object; the flat specks of compression are smaller
PENALTY = 8  # levels; what a pixel of distance counts


def is_soft(codes):
    """Whether borders in a mask (H, W) are gradients.

    Where two areas meet, a gradient has many mixtures of them, on much of the border; outlines
    have one value each, and tiny objects take little of it.
    """
    num_codes = len(np.unique(codes))
    if not MAX_LINES + 3 <= num_codes <= 256:
        return num_codes > 256
    colours = to_colours(codes)
    flat = is_flat(colours)
    solid = grow(flat)
    low, high = around(colours, solid)
    meeting = ~flat & (low < high).any(-1)
    low, high, codes = low[meeting], high[meeting], codes[meeting]  # pixels, 3 and pixels
    soft = ~solid[meeting] & is_mixture(colours[meeting], low, high)
    _, pair = np.unique(np.concatenate([low, high], -1), axis=0, return_inverse=True)
    pair = pair.ravel()  # NumPy 2.0 keeps the axis
    kinds, counts = np.unique(np.stack([pair[soft], codes[soft]]), axis=1, return_counts=True)
    num_pixels, num_soft = np.bincount(pair), np.bincount(pair, soft)
    order = np.lexsort([-counts, kinds[0]])  # pair by pair, the frequent values first
    pairs, counts = kinds[0][order], counts[order]
    rank = np.arange(len(pairs)) - np.searchsorted(pairs, pairs)
    num_rest = np.bincount(pairs, counts * (rank >= MAX_LINES), minlength=len(num_pixels))
    num_values = np.bincount(pairs, minlength=len(num_pixels))
    has_many = (num_values > 2 * MAX_LINES) | (num_rest > MAX_STRAY * num_soft)
    is_gradient = has_many & (num_soft >= MIN_SHARE * num_pixels)
    return bool(num_soft[is_gradient].sum() > max(MIN_PIXELS, MIN_BORDER * len(pair)))


def has_noise(codes):
    """Whether values in a mask from a JPEG are so close that some must be noise."""
    values = np.union1d(codes, 0)
    if len(values) > 256:
        return True
    colours = to_colours(values)
    gaps = np.abs(colours[:, None] - colours).max(-1)
    return bool((gaps < JPEG_GAP).sum() > len(values))  # all are close to themselves


def snap(codes):
    """Give each pixel of a soft mask (H, W) the value of an area: a similar one that is near."""
    colours = to_colours(codes)
    flat = is_flat(colours)
    values = area_values(codes[flat], NOISE if codes.max() > 255 else 0)
    known = np.isin(codes, values)
    solid = grow(flat) & known
    # the gradient from 0 to 4 passes 1, 2 and 3, which may be areas elsewhere
    core = solid | (known & ~is_between(colours, *around(colours, solid)))
    out, best = np.zeros_like(codes), np.full(codes.shape, np.inf, np.float32)
    for value in values:
        own = core & (codes == value)
        cost = np.abs(colours - to_colours(value)).sum(-1)
        cost += PENALTY * cv2.distanceTransform((~own).astype(np.uint8), cv2.DIST_L2, 5)
        cost[own] = -1
        out[cost < best] = value
        best = np.minimum(best, cost)
    return out


def area_values(codes, noise):
    """The values of flat pixels (N), the frequent first, without specks and what is `noise` off."""
    values, areas = np.unique(codes, return_counts=True)
    least = MIN_AREA * areas[values != 0].max(initial=0)
    values = values[np.argsort(-areas * (areas >= least), kind='stable')]
    num_large = (areas >= least).sum()
    kept = []
    for value in values[:num_large].tolist():
        gaps = [np.abs(to_colours(value) - to_colours(other)).max() for other in kept]
        if min(gaps, default=np.inf) > noise:
            kept.append(value)
    return kept


def to_colours(codes):
    codes = np.asarray(codes)
    return np.stack([codes >> 16, codes >> 8 & 255, codes & 255], -1).astype(np.float32)


def is_flat(colours):
    box = np.ones((3, 3), np.uint8)
    return (cv2.erode(colours, box) == cv2.dilate(colours, box)).all(-1)


def grow(mask):
    return cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0


def around(colours, solid):
    """The lowest and highest level of each channel in solid pixels around each pixel.

    The neighbourhood is the smallest of 3, 5, 9 and 17 pixels that shows two colours; where none
    does, the lowest is not below the highest.
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


def is_between(colours, low, high):
    """Whether all channels lie between two levels, and one is neither of them."""
    inside = (low <= colours) & (colours <= high)
    return inside.all(-1) & ((low < colours) & (colours < high)).any(-1)


def is_mixture(colours, low, high):
    """Whether colours lie on the line between two: as far from its middle in all channels."""
    extent = np.where(low < high, high - low, np.nan)
    off_middle = np.abs(2 * colours - low - high) / extent  # 0 to 1
    spread = np.nanmax(off_middle, -1) - np.nanmin(off_middle, -1)
    return is_between(colours, low, high) & (spread <= MAX_SPREAD)
