"""A network made ready for inference: the same results, in less time.

What it learnt stays, what it is called by does not: such a network is neither trained nor saved.
"""

import os
import shutil

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from model.modules import Bottleneck, MaskRGBEncoder, RGBEncoder, UpsampleBlock
from model.winograd import WinogradConv
from util.errors import UserError


def prepare_for_inference(network, *, compiled=False):
    """Change a PropagationNetwork on its device in place, and return it.

    BatchNorm is folded into the convolutions before it, what depends on the frame only is computed
    once for all objects, weights lie as the convolutions read them, and on a CPU the decoder's
    large convolutions are Winograd's. compiled: by torch.compile, too, at the first frame.
    """
    for module in network.modules():
        if isinstance(module, Bottleneck):
            fold(module, 'conv1', 'bn1')
            fold(module, 'conv2', 'bn2')
            fold(module, 'conv3', 'bn3')
            if module.downsample is not None:
                module.downsample = fuse_conv_bn_eval(*module.downsample)
        elif isinstance(module, RGBEncoder | MaskRGBEncoder):
            fold(module, 'conv1', 'bn1')
    network.decoder.compress = SharedCompress(network.decoder.compress)
    network.to(memory_format=torch.channels_last)
    if network.device.type == 'cpu':
        for block in network.decoder.children():
            if isinstance(block, UpsampleBlock):
                replace_convolutions(block)
    network.requires_grad_(False)
    if compiled:
        compile_parts(network)
    return network


def compile_parts(network):
    """Raises UserError if that needs a C++ compiler, for a CPU, and there is none."""
    compiler = os.environ.get('CXX', 'g++')
    if network.device.type == 'cpu' and not shutil.which(compiler):
        raise UserError(f'--compile: needs a C++ compiler; install {compiler}, or leave it out')
    torch._inductor.config.freezing = True  # weights are packed once, as the convolutions read them
    for name in ('encode_query', 'memorize', 'decode'):
        setattr(network, name, torch.compile(getattr(network, name)))


def fold(module, conv, batch_norm):
    fused = fuse_conv_bn_eval(getattr(module, conv), getattr(module, batch_norm))
    setattr(module, conv, fused)
    setattr(module, batch_norm, nn.Identity())


def replace_convolutions(module):
    for name, child in module.named_children():
        if isinstance(child, nn.Conv2d):
            setattr(module, name, WinogradConv(child))
        else:
            replace_convolutions(child)


class SharedCompress(nn.Module):
    """What the decoder's `Compress` computes, the query's half of it once for all objects."""

    def __init__(self, block):
        super().__init__()
        self.conv1 = HalvedConv(block.conv1)
        self.downsample = HalvedConv(block.downsample)
        self.conv2 = block.conv2

    def forward(self, readout, value):
        """readout (B, K, 512, h, w), value (B, 512, h, w) -> (B, K, 512, h, w)."""
        shortcut = self.downsample(readout, value)
        x = self.conv1(F.relu(readout), F.relu(value))
        return shortcut + self.conv2(F.relu(x).flatten(0, 1)).view_as(shortcut)


class HalvedConv(nn.Module):
    """A convolution of [x, shared], by halves: sums of products do not mind."""

    def __init__(self, conv):
        super().__init__()
        halves = conv.weight.detach().chunk(2, 1)
        self.weight, self.shared_weight = (nn.Parameter(half.contiguous()) for half in halves)
        self.bias = nn.Parameter(conv.bias.detach())

    def forward(self, x, shared):
        """x (B, K, C, h, w), shared (B, C, h, w) -> (B, K, O, h, w)."""
        shared = F.conv2d(shared, self.shared_weight, self.bias, padding=1)
        x = F.conv2d(x.flatten(0, 1), self.weight, padding=1).unflatten(0, x.shape[:2])
        return x + shared.unsqueeze(1)
