"""Value ranges, padding to the network's stride, resizing, one-hot masks, files of tensors.

Legend: H W image, K objects.
"""

import torch
import torch.nn.functional as F

from util.files import atomic_write

Padding = tuple[int, int, int, int]  # left, right, top, bottom


def as_float(image):
    """An image, uint8 or float in [0, 1] -> float32 in [0, 1]."""
    return image / 255 if image.dtype == torch.uint8 else image.float()


def padding(height, width, multiple):
    """-> (left, right, top, bottom) up to multiples; the odd pixel goes to the right and bottom."""
    rows, columns = -height % multiple, -width % multiple
    return columns // 2, columns - columns // 2, rows // 2, rows - rows // 2


def pad(x, pads, value=0.0):
    """Surround x (..., C, H, W) with `value`: a number, or one per channel as (C, 1, 1)."""
    left, right, top, bottom = pads
    height, width = x.shape[-2:]
    shape = (*x.shape[:-2], height + top + bottom, width + left + right)
    value = torch.as_tensor(value, dtype=x.dtype, device=x.device)
    out = value.expand(shape).contiguous()
    out[..., top : top + height, left : left + width] = x
    return out


def unpad(x, pads):
    """The part of x (..., H, W) that `pad` was given."""
    left, right, top, bottom = pads
    return x[..., top : x.shape[-2] - bottom, left : x.shape[-1] - right]


def resize(x, size):
    """Bilinear, without aligned corners: x (C, H, W) -> (C, *size)."""
    if tuple(x.shape[-2:]) == tuple(size):
        return x
    return F.interpolate(x[None], tuple(size), mode='bilinear', align_corners=False)[0]


def one_hot(mask, ids):
    """Index masks (..., H, W) -> float32 (..., len(ids), H, W), 1 where a mask has that id."""
    ids = torch.as_tensor(ids, dtype=mask.dtype, device=mask.device)
    return (mask.unsqueeze(-3) == ids.view(-1, 1, 1)).float()


def save_tensors(path, content):
    """torch.save, atomically. Raises OSError if the disk is full, for example."""
    with atomic_write(path) as part, open(part, 'wb') as file:
        try:
            torch.save(content, file)
        except RuntimeError as error:  # raised by torch's zip writer; its context is the OSError
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise
