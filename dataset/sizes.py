"""Sizes of images and masks: what fits together, and how each is scaled."""

import torch
import torch.nn.functional as F

from util.errors import UserError

MAX_PIXELS = 2**25  # for the network, which takes about 1 KiB each; a frame of 8K has as many


def scaled(size, short_side):
    """(height, width) with the short side brought to a length; the long one is rounded down."""
    if short_side is None:
        return tuple(size)
    return tuple(int(short_side * side / min(size)) for side in size)


def size_for_network(what, size, short_side):
    """`scaled`; raises UserError where that would be too much for the network."""
    height, width = scaled(size, short_side)
    if height * width > MAX_PIXELS:
        sizes = f'{size[1]}x{size[0]}, of which --size {short_side or -1} makes {width}x{height}'
        limit = f'the network takes up to {MAX_PIXELS // 10**6} million pixels'
        raise UserError(f'{what}: {sizes}, and {limit}; choose another --size')
    return height, width


def resize_image(image, size):
    """(3, H, W) in [0, 1] -> (3, *size): bicubic, smoothed when scaled down, clamped."""
    if tuple(image.shape[-2:]) == tuple(size):
        return image
    resized = F.interpolate(image[None], size, mode='bicubic', antialias=True, align_corners=False)
    return resized[0].clamp(0, 1)


def resize_mask(mask, size):
    """uint8 (H, W) -> (*size), nearest neighbour."""
    if tuple(mask.shape) == tuple(size):
        return mask
    return F.interpolate(mask[None, None], size, mode='nearest')[0, 0]


def fit_mask(path, mask, size):
    """A mask (H, W) one pixel off its frame, as rounding leaves them, is scaled."""
    check_fit(path, mask.shape, size)
    return resize_mask(torch.from_numpy(mask), size).numpy()


def check_fit(path, size, frame_size):
    if max(abs(a - b) for a, b in zip(size, frame_size, strict=True)) > 1:
        sizes = f'{size[1]}x{size[0]}, its frame {frame_size[1]}x{frame_size[0]}'
        raise UserError(f'{path}: the mask is {sizes}; scale it with nearest neighbour')


def check_size(what, size, expected):
    if size != expected:
        sizes = f'{size[1]}x{size[0]}, the first frame is {expected[1]}x{expected[0]}'
        raise UserError(f'{what}: {sizes}; all frames of a video must have one size')
