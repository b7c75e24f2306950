"""The parts of the network: two ResNet-50 trunks, the key/value heads and the decoder.

Legend: B images, K objects, H W image size, fN a feature map of stride N (f16 is (B, 1024, H/16,
W/16)), h w = H/16 W/16. MiVOS (CVPR 2021), section 3 and appendix.

Attribute names are those of the published checkpoint and cannot change (`res2` in one trunk,
`layer1` in the other; `f16` in the heads). The trunks are written out because torchvision's
ResNet-50 has neither these names nor the biases of the mask encoder's convolutions.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Bottleneck(nn.Module):
    """ResNet-50's residual block, with 4 * width output channels; the 3x3 convolution strides."""

    def __init__(self, channels_in: int, width: int, stride: int = 1, *, bias: bool) -> None:
        super().__init__()
        channels_out = 4 * width
        self.conv1 = nn.Conv2d(channels_in, width, 1, bias=bias)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=bias)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, channels_out, 1, bias=bias)
        self.bn3 = nn.BatchNorm2d(channels_out)
        self.downsample: nn.Module | None = None
        if stride != 1 or channels_in != channels_out:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels_in, channels_out, 1, stride, bias=bias),
                nn.BatchNorm2d(channels_out),
            )

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels_in, h, w) -> (B, 4 * width, h / stride, w / stride)."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x)))
        return F.relu(self.bn3(self.conv3(x)) + shortcut)


def resnet_layer(
    channels_in: int, width: int, num_blocks: int, stride: int, *, bias: bool
) -> nn.Sequential:
    """A stage of ResNet-50: bottlenecks, the first of which has the stride."""
    blocks = [Bottleneck(channels_in, width, stride, bias=bias)]
    blocks += [Bottleneck(4 * width, width, bias=bias) for _ in range(num_blocks - 1)]
    return nn.Sequential(*blocks)


class RGBEncoder(nn.Module):
    """The trunk for a frame that is to be segmented."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.res2 = resnet_layer(64, 64, 3, 1, bias=False)
        self.layer2 = resnet_layer(256, 128, 4, 2, bias=False)
        self.layer3 = resnet_layer(512, 256, 6, 2, bias=False)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Normalised image (B, 3, H, W) -> f16 (B, 1024, ..), f8 (B, 512, ..), f4 (B, 256, ..)."""
        x = F.relu(self.bn1(self.conv1(image)))
        f4 = self.res2(F.max_pool2d(x, 3, 2, 1))
        f8 = self.layer2(f4)
        return self.layer3(f8), f8, f4


class MaskRGBEncoder(nn.Module):
    """The trunk for a frame that is memorised with the mask of one object.

    num_masks: 2 (this object, and the sum of all others) or 1 (stage 0: this object alone).
    """

    def __init__(self, num_masks: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3 + num_masks, 64, 7, 2, 3)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = resnet_layer(64, 64, 3, 1, bias=True)
        self.layer2 = resnet_layer(256, 128, 4, 2, bias=True)
        self.layer3 = resnet_layer(512, 256, 6, 2, bias=True)

    def forward(self, image_and_masks: Tensor) -> Tensor:
        """Normalised image with masks in [0, 1] (B, 3 + num_masks, H, W) -> f16."""
        x = F.relu(self.bn1(self.conv1(image_and_masks)))
        x = self.layer1(F.max_pool2d(x, 3, 2, 1))
        return self.layer3(self.layer2(x))


class KeyValue(nn.Module):
    """The heads on f16: keys, by which positions are compared, and values, which are read."""

    def __init__(self) -> None:
        super().__init__()
        self.key_proj = nn.Conv2d(1024, 128, 3, padding=1)
        self.val_proj = nn.Conv2d(1024, 512, 3, padding=1)

    def forward(self, f16: Tensor) -> tuple[Tensor, Tensor]:
        """f16 (B, 1024, h, w) -> key (B, 128, h, w), value (B, 512, h, w)."""
        return self.key_proj(f16), self.val_proj(f16)


class ResBlock(nn.Module):
    """Pre-activation residual block without normalisation. The shortcut sees x before its ReLU."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.downsample: nn.Conv2d | None = None
        if channels_in != channels_out:
            self.downsample = nn.Conv2d(channels_in, channels_out, 3, padding=1)
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, padding=1)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels_in, h, w) -> (B, channels_out, h, w)."""
        shortcut = x if self.downsample is None else self.downsample(x)
        return shortcut + self.conv2(F.relu(self.conv1(F.relu(x))))


class Compress(ResBlock):
    """Joins what was read from memory with the query's value."""

    def forward(self, readout: Tensor, value: Tensor) -> Tensor:  # type: ignore[override]
        """readout (B, K, C, h, w), value (B, C, h, w) -> (B, K, C, h, w)."""
        value = value.unsqueeze(1).expand_as(readout)
        x = super().forward(torch.cat([readout, value], 2).flatten(0, 1))
        return x.view_as(readout)


class UpsampleBlock(nn.Module):
    """Refines a coarse map with a skip connection of twice its resolution."""

    def __init__(self, channels_skip: int, channels_up: int, channels_out: int) -> None:
        super().__init__()
        self.skip_conv1 = nn.Conv2d(channels_skip, channels_up, 3, padding=1)
        self.skip_conv2 = ResBlock(channels_up, channels_up)
        self.out_conv = ResBlock(channels_up, channels_out)

    def skip(self, f: Tensor) -> Tensor:
        """The part that depends on the frame only: (B, skip, 2h, 2w) -> (B, up, 2h, 2w)."""
        return self.skip_conv2(self.skip_conv1(f))

    def forward(self, skip: Tensor, up: Tensor) -> Tensor:
        """skip (B, 1, up, 2h, 2w) from `skip`, up (B, K, up, h, w) -> (B, K, out, 2h, 2w)."""
        batch, num_objects = up.shape[:2]
        x = upsample(up.flatten(0, 1), 2)  # B*K, up, 2h, 2w
        x = (x.unflatten(0, (batch, num_objects)) + skip).flatten(0, 1)  # skip broadcasts over K
        return self.out_conv(x).unflatten(0, (batch, num_objects))


class Decoder(nn.Module):
    """Turns what was read from memory, with the query's features, into a logit for each pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.compress = Compress(1024, 512)
        self.up_16_8 = UpsampleBlock(512, 512, 256)
        self.up_8_4 = UpsampleBlock(256, 256, 256)
        self.pred = nn.Conv2d(256, 1, 3, padding=1)

    def forward(self, readout: Tensor, value: Tensor, f8: Tensor, f4: Tensor) -> Tensor:
        """Decode each object by itself.

        The skip branches depend on the frame only and are computed once for all K objects.

        Arguments:
            readout: (B, K, 512, h, w), what was read from memory.
            value: (B, 512, h, w) of the query.
            f8, f4: from the RGBEncoder.
        Returns:
            logits (B, K, H, W).
        """
        batch, num_objects = readout.shape[:2]
        x = self.compress(readout, value)  # B, K, 512, h, w
        x = self.up_16_8(self.up_16_8.skip(f8).unsqueeze(1), x)
        x = self.up_8_4(self.up_8_4.skip(f4).unsqueeze(1), x)
        logits = upsample(self.pred(F.relu(x.flatten(0, 1))), 4)  # B*K, 1, H, W
        return logits.view(batch, num_objects, *logits.shape[-2:])


def upsample(x: Tensor, factor: int) -> Tensor:
    """Scale (B, C, h, w) up bilinearly."""
    return F.interpolate(x, scale_factor=factor, mode='bilinear', align_corners=False)
