"""Where a point or a mask of one image lies in another: the memory read, seen as a map.

Legend: H W an image; H' W' the same as the network gets it, scaled and then padded to multiples of
16; h w = H'/16 W'/16 its feature cells; N = h*w of the source, M = h*w of the target. Points are
pixels (x, y), counted from 0 at the top left. MiVOS (CVPR 2021), section 3.2.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from model.memory import affinity, readout
from model.network import STRIDE, PropagationNetwork
from util.tensor import as_float, pad, padding, resize, unpad


@torch.inference_mode()
def correspond(network: PropagationNetwork, source: Tensor, target: Tensor) -> Tensor:
    """How much each cell of the target takes from each cell of the source.

    The source is memorised with an empty mask, the target is the query; there is no top-k. A
    feature or a mask of the source, one value per cell, is carried to the target by `values @ W`.

    Arguments:
        source, target: (3, H, W), each of its own size, float in [0, 1] or uint8.
    Returns:
        W (N, M) in [0, 1], float32; each column sums to 1.
    """
    source, target = (pad_image(network, image) for image in (source, target))
    empty = source.new_zeros(1, 1, *source.shape[-2:])
    keys, _ = network.memorize(source, empty)  # 1, 1, CK, h, w
    return affinity(keys[:, 0], network.encode_query(target).key)[0]


def pad_image(network: PropagationNetwork, image: Tensor) -> Tensor:
    """Put an image (3, H, W) on the network's device and pad it: (1, 3, H', W').

    The border has the mean colour, which is zero once it is normalised.
    """
    image = as_float(image.to(network.device))
    height, width = image.shape[-2:]
    return pad(image, padding(height, width, STRIDE), network.mean).unsqueeze(0)


class Grid:
    """The network's cells over an image: from pixels to cells and back, without an offset.

    A cell covers 16 x 16 pixels of the padded image. Attribute `shape`: (h, w).

    size: (H, W) of the image. network_size: (height, width) to which it is scaled before padding.
    """

    def __init__(self, size: Sequence[int], network_size: Sequence[int]) -> None:
        self.size = tuple(size)
        self.network_size = tuple(network_size)
        height, width = network_size
        self.pads = padding(height, width, STRIDE)
        left, right, top, bottom = self.pads
        self.shape = ((height + top + bottom) // STRIDE, (width + left + right) // STRIDE)

    def cell(self, point: Sequence[float]) -> int:
        """Index (in 0..h*w-1) of the cell that holds the middle of a pixel (x, y)."""
        column, row = (
            int((offset + (place + 0.5) * scaled / side) // STRIDE)
            for place, side, scaled, offset in zip(point, *self._axes(), strict=True)
        )
        return row * self.shape[1] + column

    def centre(self, cell: int | Tensor) -> tuple[int, int]:
        """The pixel (x, y) of the image in which the middle of a cell lies."""
        row, column = divmod(int(cell), self.shape[1])
        x, y = (
            # if half of the last cell is padding, its middle lies on the very edge of the image
            min(int((STRIDE * (place + 0.5) - offset) * side / scaled), side - 1)
            for place, side, scaled, offset in zip((column, row), *self._axes(), strict=True)
        )
        return x, y

    def reduce(self, plane: np.ndarray | Tensor) -> Tensor:
        """The mean over each cell (h*w,) of one number per pixel (H, W), without the padding.

        For a mask, this is how much of each cell it covers: 1 everywhere for the whole image.
        """
        plane = torch.as_tensor(plane, dtype=torch.float32)[None, None]
        # area, because a small spot of a large image must not fall between the samples
        plane = F.interpolate(plane, self.network_size, mode='area')[0]
        planes = pad(torch.cat([plane, torch.ones_like(plane)]), self.pads)  # 2, H', W'
        total, inside = F.avg_pool2d(planes, STRIDE)
        return (total / inside).flatten()

    def spread(self, values: Tensor) -> Tensor:
        """Scale one value per cell (h*w,) up to the network's size (height, width), bilinearly."""
        cells = values.view(1, *self.shape)
        size = [STRIDE * side for side in self.shape]
        return unpad(resize(cells, size), self.pads)[0]

    def _axes(self) -> tuple[Sequence[int], Sequence[int], Sequence[int]]:
        """Sides of the image, sides at the network's size, and padding before; each as (x, y)."""
        return self.size[::-1], self.network_size[::-1], self.pads[::2]


class Match(NamedTuple):
    """Where a point or a mask of the source lies in the target.

    point: the pixel in the middle of the cell that takes the most from it; None if no cell takes
        anything (the softmax is 0 in float32).
    probability: how much that cell takes, in [0, 1]. What a cell of the target takes from all cells
        of the source sums to 1; this is the part from the given point, or from under the mask. Its
        sum over the target is not 1: an occluded object is matched by few target cells.
    heat: the same for the whole target, float32 (height, width) at the network's size.
    """

    point: tuple[int, int] | None
    probability: float
    heat: np.ndarray


class Correspondence:
    """Matches between two images, in their own pixels.

    weights: W (N, M) of `correspond`; source, target: the Grid of each.
    """

    def __init__(self, weights: Tensor, source: Grid, target: Grid) -> None:
        self.weights, self.source, self.target = weights.cpu(), source, target

    def of_point(self, point: Sequence[float]) -> Match:
        """The match of a pixel (x, y) of the source, that is, of the cell that it lies in."""
        return self._match(self.weights[self.source.cell(point)])

    def of_mask(self, mask: np.ndarray | Tensor) -> Match:
        """The match of a mask of the source, bool (H, W)."""
        covered = self.source.reduce(mask)
        return self._match(readout(self.weights[None], covered[None, None])[0, 0])

    def _match(self, carried: Tensor) -> Match:
        """The match, given how much each cell of the target takes (M,)."""
        probability, best = carried.max(0)
        point = self.target.centre(best) if probability > 0 else None
        return Match(point, probability.item(), self.target.spread(carried).numpy())
