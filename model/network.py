"""The propagation network, for inference, training and correspondence alike.

Legend: B batch, K objects, T frames, H W image size (multiples of 16), h w = H/16 W/16 size of the
feature grid, CK = 128 key channels, CV = 512 value channels.
"""

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from model.fuse import prepare_for_inference
from model.memory import affinity, aggregate_logits, readout
from model.modules import Decoder, KeyValue, MaskRGBEncoder, RGBEncoder
from model.weights import bad_checkpoint, check_weights, read_checkpoint

STRIDE = 16  # side of a cell of the feature grid, in pixels
IMAGE_MEAN = (0.485, 0.456, 0.406)  # ImageNet statistics, for RGB in [0, 1]
IMAGE_STD = (0.229, 0.224, 0.225)


class Query(NamedTuple):
    """The features of a frame to be segmented, which all objects share."""

    key: Tensor  # B, CK, h, w
    value: Tensor  # B, CV, h, w
    f8: Tensor  # B, 512, H/8, W/8
    f4: Tensor  # B, 256, H/4, W/4


class PropagationNetwork(nn.Module):
    """The space-time memory network of MiVOS (CVPR 2021), section 3 and appendix.

    A new network has random weights and is in evaluation mode. `load_network` reads a checkpoint;
    `model.pretrained` provides weights to start training from.

    Arguments:
        single_object: build the stage-0 variant, whose mask encoder does not see the other objects.
    Attributes:
        short_side: the frame size at which the network works best (length of the short side in
            pixels); None if the checkpoint does not state it.
    """

    mean: Tensor  # 3, 1, 1
    std: Tensor  # 3, 1, 1

    def __init__(self, *, single_object: bool = False) -> None:
        super().__init__()
        self.single_object = single_object
        self.short_side: int | None = None
        self.rgb_encoder = RGBEncoder()
        self.mask_rgb_encoder = MaskRGBEncoder(num_masks=1 if single_object else 2)
        self.kv_m_f16 = KeyValue()  # memory side
        self.kv_q_f16 = KeyValue()  # query side
        self.decoder = Decoder()
        # Not persistent, so that checkpoints have the same keys as the published ones.
        self.register_buffer('mean', torch.tensor(IMAGE_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor(IMAGE_STD).view(3, 1, 1), persistent=False)
        self.eval()

    def train(self, mode: bool = True) -> 'PropagationNetwork':
        """Set training mode, except that BatchNorm keeps using its stored statistics.

        When training from random weights, `OptimizationOptions(train_bn=True)` updates them.
        """
        super().train(mode)
        self.set_batch_norm(False)
        return self

    def set_batch_norm(self, train: bool) -> None:
        """Set whether BatchNorm normalises with batch statistics and updates its stored ones."""
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.train(train)

    @property
    def device(self) -> torch.device:
        """The device that the network computes on."""
        return self.mean.device

    @property
    def key_projections(self) -> list[nn.Conv2d]:
        """The convolutions that compute the keys of the memory and of the query."""
        return [self.kv_m_f16.key_proj, self.kv_q_f16.key_proj]

    def normalize(self, image: Tensor) -> Tensor:
        """Normalise an image (..., 3, H, W) in [0, 1] with the ImageNet statistics."""
        return (image - self.mean) / self.std

    def memorize(self, image: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        """Encode a frame and its masks for the memory.

        Arguments:
            image: (B, 3, H, W) in [0, 1].
            masks: (B, K, H, W) in [0, 1].
        Returns:
            Keys (B, K, CK, h, w) and values (B, K, CV, h, w).
        """
        batch, num_objects = masks.shape[:2]
        image = self.normalize(image).unsqueeze(1).expand(-1, num_objects, -1, -1, -1)
        planes = [image, masks.unsqueeze(2)]
        if not self.single_object:
            planes.append((masks.sum(1, keepdim=True) - masks).unsqueeze(2))
        f16 = self.mask_rgb_encoder(torch.cat(planes, 2).flatten(0, 1))  # B*K, 1024, h, w
        keys, values = self.kv_m_f16(f16)
        shape = (batch, num_objects)
        return keys.unflatten(0, shape), values.unflatten(0, shape)

    def encode_query(self, image: Tensor) -> Query:
        """Encode a frame (B, 3, H, W) in [0, 1] that is to be segmented."""
        f16, f8, f4 = self.rgb_encoder(self.normalize(image))
        key, value = self.kv_q_f16(f16)
        return Query(key, value, f8, f4)

    def decode(self, query: Query, readout: Tensor) -> Tensor:
        """Decode the readout (B, K, CV, h, w) of each object into mask logits (B, K, H, W).

        Objects are decoded independently; `model.memory.aggregate` combines them afterwards.
        """
        return self.decoder(readout, query.value, query.f8, query.f4)

    def forward(self, frames: Tensor, masks: Tensor, valid: Tensor) -> Tensor:
        """Segment the frames of training samples, each one using all previous frames as memory.

        Predicted masks are memorised without being detached, so gradients flow through them.

        Arguments:
            frames: (B, T, 3, H, W) in [0, 1].
            masks: (B, K, H, W), the ground truth for frame 0.
            valid: (B, K), 1 for the objects that a sample has, 0 for those it lacks.
        Returns:
            Logits (B, T-1, K+1, H, W) for frames 1 to T-1; channel 0 is the background.
        """
        valid = valid[:, :, None, None]
        keys, values, logits = [], [], []
        for t in range(1, frames.shape[1]):
            # 1. Memorise the previous frame with its mask (ground truth for frame 0, otherwise
            #    predicted).
            key, value = self.memorize(frames[:, t - 1], masks)
            keys.append(key)
            values.append(value)
            # 2. Read from all frames so far, and decode.
            query = self.encode_query(frames[:, t])
            read = self.read_all(torch.stack(keys, 3), torch.stack(values, 3), query.key)
            prob = self.decode(query, read).float().sigmoid() * valid
            # 3. Aggregate the objects and the background.
            logits.append(aggregate_logits(prob))
            masks = logits[-1].softmax(1)[:, 1:]
        return torch.stack(logits, 1)

    def read_all(self, keys: Tensor, values: Tensor, query_key: Tensor) -> Tensor:
        """Read each object's memory of T frames, at all memory positions (no top-k).

        Arguments:
            keys: (B, K, CK, T, h, w).
            values: (B, K, CV, T, h, w).
            query_key: (B, CK, h, w).
        Returns:
            (B, K, CV, h, w).
        """
        shape = keys.shape[:2]
        query_key = query_key.unsqueeze(1).expand(-1, shape[1], -1, -1, -1)  # B, K, CK, h, w
        weights = affinity(keys.flatten(0, 1), query_key.flatten(0, 1))
        read = readout(weights, values.flatten(0, 1))  # B*K, CV, hw
        return read.unflatten(2, query_key.shape[-2:]).unflatten(0, shape)


def load_network(
    path: Path | str,
    device: torch.device | str = 'cpu',
    *,
    multi_object: bool = False,
    for_inference: bool = False,
    compiled: bool = False,
) -> PropagationNetwork:
    """Read a checkpoint into a PropagationNetwork on `device`, in evaluation mode.

    Arguments:
        path: a checkpoint in any of the formats that `model.weights` describes. Whether it is a
            stage-0 network is inferred from the number of input channels of its mask encoder (4 in
            stage 0, otherwise 5).
        multi_object: reject a stage-0 checkpoint.
        for_inference: optimise the network for inference; it can then be neither trained nor saved.
            See `model.fuse`.
        compiled: with for_inference, also compile the network with torch.compile, which adds about
            a minute to the first frame.
    Raises:
        UserError: the file is not a checkpoint of this network; the message names faulty keys.
    """
    weights, short_side = read_checkpoint(Path(path))
    conv1 = weights.get('mask_rgb_encoder.conv1.weight')
    if conv1 is None:
        problem = 'not a checkpoint of this network (its mask encoder is missing)'
        raise bad_checkpoint(path, problem)
    single_object = conv1.ndim == 4 and conv1.shape[1] == 4
    if single_object and multi_object:
        raise bad_checkpoint(
            path,
            'a single-object (stage 0) network, whose mask encoder does not see the other objects; '
            'train stage 1 or 2 from it, or choose another checkpoint',
        )
    network = PropagationNetwork(single_object=single_object)
    network.short_side = short_side
    check_weights(path, weights, network.state_dict())
    network.load_state_dict(weights)
    network.to(device)
    return prepare_for_inference(network, compiled=compiled) if for_inference else network
