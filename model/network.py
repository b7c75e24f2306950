"""The propagation network, for inference, training and correspondence alike; its checkpoints.

Legend: B batch, K objects, T frames, H W image (multiples of 16), h w = H/16 W/16, CK = 128,
CV = 512.
"""

from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from model.fuse import prepare_for_inference
from model.memory import affinity, aggregate_logits, readout
from model.modules import Decoder, KeyValue, MaskRGBEncoder, RGBEncoder
from model.weights import check_weights, read_weights
from util.device import forbid_tf32
from util.errors import UserError

STRIDE = 16  # of keys and values
IMAGE_MEAN = (0.485, 0.456, 0.406)  # of ImageNet, RGB in [0, 1]
IMAGE_STD = (0.229, 0.224, 0.225)


class Query(NamedTuple):
    """Everything of a frame that does not depend on an object."""

    key: torch.Tensor  # B, CK, h, w
    value: torch.Tensor  # B, CV, h, w
    f8: torch.Tensor  # B, 512, H/8, W/8
    f4: torch.Tensor  # B, 256, H/4, W/4


class PropagationNetwork(nn.Module):
    """Space-time memory network of MiVOS (CVPR 2021), section 3 and appendix.

    single_object: the stage-0 variant, whose mask encoder does not see the other objects.
    pretrained: both trunks start from ImageNet's ResNet-50 (`model.pretrained`), else all weights
    are random; `load_network` reads a checkpoint. It starts in evaluation mode.
    """

    def __init__(self, *, single_object=False, pretrained=False):
        super().__init__()
        self.single_object = single_object
        self.rgb_encoder = RGBEncoder()
        self.mask_rgb_encoder = MaskRGBEncoder(num_masks=1 if single_object else 2)
        self.kv_m_f16 = KeyValue()  # memory side
        self.kv_q_f16 = KeyValue()  # query side
        self.decoder = Decoder()
        # not persistent: the checkpoint's keys stay as published
        self.register_buffer('mean', torch.tensor(IMAGE_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor(IMAGE_STD).view(3, 1, 1), persistent=False)
        self.eval()
        if pretrained:
            from model.pretrained import start_from_imagenet

            start_from_imagenet(self, 'imagenet')

    def train(self, mode=True):
        """As in any module, but BatchNorm keeps to its stored statistics and never updates them.

        `PropagationModel(train_bn=True)` lets it learn in a training from random weights.
        """
        super().train(mode)
        self.set_batch_norm(False)
        return self

    def set_batch_norm(self, train):
        """Whether BatchNorm normalises by the batch and updates its statistics."""
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.train(train)

    @property
    def device(self):
        return self.mean.device

    def normalize(self, image):
        """(..., 3, H, W) in [0, 1] -> zero mean, unit variance over ImageNet."""
        return (image - self.mean) / self.std

    def memorize(self, image, masks):
        """Encode a frame with its masks for the memory.

        image (B, 3, H, W) in [0, 1], masks (B, K, H, W) in [0, 1]
        -> keys (B, K, CK, h, w), values (B, K, CV, h, w).
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

    def encode_query(self, image):
        """image (B, 3, H, W) in [0, 1] -> Query."""
        f16, f8, f4 = self.rgb_encoder(self.normalize(image))
        key, value = self.kv_q_f16(f16)
        return Query(key, value, f8, f4)

    def decode(self, query, readout):
        """readout (B, K, CV, h, w) -> logits (B, K, H, W), each object by itself."""
        return self.decoder(readout, query.value, query.f8, query.f4)

    def forward(self, frames, masks, valid):
        """The training rollout: frame 0 is given, every later frame is read from all before it.

        frames (B, T, 3, H, W) in [0, 1]; masks (B, K, H, W) of frame 0; valid (B, K) is 0 where
        a sample lacks that object. Returns logits (B, T-1, K+1, H, W), channel 0 the background.
        Gradients flow through the predicted masks that are memorised on the way.
        """
        valid = valid[:, :, None, None]
        keys, values, logits = [], [], []
        for t in range(1, frames.shape[1]):
            key, value = self.memorize(frames[:, t - 1], masks)
            keys.append(key)
            values.append(value)
            query = self.encode_query(frames[:, t])
            read = self.read_all(torch.stack(keys, 3), torch.stack(values, 3), query.key)
            prob = self.decode(query, read).float().sigmoid() * valid
            logits.append(aggregate_logits(prob))
            masks = logits[-1].softmax(1)[:, 1:]
        return torch.stack(logits, 1)

    def read_all(self, keys, values, query_key):
        """keys (B, K, CK, T, h, w), values (B, K, CV, T, h, w) -> (B, K, CV, h, w), no top-k."""
        shape = keys.shape[:2]
        query_key = query_key.unsqueeze(1).expand(-1, shape[1], -1, -1, -1)  # B, K, CK, h, w
        weights = affinity(keys.flatten(0, 1), query_key.flatten(0, 1))
        read = readout(weights, values.flatten(0, 1))  # B*K, CV, hw
        return read.unflatten(2, query_key.shape[-2:]).unflatten(0, shape)


def load_network(path, device='cpu', *, multi_object=False, for_inference=False, compiled=False):
    """Read a checkpoint into a PropagationNetwork on `device`, in evaluation mode.

    path: network weights as published, a training checkpoint (a dict with an entry 'network' and,
    where it kept one, their 'average', which then is taken), or one in a quarter of its size
    (model.quantized).
    The number of input channels of the mask encoder (4: stage 0, 5: all others) is read off the
    file; with `multi_object` a stage-0 file is refused. Only tensors are unpickled.
    for_inference: made ready for it, and for nothing else, by `prepare_for_inference`; `compiled`,
    then, by torch.compile, too, which takes a minute at the first frame.
    float32 is float32 from here on, on GPUs too: PyTorch's TF32 is switched off.
    Raises UserError, naming the file and the keys, for anything that is not such a checkpoint.
    """
    weights = read_weights(Path(path))
    conv1 = weights.get('mask_rgb_encoder.conv1.weight')
    if conv1 is None:
        raise UserError(f'{path}: not a checkpoint of this network (its mask encoder is missing)')
    single_object = conv1.ndim == 4 and conv1.shape[1] == 4
    if single_object and multi_object:
        raise UserError(
            f'{path}: a single-object (stage 0) network, its mask encoder does not see the other '
            'objects; train stage 1 or 2 from it with --load_network, or choose another --model'
        )
    network = PropagationNetwork(single_object=single_object)
    check_weights(path, weights, network.state_dict())
    network.load_state_dict(weights)
    network.to(device)
    forbid_tf32()
    return prepare_for_inference(network, compiled=compiled) if for_inference else network
