"""Checkpoint files: reading them, checking them, and writing them in a quarter of their size.

A checkpoint is a dict of names and tensors, as published, or a dict with these entries:
    'network': names and tensors.
    'average' (optional): a moving average of the network, which is then used in its place.
    'scales' (optional): names and float32 tensors (O,); the tensors of these names in 'network' are
        int8 (O, ...) and have to be multiplied by them.
    'short_side' (optional): the short side of a frame, in pixels, at which the network is best.
"""

import json
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from util.errors import UNREADABLE, UserError


class Checkpoint(NamedTuple):
    """The content of a checkpoint file; short_side is None where the file does not state it."""

    weights: dict[str, Tensor]
    short_side: int | None


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read the weights alone; see `read_checkpoint`."""
    return read_checkpoint(path).weights


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint of any of the kinds above onto the CPU. Only tensors are unpickled.

    Raises UserError, naming the file, for anything else.
    """
    content = load_tensors(path)
    scales, short_side = {}, None
    if isinstance(content, dict) and isinstance(content.get('network'), dict):
        scales, short_side = content.get('scales', {}), content.get('short_side')
        content = content.get('average', content['network'])
    if not isinstance(content, dict) or not all(map(is_weight, content, content.values())):
        raise bad_checkpoint(path, 'holds no network weights (expected names with tensors)')
    if short_side is not None and (type(short_side) is not int or short_side < 1):
        problem = "its entry 'short_side' is not a positive whole number; correct or remove it"
        raise bad_checkpoint(path, problem)
    try:
        weights = dequantize(content, scales)
    except UNREADABLE as error:
        problem = 'its scales do not fit its weights; get the file again'
        raise bad_checkpoint(path, problem) from error
    weights.pop('n_averaged', None)  # a counter that AveragedModel keeps beside the weights
    # DistributedDataParallel and AveragedModel put this before every name
    weights = {name.removeprefix('module.'): weight for name, weight in weights.items()}
    return Checkpoint(weights, short_side)


def load_tensors(path: Path) -> Any:
    """Whatever the file holds; UserError if it is missing, damaged or holds code."""
    if not path.is_file():
        remedy = 'check the path, or download the published weights with download_model.py'
        raise bad_checkpoint(path, f'no such checkpoint; {remedy}')
    try:
        return unpickle(path)
    except UNREADABLE as error:
        problem = f'not a readable checkpoint ({why_unreadable(path, error)})'
        raise bad_checkpoint(path, problem) from error


def unpickle(path: Path) -> Any:
    """`torch.load` onto the CPU, for tensors only. Raises one of UNREADABLE if it cannot."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # PyTorch warns of other formats before it refuses them
        return torch.load(path, map_location='cpu', weights_only=True)


def why_unreadable(path: Path, error: Exception) -> str:
    """Why `torch.load` raised this error, as far as the start of the file shows it; what to do."""
    if isinstance(error, PermissionError):
        return f'{error.strerror}; change its permissions'
    with open(path, 'rb') as file:
        start = file.read(1000)
    text = start.decode(json.detect_encoding(start), 'replace').lstrip('\ufeff \t\r\n')
    if not text:
        return 'it is empty; get it again'
    if re.match('<(!doctype|html|head|body|script|meta|!--|[?]xml)', text, re.IGNORECASE):
        title = re.search('<title>([^<]*)', text, re.IGNORECASE)
        titled = f' titled {" ".join(title[1].split())!r}' if title else ''
        return f'it is a web page{titled}; get the file itself, with a browser if need be'
    if text.startswith('version https://git-lfs'):
        return 'it is a git-lfs pointer; get the file itself with "git lfs pull"'
    if '/annex/objects/' in text.split('\n')[0]:
        return 'it is a git-annex pointer; get the file itself with "git annex get"'
    if not {'\0', '\ufffd'} & {*text}:
        return f'it is a text, {text.splitlines()[0][:40]!r}; get the file itself'
    if start[:1] == b'\x80' or 'GLOBAL' in str(error) or 'TorchScript' in str(error):
        return 'it holds objects or code, which is not run; save the state_dict() alone'
    return 'it is damaged, or of another kind; get it again'


def is_weight(name: object, value: object) -> bool:
    """Whether this is a name with a dense tensor that has values."""
    is_dense = isinstance(value, Tensor) and value.layout == torch.strided and not value.is_meta
    return isinstance(name, str) and is_dense


def check_weights(
    path: Path | str, weights: Mapping[str, Tensor], expected: Mapping[str, Tensor]
) -> None:
    """Raise UserError unless the weights have the expected names and shapes and are all finite.

    path: the file they come from, for the message.
    """
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
        raise bad_checkpoint(path, f'a checkpoint of another network ({"; ".join(found)})')
    broken = [name for name, weight in weights.items() if not weight.isfinite().all()]
    if broken:
        where = f'{len(broken)} of its tensors, first in {broken[0]}'
        raise bad_checkpoint(path, f'NaN or infinity in {where}')


def bad_checkpoint(path: Path | str, problem: str) -> UserError:
    """The error to raise for a checkpoint file; callers have it as their parameter `model`."""
    return UserError(f'{path}: {problem}', parameter='model')


def quantize(weights: Mapping[str, Tensor], short_side: int | None = None) -> dict[str, Any]:
    """The content of a checkpoint file with int8 kernels and their scales.

    Kernels (4 axes) are rounded to 1/127 of the largest value of their output channel. Biases and
    BatchNorm's vectors, one hundredth of the file, stay as they are.
    """
    network, scales = {}, {}
    for name, weight in weights.items():
        if weight.ndim != 4:
            network[name] = weight.clone()
            continue
        scale = weight.abs().amax((1, 2, 3)) / 127
        scales[name] = scale
        safe = scale.clamp_min(torch.finfo(scale.dtype).tiny)  # a channel may be all zeros
        network[name] = (weight / safe[:, None, None, None]).round().to(torch.int8)
    stated = {} if short_side is None else {'short_side': short_side}
    return {'network': network, 'scales': scales, **stated}


def dequantize(network: Mapping[str, Tensor], scales: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights as float32 tensors, from the entries 'network' and 'scales' of such a file."""
    return {
        name: weight.float() * scales[name].view(-1, 1, 1, 1) if name in scales else weight
        for name, weight in network.items()
    }
