"""The memory of one video: what the frames before were encoded to, ready to be read.

Legend: K objects, h w feature grid, CK = 128, CV = 512.
"""

from typing import NamedTuple

import torch

from model.memory import read

FRAMES_PER_BLOCK = 8  # 33 MB at 480p; pages that no frame has filled yet take no room on a CPU


class KeptFrame(NamedTuple):
    """A frame that went into the bank to stay: what it takes to go on from here another day."""

    index: int  # the how manieth `step` it was, from 0
    annotated: bool
    object_ids: list
    slots: list
    keys: torch.Tensor  # K, CK, h, w
    values: torch.Tensor  # K, CV, h, w


class ObjectMemory:
    """Keys and values of one object: the kept frames, and one slot for the previous frame.

    Rows lie as `model.memory.read` wants them, in blocks: a new block is opened when the last is
    full, and nothing is ever copied or concatenated. max_frames caps the kept frames; annotated
    ones always stay.
    """

    def __init__(self, max_frames=None):
        self.max_frames = max_frames
        self.keys, self.values = [], []  # blocks (FRAMES_PER_BLOCK, h*w, CK or CV)
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
        number, place = divmod(slot, FRAMES_PER_BLOCK)
        for blocks, rows in ((self.keys, key), (self.values, value)):
            if number == len(blocks):
                shape = (FRAMES_PER_BLOCK, *rows.shape)
                blocks.append(rows.new_empty(shape, dtype=torch.float32))
            blocks[number][place] = rows
        self.temporary = not keep
        if keep:
            self.kept.pop(slot, None)
            self.kept[slot] = annotated

    def read(self, query_key, **options):
        """query_key (CK, h, w) -> (CV, h, w)."""
        return read(self.rows(self.keys), self.rows(self.values), query_key, **options)

    def rows(self, blocks):
        """What the blocks hold: list of (frames * h*w, C)."""
        num_frames = len(self.kept) + self.temporary
        starts = range(0, num_frames, FRAMES_PER_BLOCK)
        return [
            block[: num_frames - start].flatten(0, 1)
            for block, start in zip(blocks, starts, strict=True)
        ]


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
