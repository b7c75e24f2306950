"""Where training starts from: ImageNet's ResNet-50, another stage's network, or nothing."""

from pathlib import Path

import torch
from torch import nn

from model.modules import Bottleneck
from model.weights import check_weights, read_weights
from util.errors import UserError

CONV1 = 'mask_rgb_encoder.conv1.weight'


def start_from_scratch(network):
    """Random weights for a training from scratch.

    Residual branches start at zero (Goyal et al., Accurate, Large Minibatch SGD, 2017), keys small,
    so that each query reads from all of the memory at first.
    """
    for module in network.modules():
        if isinstance(module, Bottleneck):
            nn.init.zeros_(module.bn3.weight)
    for head in (network.kv_m_f16, network.kv_q_f16):
        nn.init.orthogonal_(head.key_proj.weight)
        nn.init.zeros_(head.key_proj.bias)


def start_from_imagenet(network, source):
    """Fill both trunks from a ResNet-50 classifier; the other parts stay random.

    source: 'imagenet' (torchvision's own weights, downloaded on first use) or the path of such a
    file. The mask channels of conv1 are drawn orthogonal; biases that ResNet-50 lacks become 0.
    """
    resnet = download_resnet50() if source == 'imagenet' else read_weights(Path(source))
    missing = [name for name in ('conv1.weight', 'layer3.5.bn3.weight') if name not in resnet]
    if missing:
        raise UserError(f'{source}: not a ResNet-50 of torchvision ({missing[0]} is missing)')
    weights = network.state_dict()
    for name, tensor in weights.items():
        trunk, _, rest = name.partition('.')
        if trunk not in ('rgb_encoder', 'mask_rgb_encoder'):
            continue
        pretrained = resnet.get(rest.replace('res2.', 'layer1.', 1))
        wanted = tensor[:, :3] if name == CONV1 else tensor
        if pretrained is not None and pretrained.shape != wanted.shape:
            raise UserError(f'{source}: not a ResNet-50 of torchvision ({rest} has another shape)')
        if name == CONV1:
            tensor.copy_(with_extra_channels(pretrained, tensor.shape[1]))
        elif pretrained is not None:
            tensor.copy_(pretrained)
        elif rest.endswith('bias'):
            tensor.zero_()
    network.load_state_dict(weights)


def start_from_network(network, path):
    """Load another training's network; one of stage 0 gets an orthogonal channel for the others."""
    weights = read_weights(Path(path))
    conv1, wanted = weights.get(CONV1), network.mask_rgb_encoder.conv1.weight
    if conv1 is not None and conv1.shape[1] + 1 == wanted.shape[1]:
        weights[CONV1] = with_extra_channels(conv1, wanted.shape[1])
    check_weights(path, weights, network.state_dict())
    network.load_state_dict(weights)


def with_extra_channels(weight, channels_in):
    """A convolution's weight (O, I, h, w) -> (O, channels_in, h, w), the new ones orthogonal."""
    extra = weight.new_empty(len(weight), channels_in - weight.shape[1], *weight.shape[2:])
    return torch.cat([weight, nn.init.orthogonal_(extra)], 1)


def download_resnet50():
    try:
        from torchvision.models import ResNet50_Weights

        return ResNet50_Weights.IMAGENET1K_V1.get_state_dict(progress=True)
    except (OSError, RuntimeError, ImportError) as error:
        reason = str(error).split('\n')[0]
        raise UserError(
            f'--pretrained imagenet: cannot be had here ({reason}); give the path of a ResNet-50 '
            'of torchvision, or --pretrained none with --train_bn'
        ) from error
