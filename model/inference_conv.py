"""A convolution for inference: weights in the layout that the device computes fastest with.

Legend: B images, C O channels in and out, H W their size.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def layout_for(device: torch.device, *, half: bool) -> torch.memory_format:
    """The order of pixels and channels with which a device computes convolutions fastest.

    A CPU and CUDA's tensor cores want the channels of a pixel side by side. CUDA's float32 kernels
    are slower for it (up to 1.6 times), and some releases of PyTorch compute wrong results on
    Apple's GPUs.
    """
    if device.type == 'cpu' or (device.type == 'cuda' and half):
        return torch.channels_last
    return torch.contiguous_format


class InferenceConv(nn.Module):
    """Computes what an nn.Conv2d does. Under autocast, it uses a copy of its weights in half
    precision, if `keep_half_weights` has made one; autocast would convert them in every frame.

    device: the one that it will compute on.
    """

    half_weight: Tensor | None
    half_bias: Tensor | None

    def __init__(self, conv: nn.Conv2d, device: torch.device) -> None:
        super().__init__()
        self.layout = layout_for(device, half=False)
        self.half_layout = layout_for(device, half=True)
        self.weight = nn.Parameter(conv.weight.detach().to(memory_format=self.layout))
        self.bias = conv.bias
        self.register_buffer('half_weight', None, persistent=False)
        self.register_buffer('half_bias', None, persistent=False)
        self.stride, self.padding = conv.stride, conv.padding

    def keep_half(self, dtype: torch.dtype) -> None:
        """Keep a copy of the weights of this dtype."""
        if self.half_weight is None or self.half_weight.dtype != dtype:
            self.half_weight = self.weight.detach().to(dtype, memory_format=self.half_layout)
            self.half_bias = None if self.bias is None else self.bias.detach().to(dtype)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, O, ..)."""
        weight: Tensor = self.weight
        bias: Tensor | None = self.bias
        layout = self.layout
        if self.half_weight is not None and torch.is_autocast_enabled(x.device.type):
            weight, bias, layout = self.half_weight, self.half_bias, self.half_layout
        if layout == torch.contiguous_format:
            x = x.contiguous()
        return F.conv2d(x, weight, bias, self.stride, self.padding)


def keep_half_weights(network: nn.Module, dtype: torch.dtype) -> None:
    """Convert the weights of a network made ready for inference, once for all frames.

    The full weights stay, for use without autocast. Does nothing to other networks.
    """
    for module in network.modules():
        if isinstance(module, InferenceConv):
            module.keep_half(dtype)
