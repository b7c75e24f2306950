"""Where a point or a mask of one picture lies in another: the memory read, seen as a map.

Legend: H W a picture; H' W' the same as the network gets it: scaled, then padded to multiples of
16; h w = H'/16 W'/16 its feature cells; N = h*w of the source, M = h*w of the target. Points are
pixels (x, y), counted from 0 at the top left. MiVOS (CVPR 2021), section 3.2.
"""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from model.memory import affinity, readout
from model.network import STRIDE
from util.tensor import as_float, pad, padding, resize, unpad


@torch.inference_mode()
def correspond(network, source, target):
    """How much each cell of the target takes from each cell of the source.

    source (3, H, W), target (3, H, W), each of its own size, float in [0, 1] or uint8
    -> W (N, M) in [0, 1], float32; a column sums to 1.

    The source is memorised with an empty mask, the target is the query; no top-k. A feature or a
    mask of the source, one value per cell, is carried to the target by `values @ W`.
    """
    source, target = (pad_image(network, image) for image in (source, target))
    empty = source.new_zeros(1, 1, *source.shape[-2:])
    keys, _ = network.memorize(source, empty)  # 1, 1, CK, h, w
    return affinity(keys[:, 0], network.encode_query(target).key)[0]


def pad_image(network, image):
    """(3, H, W) -> (1, 3, H', W') on the network's device; the border is zero once normalised."""
    image = as_float(image.to(network.device))
    return pad(image, padding(*image.shape[-2:], STRIDE), network.mean).unsqueeze(0)


class Grid:
    """The network's cells over a picture: from pixels to cells and back, without an offset.

    size: (H, W) of the picture; network_size: (height, width) it is scaled to before the padding.
    A cell covers 16 x 16 pixels of the padded image. Attribute: `shape`, (h, w).
    """

    def __init__(self, size, network_size):
        self.size = tuple(size)
        self.network_size = tuple(network_size)
        self.pads = padding(*network_size, STRIDE)
        left, right, top, bottom = self.pads
        height, width = network_size
        self.shape = ((height + top + bottom) // STRIDE, (width + left + right) // STRIDE)

    def cell(self, point):
        """Index (in 0..h*w-1) of the cell that holds the middle of a pixel."""
        column, row = (
            int((offset + (place + 0.5) * scaled / side) // STRIDE)
            for place, side, scaled, offset in zip(point, *self._axes(), strict=True)
        )
        return row * self.shape[1] + column

    def centre(self, cell):
        """The pixel of the picture in which the middle of a cell lies."""
        row, column = divmod(int(cell), self.shape[1])
        return tuple(
            # half of the last cell can be padding: its middle is the picture's very edge then
            min(int((STRIDE * (place + 0.5) - offset) * side / scaled), side - 1)
            for place, side, scaled, offset in zip((column, row), *self._axes(), strict=True)
        )

    def reduce(self, plane):
        """One number per pixel (H, W) -> its mean over each cell (h*w,), without the padding.

        Of a mask: how much of each cell it covers; 1 everywhere if it is the whole picture.
        """
        plane = torch.as_tensor(plane, dtype=torch.float32)[None, None]
        # area: a small spot of a large picture must not fall between the samples
        plane = F.interpolate(plane, self.network_size, mode='area')[0]
        planes = pad(torch.cat([plane, torch.ones_like(plane)]), self.pads)  # 2, H', W'
        total, inside = F.avg_pool2d(planes, STRIDE)
        return (total / inside).flatten()

    def spread(self, values):
        """A value per cell (h*w,) -> (height, width) at the network's size: bilinear, unpadded."""
        cells = values.view(1, *self.shape)
        size = [STRIDE * side for side in self.shape]
        return unpad(resize(cells, size), self.pads)[0]

    def _axes(self):
        """Sides of the picture, those at the network's size, padding before; each as (x, y)."""
        return self.size[::-1], self.network_size[::-1], self.pads[::2]


class Match(NamedTuple):
    """What becomes of a point or a mask of the source in the target.

    point: the pixel in the middle of the cell that takes most of it; None if no cell takes
    anything (the softmax gives 0 in float32). probability: how much that cell takes, in [0, 1]:
    what each cell of the target takes from all cells of the source sums to 1, and this is the part
    that it takes from the given one, or from those under the mask. (The sum over the target's
    cells is not 1: a thing that is hidden there is taken by few.) heat: the same for the whole
    target, float32 at the network's size.
    """

    point: tuple | None
    probability: float
    heat: np.ndarray


class Correspondence:
    """The W between two pictures, asked in their own pixels.

    weights: W (N, M) of `correspond`; source, target: the Grid of each.
    """

    def __init__(self, weights, source, target):
        self.weights, self.source, self.target = weights.cpu(), source, target

    def of_point(self, point):
        """-> the Match of a pixel (x, y) of the source, that is, of the cell it lies in."""
        return self._match(self.weights[self.source.cell(point)])

    def of_mask(self, mask):
        """-> the Match of a mask of the source, bool (H, W)."""
        covered = self.source.reduce(mask)
        return self._match(readout(self.weights[None], covered[None, None])[0, 0])

    def _match(self, carried):
        """(M,) -> Match."""
        probability, best = carried.max(0)
        point = self.target.centre(best) if probability > 0 else None
        return Match(point, probability.item(), self.target.spread(carried).numpy())
