"""A network optimised for inference: the same results, in less time.

The function computed is unchanged, but parameters are renamed and repacked: do not train or save
the result.
"""

import itertools
import os
import shutil
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from model.inference_conv import InferenceConv
from model.modules import Compress, UpsampleBlock
from model.winograd import WinogradConv
from util.errors import UserError

Network = TypeVar('Network', bound=nn.Module)


def prepare_for_inference(
    network: Network, *, device: torch.device | None = None, compiled: bool = False
) -> Network:
    """Optimise a PropagationNetwork in place, and return it.

    device: what to optimise it for; by default, the device that it is on.
    compiled: also compile it with torch.compile, which happens at the first frame.
    """
    device = device or next(network.parameters()).device
    # 1. fold BatchNorm into the convolutions before it
    for module in network.modules():
        fold_batch_norm(module)
    # 2. compute what depends on the frame only once for all objects
    replace(network, Compress, SharedCompress)
    # 3. give the decoder's large convolutions a faster algorithm; GPU libraries have it already
    if device.type == 'cpu':
        for module in network.modules():
            if isinstance(module, UpsampleBlock):
                replace(module, nn.Conv2d, WinogradConv)
    # 4. store weights in the order in which the device reads them
    replace(network, nn.Conv2d, partial(InferenceConv, device=device))
    network.requires_grad_(False)
    if compiled:
        compile_methods(network, device)
    return network


def compile_methods(network: nn.Module, device: torch.device) -> None:
    """Compile the methods that InferenceCore calls, at their first call.

    Raises UserError if this needs a C++ compiler, on a CPU, and there is none.
    """
    compiler = os.environ.get('CXX', 'g++')
    if device.type == 'cpu' and not shutil.which(compiler):
        raise UserError(
            f'compiling the network needs a C++ compiler; install {compiler}, or do not compile',
            parameter='compiled',
        )
    # freezing: weights become constants, repacked once. It is a switch of the whole process, so it
    # is on during these calls only; torch.compile's `options` do not reach all that looks at it.
    freezing = torch._inductor.config.patch(freezing=True)
    for name in ('encode_query', 'memorize', 'decode'):
        setattr(network, name, freezing(torch.compile(getattr(network, name))))


def fold_batch_norm(module: nn.Module) -> None:
    """Fold each BatchNorm of a module into the convolution that is defined right before it."""
    for (conv_name, conv), (name, norm) in itertools.pairwise(list(module.named_children())):
        if isinstance(norm, nn.BatchNorm2d):
            assert isinstance(conv, nn.Conv2d)
            setattr(module, conv_name, fuse_conv_bn_eval(conv, norm))
            setattr(module, name, nn.Identity())


def replace(network: nn.Module, kind: type[nn.Module], new: Callable[..., nn.Module]) -> None:
    """Put `new(module)` in the place of each module of this kind."""
    for parent in list(network.modules()):
        for name, child in parent.named_children():
            if isinstance(child, kind):
                setattr(parent, name, new(child))


class SharedCompress(nn.Module):
    """Computes what the decoder's `Compress` does, the query's half of it once for all objects."""

    def __init__(self, block: Compress) -> None:
        super().__init__()
        assert block.downsample is not None
        self.conv1 = HalvedConv(block.conv1)
        self.downsample = HalvedConv(block.downsample)
        self.conv2 = block.conv2

    def forward(self, readout: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        """readout (B, K, 512, h, w), value (B, 512, h, w) -> (B, K, 512, h, w)."""
        shortcut = self.downsample(readout, value)
        x = self.conv1(F.relu(readout), F.relu(value))
        return shortcut + self.conv2(F.relu(x).flatten(0, 1)).view_as(shortcut)


class HalvedConv(nn.Module):
    """A convolution of the channels [x, shared], as the sum of one over each half."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        own, shared = conv.weight.detach().chunk(2, 1)
        self.own = convolution(own, None)
        self.shared = convolution(shared, conv.bias)

    def forward(self, x: torch.Tensor, shared: torch.Tensor) -> torch.Tensor:
        """x (B, K, C, h, w), shared (B, C, h, w) -> (B, K, O, h, w)."""
        x = self.own(x.flatten(0, 1)).unflatten(0, x.shape[:2])
        return x + self.shared(shared).unsqueeze(1)


def convolution(weight: torch.Tensor, bias: torch.Tensor | None) -> nn.Conv2d:
    """A 3x3 convolution with these weights (O, C, 3, 3) and a padding of 1."""
    conv = nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1, bias=False, device='meta')
    conv.weight = nn.Parameter(weight.contiguous())
    conv.bias = None if bias is None else nn.Parameter(bias.detach())
    return conv
