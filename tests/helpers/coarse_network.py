"""A network without weights that follows colours, for tests of the code around the network."""

import torch
import torch.nn.functional as F

from model.network import STRIDE, Query


class CoarseNetwork:
    """Replaces PropagationNetwork in InferenceCore, and needs one millisecond per frame.

    The key of a cell of 16 x 16 pixels is its hue; its value is the share of it that the object
    covers.
    """

    device = torch.device('cpu')
    mean = torch.full((3, 1, 1), 0.5)
    short_side = None

    def modules(self):
        return []

    def memorize(self, image, masks):
        """Image (1, 3, H, W) and masks (1, K, H, W) to (1, K, 3, h, w) and (1, K, 1, h, w)."""
        keys = hues(image).unsqueeze(1).expand(-1, masks.shape[1], -1, -1, -1)
        return keys, F.avg_pool2d(masks, STRIDE).unsqueeze(2)

    def encode_query(self, image):
        return Query(hues(image), None, None, None)

    def decode(self, query, readout):
        """Readout (1, K, 1, h, w) to logits (1, K, H, W)."""
        logits = 25 * readout[:, :, 0] - 4
        return F.interpolate(logits, scale_factor=STRIDE, mode='bilinear', align_corners=False)


class SizeRecorder(CoarseNetwork):
    """A CoarseNetwork that records the sizes (H, W) of the images it gets, padding included."""

    def __init__(self):
        self.sizes = set()

    def encode_query(self, image):
        self.sizes.add(tuple(image.shape[-2:]))
        return super().encode_query(image)


def hues(image):
    """The hues (1, 3, h, w) of an image (1, 3, H, W), as vectors of length 6.

    Brightness is left out, so that it does not dominate dot products.
    """
    cells = F.avg_pool2d(image, STRIDE)
    return 6 * F.normalize(cells - cells.mean((1, 2, 3), keepdim=True), dim=1)
