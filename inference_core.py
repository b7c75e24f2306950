"""Propagation through one video, frame by frame. Spec of the method: MiVOS (CVPR 2021), section 3.

Legend: K objects, H W image, H' W' padded to multiples of 16, h w = H'/16 W'/16.
"""

import itertools
from typing import NamedTuple

import numpy as np
import torch

from model.bank import KeptFrame, MemoryBank
from model.memory import aggregate
from model.network import STRIDE, load_network
from util.errors import UserError
from util.tensor import as_float, one_hot, pad, padding, resize, unpad

BAD_IDS = 'object ids must lie in 1..255 (0 is the background)'


class PreviousFrame(NamedTuple):
    """A segmented frame that waits to be memorised."""

    image: torch.Tensor  # 1, 3, H', W'
    prob: torch.Tensor  # K+1, H', W'
    keep: bool
    annotated: bool


class InferenceCore:
    """Follows the objects of one video; make a new one for each video.

    network: a PropagationNetwork; its device is used. mem_every: every n-th frame, counted from
    the last annotated one, stays in memory. top_k: memory positions each pixel reads from, None
    for all. kernel_sigma: kernelized memory (published: 5.6), None without. max_mem_frames: cap on
    the frames kept per object (annotated ones are never dropped, then the oldest go); None keeps
    all. amp: bfloat16 on the CPU, float16 on other devices; affinity and aggregation stay float32.
    """

    def __init__(
        self,
        network,
        *,
        mem_every=5,
        top_k=50,
        kernel_sigma=None,
        max_mem_frames=None,
        amp=False,
    ):
        self.network = network
        self.mem_every = positive('mem_every', mem_every)
        top_k = positive('top_k', top_k, or_none=True)
        if kernel_sigma is not None and not kernel_sigma > 0:
            raise UserError(f'kernel_sigma must be greater than 0, not {kernel_sigma}')
        self.read_options = {'top_k': top_k, 'kernel_sigma': kernel_sigma}
        self.bank = MemoryBank(positive('max_mem_frames', max_mem_frames, or_none=True))
        self.amp = amp
        self.object_ids = []  # channel i+1 of a result is object_ids[i]
        self.index = 0  # of the next frame
        self.last_annotated = None
        self.last_kept = None  # the KeptFrame that the latest step added to the bank, if it did
        self._size = None
        self._previous = None

    @torch.inference_mode()
    def step(self, image, mask=None, object_ids=None):
        """Take the next frame; returns its probabilities (K+1, H, W), channel 0 the background.

        image (3, H, W): float in [0, 1] or uint8. mask (H, W): integer ids, 0 where nothing is
        said; may come with any frame and bring new objects or correct known ones. object_ids: more
        than what the mask holds; a new one among them without a pixel gets a channel, too (of a
        known one nothing is said). Before the first object K is 0. The result may be a view of
        what is memorised next: copy it before changing it. Raises UserError for other sizes or ids.

        The previous frame is memorised here, not when it was segmented: so the last frame of a
        video is never encoded, and nobody needs to know the video's length.
        """
        image, pads = self._prepare(image)
        with self._autocast():
            self._memorize_previous()
            prob = self._segment(image)
        annotated = mask is not None and self._annotate(mask, object_ids, image.shape[-2:], pads)
        if annotated:
            prob = self._merge(prob, *annotated)
            self.last_annotated = self.index
        if self.object_ids:
            keep = (self.index - self.last_annotated) % self.mem_every == 0
            self._previous = PreviousFrame(image, prob, keep, bool(annotated))
        self.index += 1
        return unpad(prob, pads)

    @torch.inference_mode()
    def to_mask(self, prob, size=None):
        """prob (K+1, H, W) of `step` -> object ids, uint8 array (H, W) or `size`: (height, width).

        The probabilities are scaled, not the mask: the borders stay smooth.
        """
        channels = resize(prob, size or prob.shape[-2:]).max(0).indices  # argmax is far slower
        ids = torch.tensor([0, *self.object_ids], dtype=torch.uint8, device=prob.device)
        return ids[channels].cpu().numpy()

    @torch.inference_mode()
    def restore(self, records):
        """Go on after the last of these KeptFrames (oldest first) as if they had come here."""
        device = self.network.device
        for record in itertools.starmap(KeptFrame, records):
            keys, values = record.keys.to(device), record.values.to(device)
            self.bank.restore(record._replace(keys=keys, values=values))
            self.object_ids = list(record.object_ids)
            self.index = record.index + 1
            if record.annotated:
                self.last_annotated = record.index

    def _autocast(self):
        device = self.network.device
        return torch.autocast(device.type, dtype=amp_dtype(device), enabled=self.amp)

    def _prepare(self, image):
        """(3, H, W) -> (1, 3, H', W') on the device, and its padding (zero once normalised)."""
        image = torch.as_tensor(image)
        if image.ndim != 3 or image.shape[0] != 3:
            raise UserError(f'an image must have the shape (3, H, W), not {tuple(image.shape)}')
        size = tuple(image.shape[-2:])
        self._size = self._size or size
        if size != self._size:
            raise UserError(
                f'frame {self.index} is {describe(size)}, the frames before it are '
                f'{describe(self._size)}; a video has one size'
            )
        if image.device.type == 'cpu' and self.network.device.type == 'cuda':
            image = image.pin_memory()  # so that the copy does not wait for what is computed
        image = image.to(self.network.device, non_blocking=True)
        image = as_float(image)
        pads = padding(*size, STRIDE)
        return pad(image, pads, self.network.mean).unsqueeze(0), pads

    def _memorize_previous(self):
        self.last_kept = None
        if self._previous is None:
            return
        image, prob, keep, annotated = self._previous
        keys, values = self.network.memorize(image, prob[None, 1:])
        slots = self.bank.write(keys[0], values[0], keep=keep, annotated=annotated)
        if keep:
            self.last_kept = KeptFrame(
                self.index - 1, annotated, list(self.object_ids), slots, keys[0], values[0]
            )

    def _segment(self, image):
        """(1, 3, H', W') -> (K+1, H', W') joint probabilities of the objects known so far."""
        if not self.object_ids:
            return image.new_ones(1, *image.shape[-2:])
        query = self.network.encode_query(image)
        readout = self.bank.read(query.key[0], **self.read_options)
        logits = self.network.decode(query, readout[None])[0]
        return aggregate(logits.float().sigmoid())

    def _annotate(self, mask, object_ids, padded_size, pads):
        """Check a mask -> (ids it speaks of, padded mask (H', W')), or None if it says nothing."""
        mask = torch.as_tensor(np.asarray(mask) if not torch.is_tensor(mask) else mask)
        if tuple(mask.shape) != self._size or mask.is_floating_point() or mask.is_complex():
            raise UserError(
                f'the mask of frame {self.index} must be integer ids of size '
                f'{describe(self._size)}, not {mask.dtype} of {describe(mask.shape)}'
            )
        mask = mask.to(self.network.device, torch.long)
        present = mask.unique().tolist()
        ids = sorted(set(present) - {0}) if object_ids is None else [int(i) for i in object_ids]
        if any(not 0 <= i <= 255 for i in present) or any(not 1 <= i <= 255 for i in ids):
            raise UserError(f'the mask of frame {self.index}: {BAD_IDS}')
        if not set(present) <= {0, *ids} or len(set(ids)) != len(ids):
            raise UserError(
                f'the mask of frame {self.index} holds {sorted(set(present) - {0})}, which '
                f'object_ids {ids} must list once each'
            )
        return (ids, pad(mask, pads)) if ids else None

    def _merge(self, prob, ids, mask):
        """Put a mask (H', W') over the propagated prob (K+1, H', W'); new ids become channels."""
        new = [i for i in ids if i not in self.object_ids]
        self.object_ids += new
        objects = torch.cat([prob[1:], prob.new_zeros(len(new), *mask.shape)])
        objects = objects * (mask == 0)
        seen = [i for i in mask.unique().tolist() if i]
        objects[[self.object_ids.index(i) for i in seen]] = one_hot(mask, seen)
        return aggregate(objects)


def core_factory(model, *, compiled=False, **options):
    """-> a function device -> (a function -> a new InferenceCore on that network).

    model: a checkpoint's path, read once per device; compiled: see load_network; options: see
    InferenceCore.
    """

    def on_device(device):
        network = load_network(
            model, device, multi_object=True, for_inference=True, compiled=compiled
        )
        return lambda: InferenceCore(network, **options)

    return on_device


def amp_dtype(device):
    """The half precision of `amp`: float16 has no fast arithmetic on CPUs."""
    return torch.bfloat16 if device.type == 'cpu' else torch.float16


def positive(name, value, *, or_none=False):
    if value is None and or_none:
        return None
    if value is None or value < 1 or value != int(value):
        raise UserError(f'{name} must be a whole number of at least 1, not {value}')
    return int(value)


def describe(size):
    """(height, width) as people write it."""
    return ' x '.join(str(n) for n in reversed(size))
