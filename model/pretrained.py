"""Where a training starts: ImageNet's ResNet-50, another stage's network, or random weights."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.models import ResNet50_Weights

from model.modules import Bottleneck
from model.network import PropagationNetwork
from model.weights import check_weights, read_weights
from util.errors import UserError

CONV1 = 'mask_rgb_encoder.conv1.weight'


def start_from_scratch(network: PropagationNetwork) -> None:
    """Make the random weights of a new network fit for a training from scratch.

    Residual branches start at zero (Goyal et al., Accurate, Large Minibatch SGD, 2017). Keys start
    small, so that at first each query reads from all of the memory.
    """
    for module in network.modules():
        if isinstance(module, Bottleneck):
            nn.init.zeros_(module.bn3.weight)
    for projection in network.key_projections:
        nn.init.orthogonal_(projection.weight)
        assert projection.bias is not None
        nn.init.zeros_(projection.bias)


def start_from_imagenet(network: PropagationNetwork, source: Path | str) -> None:
    """Fill both trunks from a ResNet-50 classifier; the other parts stay random.

    The mask channels of conv1 become orthogonal; biases that ResNet-50 lacks become 0.

    source: 'imagenet' for torchvision's own weights, downloaded on first use, or the path of a file
    with the weights of such a ResNet-50. Raises UserError if they cannot be had.
    """
    resnet = download_resnet50() if source == 'imagenet' else read_weights(Path(source))
    missing = [name for name in ('conv1.weight', 'layer3.5.bn3.weight') if name not in resnet]
    if missing:
        raise UserError(
            f"{source}: not a ResNet-50 of torchvision ('{missing[0]}' is missing)",
            parameter='source',
        )
    weights = network.state_dict()
    for name, tensor in weights.items():
        trunk, _, rest = name.partition('.')
        if trunk not in ('rgb_encoder', 'mask_rgb_encoder'):
            continue
        pretrained = resnet.get(rest.replace('res2.', 'layer1.', 1))
        wanted = tensor[:, :3] if name == CONV1 else tensor
        if pretrained is not None and pretrained.shape != wanted.shape:
            raise UserError(
                f'{source}: not a ResNet-50 of torchvision ({rest} has another shape)',
                parameter='source',
            )
        if name == CONV1:
            tensor.copy_(with_extra_channels(resnet['conv1.weight'], tensor.shape[1]))
        elif pretrained is not None:
            tensor.copy_(pretrained)
        elif rest.endswith('bias'):
            tensor.zero_()
    network.load_state_dict(weights)


def start_from_network(network: PropagationNetwork, path: Path | str) -> None:
    """Load another training's network.

    A network of stage 0 gets an orthogonal channel for the mask of the other objects.
    """
    weights = read_weights(Path(path))
    conv1, wanted = weights.get(CONV1), network.mask_rgb_encoder.conv1.weight
    if conv1 is not None and conv1.shape[1] + 1 == wanted.shape[1]:
        weights[CONV1] = with_extra_channels(conv1, wanted.shape[1])
    check_weights(path, weights, network.state_dict())
    network.load_state_dict(weights)


def with_extra_channels(weight: Tensor, channels_in: int) -> Tensor:
    """A convolution's weight (O, I, h, w), widened to (O, channels_in, h, w) orthogonally."""
    extra = weight.new_empty(len(weight), channels_in - weight.shape[1], *weight.shape[2:])
    return torch.cat([weight, nn.init.orthogonal_(extra)], 1)


def download_resnet50() -> dict[str, Tensor]:
    """The weights of torchvision's ResNet-50, from its cache after the first time."""
    try:
        return ResNet50_Weights.IMAGENET1K_V1.get_state_dict(progress=True)
    except (OSError, RuntimeError) as error:
        reason = str(error).split('\n')[0]
        raise UserError(
            f"cannot download torchvision's ResNet-50 ({reason}); pass the path of its weights, or "
            'start from random weights and let BatchNorm learn',
            parameter='source',
        ) from error
