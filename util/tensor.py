"""Tensors: value ranges, padding, resizing, one-hot masks, and saving them.

Legend: C channels, H W image, K objects.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F

from util.files import atomic_write


class Padding(NamedTuple):
    """How many pixels are added on each side of an image."""

    left: int
    right: int
    top: int
    bottom: int


def as_float(image: torch.Tensor) -> torch.Tensor:
    """An image as float32 in [0, 1]; it may be uint8, or floating-point in [0, 1] already."""
    return image / 255 if image.dtype == torch.uint8 else image.float()


def padding(height: int, width: int, multiple: int) -> Padding:
    """The pads that bring both sides to a multiple; an odd pixel goes to the right or bottom."""
    rows, columns = -height % multiple, -width % multiple
    return Padding(columns // 2, columns - columns // 2, rows // 2, rows - rows // 2)


def pad(x: torch.Tensor, pads: Padding, value: float | torch.Tensor = 0.0) -> torch.Tensor:
    """Surround x (..., C, H, W) with `value`: a number, or one per channel as (C, 1, 1)."""
    left, right, top, bottom = pads
    height, width = x.shape[-2:]
    shape = (*x.shape[:-2], height + top + bottom, width + left + right)
    value = torch.as_tensor(value, dtype=x.dtype, device=x.device)
    out = value.expand(shape).contiguous()
    out[..., top : top + height, left : left + width] = x
    return out


def unpad(x: torch.Tensor, pads: Padding) -> torch.Tensor:
    """Undo `pad` on x (..., H, W)."""
    left, right, top, bottom = pads
    return x[..., top : x.shape[-2] - bottom, left : x.shape[-1] - right]


def resize(x: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """Resize x (C, H, W) to (C, *size), bilinearly and without aligned corners."""
    if tuple(x.shape[-2:]) == tuple(size):
        return x
    return F.interpolate(x[None], tuple(size), mode='bilinear', align_corners=False)[0]


def one_hot(mask: torch.Tensor, ids: Sequence[int] | torch.Tensor) -> torch.Tensor:
    """Turn masks of ids (..., H, W) into float32 (..., K, H, W): channel k is 1 at ids[k]."""
    ids = torch.as_tensor(ids, dtype=mask.dtype, device=mask.device)
    return (mask.unsqueeze(-3) == ids.view(-1, 1, 1)).float()


def save_tensors(path: str | Path, content: Any) -> None:
    """torch.save, atomically. Raises OSError if the disk is full, for example."""
    with atomic_write(path) as part, open(part, 'wb') as file:
        try:
            torch.save(content, file)
        except RuntimeError as error:  # raised by torch's zip writer; its context is the OSError
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise
