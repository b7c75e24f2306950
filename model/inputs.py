"""What callers pass to `inference_core.InferenceCore`: checked, on the device, and padded.

Legend: H W size of an image, H' W' the same padded to multiples of STRIDE.
"""

from collections.abc import Sequence
from numbers import Integral
from typing import NamedTuple

import numpy as np
import torch

from model.network import STRIDE, PropagationNetwork
from util.errors import UserError
from util.tensor import Padding, as_float, pad, padding

Image = torch.Tensor | np.ndarray
Mask = torch.Tensor | np.ndarray


class Annotation(NamedTuple):
    """A mask, and the ids of the objects that it annotates."""

    object_ids: list[int]
    mask: torch.Tensor  # (H, W) or, on the device, (H', W'); int64


class Inputs(NamedTuple):
    """An image and its mask, ready for the network."""

    image: torch.Tensor  # 1, 3, H', W'
    size: tuple[int, int]  # H, W
    pads: Padding
    annotation: Annotation | None


def prepare(
    network: PropagationNetwork,
    what: str,
    image: Image,
    mask: Mask | None,
    object_ids: Sequence[int] | None,
) -> Inputs:
    """Check an image (3, H, W) and its mask (H, W), move them to the network's device and pad them.

    The padding of the image has the mean colour, so that it is zero after normalisation.

    Arguments:
        network: the network that will see the image.
        what: how a message names the frame.
        image: see `check_image`.
        mask: see `check_mask`; None if the image has none.
        object_ids: see `check_mask`.
    """
    image = check_image(what, image)
    height, width = image.shape[-2:]
    pads = padding(height, width, STRIDE)
    annotation = None
    if mask is not None:
        ids, mask = check_mask(what, mask, (height, width), object_ids)
        annotation = Annotation(ids, pad(mask.to(network.device), pads))
    if image.device.type == 'cpu' and network.device.type == 'cuda':
        image = image.pin_memory()  # so that the CPU need not wait for the GPU to copy it
    image = as_float(image.to(network.device, non_blocking=True))
    return Inputs(pad(image, pads, network.mean).unsqueeze(0), (height, width), pads, annotation)


def check_image(what: str, image: Image) -> torch.Tensor:
    """Raise UserError unless an image is (3, H, W) and uint8 or float with values in [0, 1].

    Values may exceed that range by up to 0.5, because bicubic scaling overshoots by up to 0.45.
    """
    image = torch.as_tensor(image)
    if image.ndim != 3 or image.shape[0] != 3:
        raise UserError(f'{what}: an image must have the shape (3, H, W), not {tuple(image.shape)}')
    if image.dtype == torch.uint8 or not image.numel():
        return image
    found = str(image.dtype).removeprefix('torch.')
    if image.is_floating_point():
        low, high = (bound.item() for bound in image.aminmax())
        if low >= -0.5 and high <= 1.5:
            return image
        found += f' from {low:.4g} to {high:.4g}'
    raise UserError(
        f'{what}: an image must be uint8, or float in [0, 1], not {found}; divide values up to 255 '
        'by 255, and do not subtract a mean'
    )


def check_mask(
    what: str, mask: Mask, size: tuple[int, int], object_ids: Sequence[int] | None
) -> Annotation:
    """Raise UserError unless a mask fits its frame, and its ids the list of ids.

    Arguments:
        what: how a message names the frame.
        mask: (H, W), integer object ids in 1..255; 0 for the background.
        size: H and W of the frame.
        object_ids: the ids of the objects that the mask annotates, which must include every id in
            it; by default, the ids in the mask.
    """
    mask = torch.as_tensor(mask if torch.is_tensor(mask) else np.asarray(mask))
    if tuple(mask.shape) != size or mask.is_floating_point() or mask.is_complex():
        height, width = size
        raise UserError(
            f'the mask of {what} must be an integer array of size {width}x{height}, not '
            f'{mask.dtype} of shape {tuple(mask.shape)}'
        )
    mask = mask.long()
    present = set(mask.unique().tolist())
    ids = sorted(present - {0}) if object_ids is None else [int(i) for i in object_ids]
    if not (present | set(ids)) <= {*range(256)} or 0 in ids:
        raise UserError(f'the mask of {what}: object ids must be in 1..255 (0 is the background)')
    if not present <= {0, *ids} or len(set(ids)) != len(ids):
        raise UserError(
            f'the mask of {what} holds the ids {sorted(present - {0})}; object_ids must list each '
            f'of them exactly once, but is {ids}'
        )
    return Annotation(ids, mask)


def check_count(name: str, value: int | None, *, or_none: bool = False) -> None:
    """Raise UserError unless a value is an integer of at least 1, or None if that is allowed."""
    if value is None and or_none:
        return
    if not isinstance(value, Integral) or value < 1:
        raise UserError(f'{name} must be a whole number of at least 1, not {value}')
