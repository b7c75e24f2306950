"""The memory of one video: what its frames were encoded to, ready to be read.

Legend: K objects, h w feature grid, CK = 128, CV = 512.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from model.memory import read

FRAMES_PER_BLOCK = 8  # 33 MB per object at 480p; untouched pages cost no CPU memory


class KeptFrame(NamedTuple):
    """A frame that stays in the bank, with all that is needed to go on after it in another run."""

    index: int  # type: ignore[assignment]  # of the `step` call that produced it, from 0
    annotated: bool
    object_ids: list[int]
    slots: list[int | None]  # where each object's memory keeps it; None: no longer than one frame
    keys: Tensor  # K, CK, h, w
    values: Tensor  # K, CV, h, w


class ObjectMemory:
    """Keys and values of one object: the kept frames, and after them one for the previous frame.

    Each frame has a slot: h*w rows of a block, as `model.memory.read` takes them. When the last
    block is full a new one is added, so nothing is ever copied or concatenated. max_frames caps the
    kept frames, but annotated ones always stay.
    """

    def __init__(self, max_frames: int | None = None) -> None:
        self.max_frames = max_frames
        self.keys: list[Tensor] = []  # blocks (FRAMES_PER_BLOCK, h*w, CK)
        self.values: list[Tensor] = []  # blocks (FRAMES_PER_BLOCK, h*w, CV)
        self.kept: dict[int, bool] = {}  # slot -> whether it is annotated, oldest first
        self.temporary = False  # whether slot len(kept) holds the previous frame

    def write(self, key: Tensor, value: Tensor, *, keep: bool, annotated: bool) -> int | None:
        """Store a frame, in place of the oldest unannotated one where the cap is reached.

        key (CK, h, w), value (CV, h, w). Returns its slot, None if it is not kept.
        """
        slot = len(self.kept)
        if keep and self.max_frames is not None and slot >= self.max_frames:
            oldest = next((s for s, was_annotated in self.kept.items() if not was_annotated), None)
            if oldest is not None:
                slot = oldest
            else:  # all are annotated: the cap gives way to another one of these alone
                keep = annotated
        self.put(slot, key.flatten(1).T, value.flatten(1).T, keep=keep, annotated=annotated)
        return slot if keep else None

    def put(self, slot: int, key: Tensor, value: Tensor, *, keep: bool, annotated: bool) -> None:
        """Fill a slot with key (h*w, CK) and value (h*w, CV)."""
        number, place = divmod(slot, FRAMES_PER_BLOCK)
        for blocks, rows in ((self.keys, key), (self.values, value)):
            if number == len(blocks):
                shape = (FRAMES_PER_BLOCK, *rows.shape)
                blocks.append(rows.new_empty(shape, dtype=torch.float32))
            blocks[number][place] = rows
        self.temporary = not keep
        if keep:
            self.kept.pop(slot, None)  # inserted again, it is the newest
            self.kept[slot] = annotated

    def read(self, query_key: Tensor, **options: Any) -> Tensor:
        """query_key (CK, h, w) -> (CV, h, w). options: see `model.memory.read`."""
        return read(self.rows(self.keys), self.rows(self.values), query_key, **options)

    def rows(self, blocks: Sequence[Tensor]) -> list[Tensor]:
        """The filled part (frames * h*w, C) of each block (FRAMES_PER_BLOCK, h*w, C)."""
        num_frames = len(self.kept) + self.temporary
        starts = range(0, num_frames, FRAMES_PER_BLOCK)
        return [
            block[: num_frames - start].flatten(0, 1)
            for block, start in zip(blocks, starts, strict=True)
        ]


class MemoryBank:
    """One ObjectMemory per object: an object that appears late has seen fewer frames."""

    def __init__(self, max_frames: int | None = None) -> None:
        self.max_frames = max_frames
        self.objects: list[ObjectMemory] = []

    def write(
        self, keys: Tensor, values: Tensor, *, keep: bool, annotated: bool
    ) -> list[int | None]:
        """Store a frame for each object; objects without a memory get one.

        keys (K, CK, h, w), values (K, CV, h, w). Returns the slot per object, None if not kept.
        """
        self._add_objects(len(keys))
        return [
            memory.write(key, value, keep=keep, annotated=annotated)
            for memory, key, value in zip(self.objects, keys, values, strict=True)
        ]

    def read(self, query_key: Tensor, **options: Any) -> Tensor:
        """query_key (CK, h, w) -> (K, CV, h, w). options: see `model.memory.read`."""
        return torch.stack([memory.read(query_key, **options) for memory in self.objects])

    def restore(self, frame: KeptFrame) -> None:
        """Put a frame back into the slots that `write` once gave it."""
        self._add_objects(len(frame.slots))
        parts = zip(self.objects, frame.slots, frame.keys, frame.values, strict=True)
        for memory, slot, key, value in parts:
            keep = slot is not None
            place = len(memory.kept) if slot is None else slot
            key, value = key.flatten(1).T, value.flatten(1).T
            memory.put(place, key, value, keep=keep, annotated=frame.annotated)

    def _add_objects(self, num_objects: int) -> None:
        """Make memories until there are this many."""
        new = num_objects - len(self.objects)
        self.objects += [ObjectMemory(self.max_frames) for _ in range(new)]
