"""Checkpoints of a quarter of the size: int8 weights with a scale per output channel.

A file of this kind is a dict with 'scales': name -> float32 (O,), beside 'network': name -> tensor,
int8 (O, ...) where there is a scale for it.
"""

import torch


def quantize(weights):
    """dict name -> float tensor -> the content of such a file.

    Kernels (4 axes) are rounded to 1/127 of their output channel's largest value; biases and
    BatchNorm's vectors, a hundredth of the file, stay as they are.
    """
    network, scales = {}, {}
    for name, weight in weights.items():
        if weight.ndim != 4:
            network[name] = weight.clone()
            continue
        scale = weight.abs().amax((1, 2, 3)) / 127
        scales[name] = scale
        safe = scale.clamp_min(torch.finfo(scale.dtype).tiny)  # an output channel of zeros
        network[name] = (weight / safe[:, None, None, None]).round().to(torch.int8)
    return {'network': network, 'scales': scales}


def dequantize(network, scales):
    """-> dict name -> float32 tensor."""
    return {
        name: weight.float() * scales[name].view(-1, 1, 1, 1) if name in scales else weight
        for name, weight in network.items()
    }
