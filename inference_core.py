"""Propagation through one video, frame by frame. Spec of the method: MiVOS (CVPR 2021), section 3.

Legend: K objects, H W image, H' W' padded to multiples of 16, h w = H'/16 W'/16.
"""

import itertools
from typing import NamedTuple

import numpy as np
import torch

from model.memory import aggregate, read
from model.network import STRIDE, load_network
from util.errors import UserError
from util.tensor import one_hot, pad, padding, resize, unpad

NO_IDS = 'object ids must lie in 1..255 (0 is the background)'


class ObjectMemory:
    """Keys and values of one object: the kept frames, and one slot for the previous frame.

    Rows lie as `model.memory.read` wants them. The storage grows by doubling, so that nothing is
    concatenated from frame to frame. max_frames caps the kept frames; annotated ones always stay.
    """

    def __init__(self, max_frames=None):
        self.max_frames = max_frames
        self.keys = self.values = None  # capacity, h*w, CK or CV
        self.kept = {}  # slot -> annotated?, oldest first
        self.temporary = False  # whether slot len(kept) holds the previous frame

    def write(self, key, value, *, keep, annotated):
        """Store a frame: key (CK, h, w), value (CV, h, w) -> its slot, None if not kept."""
        slot = len(self.kept)
        if keep and self.max_frames is not None and slot >= self.max_frames:
            oldest = next((s for s, was_annotated in self.kept.items() if not was_annotated), None)
            if oldest is not None:
                slot = oldest
            else:
                keep = annotated
        self.put(slot, key.flatten(1).T, value.flatten(1).T, keep=keep, annotated=annotated)
        return slot if keep else None

    def put(self, slot, key, value, *, keep, annotated):
        """Fill a slot with key (h*w, CK) and value (h*w, CV)."""
        self.keys = with_room(self.keys, slot, key)
        self.values = with_room(self.values, slot, value)
        self.keys[slot] = key
        self.values[slot] = value
        self.temporary = not keep
        if keep:
            self.kept.pop(slot, None)
            self.kept[slot] = annotated

    def read(self, query_key, **options):
        """query_key (CK, h, w) -> (CV, h, w)."""
        num_frames = len(self.kept) + self.temporary
        keys, values = self.keys[:num_frames], self.values[:num_frames]
        return read(keys.flatten(0, 1), values.flatten(0, 1), query_key, **options)


def with_room(storage, slot, row):
    """The storage (capacity, ...), at least doubled where `slot` would lie outside; float32."""
    if storage is None:
        return row.new_empty((2, *row.shape), dtype=torch.float32)
    if slot < len(storage):
        return storage
    larger = storage.new_empty((max(2 * len(storage), slot + 1), *storage.shape[1:]))
    larger[: len(storage)] = storage
    return larger


class MemoryBank:
    """One ObjectMemory per object: an object that appears late has seen fewer frames."""

    def __init__(self, max_frames=None):
        self.max_frames = max_frames
        self.objects = []

    def write(self, keys, values, *, keep, annotated):
        """keys (K, CK, h, w), values (K, CV, h, w) -> the slot per object, None if not kept."""
        self._open(len(keys))
        return [
            memory.write(key, value, keep=keep, annotated=annotated)
            for memory, key, value in zip(self.objects, keys, values, strict=True)
        ]

    def read(self, query_key, **options):
        """query_key (CK, h, w) -> (K, CV, h, w)."""
        return torch.stack([memory.read(query_key, **options) for memory in self.objects])

    def restore(self, record):
        """Put a KeptFrame back into the slots where it lay (none: it was the previous frame)."""
        self._open(len(record.slots))
        frame = zip(self.objects, record.slots, record.keys, record.values, strict=True)
        for memory, slot, key, value in frame:
            key, value, keep = key.flatten(1).T, value.flatten(1).T, slot is not None
            slot = slot if keep else len(memory.kept)
            memory.put(slot, key, value, keep=keep, annotated=record.annotated)

    def _open(self, num_objects):
        new = num_objects - len(self.objects)
        self.objects += [ObjectMemory(self.max_frames) for _ in range(new)]


class PreviousFrame(NamedTuple):
    """A segmented frame that waits to be memorised."""

    image: torch.Tensor  # 1, 3, H', W'
    prob: torch.Tensor  # K+1, H', W'
    keep: bool
    annotated: bool


class KeptFrame(NamedTuple):
    """A frame that went into the bank to stay: what it takes to go on from here another day."""

    index: int  # the how manieth `step` it was, from 0
    annotated: bool
    object_ids: list
    slots: list
    keys: torch.Tensor  # K, CK, h, w
    values: torch.Tensor  # K, CV, h, w


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
        said; may come with any frame and bring new objects or correct known ones. object_ids: the
        ids that the mask speaks of, all that it holds by default; a listed id without a pixel is
        said to be absent. Before the first object K is 0. Raises UserError for other sizes or ids.

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
        for record in itertools.starmap(KeptFrame, records):
            self.bank.restore(record)
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
        image = image.to(self.network.device, non_blocking=True)
        image = image / 255 if image.dtype == torch.uint8 else image.float()
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
            raise UserError(f'the mask of frame {self.index}: {NO_IDS}')
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
        objects[[self.object_ids.index(i) for i in ids]] = one_hot(mask, ids)
        return aggregate(objects)


def core_factory(model, **options):
    """-> a function device -> (a function -> a new InferenceCore on that network).

    model: a checkpoint's path, read once per device; options: see InferenceCore.
    """

    def on_device(device):
        network = load_network(model, device, multi_object=True)
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
