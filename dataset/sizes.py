"""Sizes of images and masks: which fit together, and how each kind is scaled.

Sizes are (height, width). H W is the size of an image or a mask.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from util.errors import UserError

Size = tuple[int, int]
MAX_PIXELS = 2**25  # an 8K frame; the network needs about 1 KiB for each pixel


def scaled(size: Sequence[int], short_side: int | None) -> Size:
    """A size with its short side brought to a length (None keeps it); the long side rounds down."""
    height, width = size
    if short_side is None:
        return height, width
    shorter = min(size)
    return int(short_side * height / shorter), int(short_side * width / shorter)


def size_for_network(what: str | Path, size: Size, short_side: int | None) -> Size:
    """The size that `what` has after scaling. Raises UserError if the network cannot take it."""
    height, width = scaled(size, short_side)
    if height * width > MAX_PIXELS:
        becomes = f' becomes {width}x{height} at a short side of {short_side}' if short_side else ''
        raise UserError(
            f'{what}: {describe(size)}{becomes}, and the network takes up to '
            f'{MAX_PIXELS // 10**6} million pixels; choose another short side',
            parameter='short_side',
        )
    return height, width


def resize_image(image: torch.Tensor, size: Size) -> torch.Tensor:
    """Scale an image (3, H, W) in [0, 1] bicubically, with antialiasing; the result is clamped."""
    if tuple(image.shape[-2:]) == tuple(size):
        return image
    resized = F.interpolate(image[None], size, mode='bicubic', antialias=True, align_corners=False)
    return resized[0].clamp(0, 1)


def resize_mask(mask: torch.Tensor, size: Size) -> torch.Tensor:
    """Scale a uint8 mask (H, W) of ids by nearest neighbour."""
    if tuple(mask.shape) == tuple(size):
        return mask
    return F.interpolate(mask[None, None], size, mode='nearest')[0, 0]


def fit_mask(path: Path, mask: np.ndarray, size: Size) -> np.ndarray:
    """Bring a mask (H, W) to the size of its frame, from which it may differ by one pixel.

    Tools that scale frames and masks separately round differently. Raises UserError for more.
    """
    check_fit(path, mask.shape, size)
    return resize_mask(torch.from_numpy(mask), size).numpy()


def check_fit(path: Path, size: Sequence[int], frame_size: Size) -> None:
    """Raise UserError if a mask's size differs from its frame's by more than one pixel."""
    if max(abs(a - b) for a, b in zip(size, frame_size, strict=True)) > 1:
        (height, width), (frame_height, frame_width) = size, frame_size
        advice = 'scale it with nearest neighbour'
        is_turned = (height < width) != (frame_height < frame_width)
        if is_turned and abs(height * frame_height - width * frame_width) <= max(frame_size):
            scale = '' if max(size) == max(frame_size) else f' and {advice}'
            advice = f'it looks turned by 90 degrees; turn it{scale}'
        raise UserError(
            f'{path}: the mask is {describe(size)}, its frame {describe(frame_size)}; {advice}'
        )


def check_size(what: str | Path, size: Size, expected: Size) -> None:
    if tuple(size) != tuple(expected):
        raise UserError(
            f'{what}: {describe(size)}, but the first frame is {describe(expected)}; all frames '
            'of a video must have one size'
        )


def describe(size: Sequence[int]) -> str:
    """WIDTHxHEIGHT, as people write sizes."""
    return f'{size[1]}x{size[0]}'
