"""Checkpoint files: reading them, checking them, and writing them in a quarter of their size.

A small file is a dict with 'scales': name -> float32 (O,), beside 'network': name -> tensor,
int8 (O, ...) where there is a scale for it.
"""

import warnings

import torch

from util.errors import UNREADABLE, UserError


def read_weights(path):
    if not path.is_file():
        raise UserError(
            f'{path}: no such checkpoint; name one with --model, or fetch the published one with '
            'download_model.py'
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of TorchScript, before it is refused
            weights = torch.load(path, map_location='cpu', weights_only=True)
    except UNREADABLE as error:
        reason = str(error).strip().split('\n')[0][:120] or type(error).__name__
        raise UserError(f'{path}: not a readable checkpoint ({reason})') from error
    scales = {}
    if isinstance(weights, dict) and isinstance(weights.get('network'), dict):
        weights, scales = weights.get('average', weights['network']), weights.get('scales', {})
    if not isinstance(weights, dict) or not all(map(is_weight, weights, weights.values())):
        raise UserError(f'{path}: holds no network weights (expected names with tensors)')
    try:
        weights = dequantize(weights, scales)
    except UNREADABLE as error:
        raise UserError(f'{path}: its scales do not fit its weights; get it again') from error
    weights.pop('n_averaged', None)  # of a training's average
    # a network saved from inside DistributedDataParallel or AveragedModel
    return {name.removeprefix('module.'): weight for name, weight in weights.items()}


def is_weight(name, value):
    """Whether these are a name and plain numbers."""
    is_plain = torch.is_tensor(value) and value.layout == torch.strided and not value.is_meta
    return isinstance(name, str) and is_plain


def check_weights(path, weights, expected):
    """Raise UserError unless names, shapes and values can be those of this network."""
    problems = {
        'missing': sorted(expected.keys() - weights.keys()),
        'unknown': sorted(weights.keys() - expected.keys()),
        'of another shape': [
            f'{name} {tuple(weights[name].shape)} instead of {tuple(expected[name].shape)}'
            for name in expected.keys() & weights.keys()
            if weights[name].shape != expected[name].shape
        ],
    }
    found = [
        f'{len(names)} {what}: {", ".join(names[:3])}{", ..." if len(names) > 3 else ""}'
        for what, names in problems.items()
        if names
    ]
    if found:
        raise UserError(f'{path}: a checkpoint of another network ({"; ".join(found)})')
    broken = [name for name, weight in weights.items() if not weight.isfinite().all()]
    if broken:
        raise UserError(f'{path}: {len(broken)} tensors hold NaN or infinity, first {broken[0]}')


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
