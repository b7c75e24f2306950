"""3x3 convolution on the CPU with a quarter of the multiplications: Winograd's F(4x4, 3x3).

Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, CVPR 2016. GPU libraries choose
such algorithms by themselves; PyTorch's CPU library has none. The result differs from the direct
sum by a few float32 roundings (2e-5 where outputs are around 1).

Legend: each tile of 4x4 outputs is computed from a window of 6x6 inputs; B images, H W their size;
C, O channels in and out.
"""

import numpy as np
import torch
from torch import Tensor, nn

# The algorithm evaluates polynomials here and at infinity; these points have the least error.
POINTS = (0, 0.75, -0.75, 1.5, -1.5)
TILE, WINDOW = 4, 6
TILES = 216  # processed at once: the transforms of these fit into the cache


def transforms() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Toom and Cook's matrices for POINTS.

    They transform a row of outputs (4, 6), of weights (6, 3) and of inputs (6, 6).
    """
    outputs, weights = np.zeros((TILE, WINDOW)), np.zeros((WINDOW, 3))
    inputs = np.zeros((WINDOW, WINDOW))
    for i, point in enumerate(POINTS):
        others = [other for other in POINTS if other != point]
        outputs[:, i] = np.power(float(point), range(TILE))
        weights[i] = np.power(float(point), range(3)) / np.prod([point - o for o in others])
        inputs[i, :-1] = np.polynomial.polynomial.polyfromroots(others)
    outputs[-1, -1] = weights[-1, -1] = 1
    inputs[-1] = np.polynomial.polynomial.polyfromroots(POINTS)
    return outputs, weights, inputs


class WinogradConv(nn.Module):
    """Computes what an nn.Conv2d with 3x3 kernels, stride 1 and padding 1 does, for inference.

    Under autocast it is the direct convolution, as half precision would not survive the transforms.
    It is fastest with channels_last activations.
    """

    bias: Tensor
    to_input: Tensor
    to_output: Tensor
    transformed: Tensor

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        assert conv.bias is not None
        self.direct: nn.Module = conv
        self.register_buffer('bias', conv.bias.detach())
        weight = conv.weight.detach()
        outputs, weights, inputs = transforms()
        # both directions at once, with the numbers of a tile or window in one row
        to_input, to_output = (np.kron(m, m).astype(np.float32) for m in (inputs, outputs))
        self.register_buffer('to_input', torch.from_numpy(to_input))  # 36, 36
        self.register_buffer('to_output', torch.from_numpy(to_output))  # 16, 36
        matrix = torch.from_numpy(np.kron(weights, weights))  # 36, 9
        transformed = matrix @ weight.double().flatten(2).permute(2, 1, 0).flatten(1)  # 36, C*O
        shape = (WINDOW**2, *weight.shape[1::-1])
        self.register_buffer('transformed', transformed.float().view(shape))  # 36, C, O

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, O, H, W), channels_last."""
        if torch.is_autocast_enabled(x.device.type):
            return self.direct(x)
        return self.by_tiles(x)

    @torch.compiler.disable  # a compiled graph would be slower than this order of the work
    def by_tiles(self, x: Tensor) -> Tensor:
        """The convolution of x (B, C, H, W), some rows of tiles at a time."""
        batch, channels, height, width = x.shape
        rows, columns = -(-height // TILE), -(-width // TILE)  # numbers of tiles, rounded up
        padded = x.new_zeros(batch, rows * TILE + 2, columns * TILE + 2, channels)
        padded[:, 1 : height + 1, 1 : width + 1] = x.permute(0, 2, 3, 1)
        out = x.new_empty(batch, rows, TILE, columns, TILE, len(self.bias))
        at_once = max(1, TILES // columns)
        for image, result in zip(padded, out, strict=True):
            windows = image.unfold(0, WINDOW, TILE).unfold(1, WINDOW, TILE)  # rows, cols, C, 6, 6
            for part, target in zip(windows.split(at_once), result.split(at_once), strict=True):
                target.copy_(self.convolve(part.permute(3, 4, 0, 1, 2)))
        out = out.view(batch, rows * TILE, columns * TILE, -1)[:, :height, :width]
        return out.permute(0, 3, 1, 2)

    def convolve(self, windows: Tensor) -> Tensor:
        """Windows (6, 6, rows, columns, C) -> tiles (rows, 4, columns, 4, O)."""
        rows, columns, channels = windows.shape[2:]
        x = self.to_input @ windows.reshape(WINDOW**2, -1)
        x = torch.bmm(x.view(WINDOW**2, -1, channels), self.transformed)  # 36, tiles, O
        x = self.to_output @ x.flatten(1)
        x = x.view(TILE, TILE, rows, columns, -1).add_(self.bias)
        return x.permute(2, 0, 3, 1, 4)
