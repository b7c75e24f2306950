"""A network without weights that follows colours: for tests of what happens around the network."""

import torch
import torch.nn.functional as F

from model.network import STRIDE, Query


class CoarseNetwork:
    """To InferenceCore like a PropagationNetwork, but a frame takes a millisecond.

    A key is the hue of a cell of 16 x 16 pixels, a value how much of it is the object.
    """

    device = torch.device('cpu')
    mean = torch.full((3, 1, 1), 0.5)
    short_side = None

    def memorize(self, image, masks):
        """image (1, 3, H, W), masks (1, K, H, W) -> (1, K, 3, h, w), (1, K, 1, h, w)."""
        keys = hues(image).unsqueeze(1).expand(-1, masks.shape[1], -1, -1, -1)
        return keys, F.avg_pool2d(masks, STRIDE).unsqueeze(2)

    def encode_query(self, image):
        return Query(hues(image), None, None, None)

    def decode(self, query, readout):
        """readout (1, K, 1, h, w) -> logits (1, K, H, W)."""
        logits = 25 * readout[:, :, 0] - 4
        return F.interpolate(logits, scale_factor=STRIDE, mode='bilinear', align_corners=False)


def hues(image):
    """(1, 3, H, W) -> (1, 3, h, w) of length 6: brightness says nothing in a dot product."""
    cells = F.avg_pool2d(image, STRIDE)
    return 6 * F.normalize(cells - cells.mean((1, 2, 3), keepdim=True), dim=1)
