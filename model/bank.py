"""The memory of one video: the keys and values of its memorised frames.

Legend: K objects, h w feature grid, CK = 128 key channels, CV = 512 value channels.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from model.memory import read

FRAMES_PER_BLOCK = 8  # 33 MB per object at 480p; on a CPU, pages not yet written take no memory


class KeptFrame(NamedTuple):
    """A frame that stays in memory, with everything another run needs to continue after it."""

    index: int  # type: ignore[assignment]  # index of its `step` call, counting from 0
    annotated: bool
    object_ids: list[int]
    slots: list[int | None]  # its slot in the memory of each object; None where it is not kept
    keys: Tensor  # K, CK, h, w
    values: Tensor  # K, CV, h, w


class ObjectMemory:
    """Keys and values of one object in all kept frames and in the previous frame, kept or not.

    Each frame occupies a slot: h*w rows of a block, in the layout that `model.memory.read` expects.
    When the last block is full, a new one is added, so nothing is ever copied or concatenated.

    Arguments:
        max_frames: maximum number of kept frames; None for no limit. Annotated frames are always
            kept, even beyond this limit.
    """

    def __init__(self, max_frames: int | None = None) -> None:
        self.max_frames = max_frames
        self.keys: list[Tensor] = []  # blocks (FRAMES_PER_BLOCK, h*w, CK)
        self.values: list[Tensor] = []  # blocks (FRAMES_PER_BLOCK, h*w, CV)
        self.kept: dict[int, bool] = {}  # slot -> whether its frame is annotated; oldest first
        self.temporary = False  # whether slot len(kept) holds the previous frame

    def write(self, key: Tensor, value: Tensor, *, keep: bool, annotated: bool) -> int | None:
        """Store a frame; if max_frames is reached, it replaces the oldest unannotated one.

        Arguments:
            key: (CK, h, w).
            value: (CV, h, w).
            keep: True to keep the frame, False to store it only until the next one is written.
            annotated: whether the frame came with a mask.
        Returns:
            The slot of the frame, or None if it is not kept.
        """
        slot = len(self.kept)
        if keep and self.max_frames is not None and slot >= self.max_frames:
            oldest = next((s for s, was_annotated in self.kept.items() if not was_annotated), None)
            if oldest is not None:
                slot = oldest
            else:  # All kept frames are annotated: only another annotated one may exceed the limit.
                keep = annotated
        self.put(slot, key.flatten(1).T, value.flatten(1).T, keep=keep, annotated=annotated)
        return slot if keep else None

    def put(self, slot: int, key: Tensor, value: Tensor, *, keep: bool, annotated: bool) -> None:
        """Write a key (h*w, CK) and a value (h*w, CV) to a slot."""
        number, place = divmod(slot, FRAMES_PER_BLOCK)
        for blocks, rows in ((self.keys, key), (self.values, value)):
            if number == len(blocks):
                shape = (FRAMES_PER_BLOCK, *rows.shape)
                blocks.append(rows.new_empty(shape, dtype=torch.float32))
            blocks[number][place] = rows
        self.temporary = not keep
        if keep:
            self.kept.pop(slot, None)  # so that the slot becomes the newest entry
            self.kept[slot] = annotated

    def read(self, query_key: Tensor, **options: Any) -> Tensor:
        """Read with a query key (CK, h, w): (CV, h, w). For options, see `model.memory.read`."""
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
    """The memories of all objects. An object that appears late has a memory of fewer frames."""

    def __init__(self, max_frames: int | None = None) -> None:
        self.max_frames = max_frames
        self.objects: list[ObjectMemory] = []

    def write(
        self, keys: Tensor, values: Tensor, *, keep: bool, annotated: bool
    ) -> list[int | None]:
        """Store a frame in the memory of each object, creating a memory for each new object.

        Arguments:
            keys: (K, CK, h, w).
            values: (K, CV, h, w).
            keep: see `ObjectMemory.write`.
            annotated: see `ObjectMemory.write`.
        Returns:
            The slot of the frame in each memory, or None where it is not kept.
        """
        self._add_objects(len(keys))
        return [
            memory.write(key, value, keep=keep, annotated=annotated)
            for memory, key, value in zip(self.objects, keys, values, strict=True)
        ]

    def read(self, query_key: Tensor, **options: Any) -> Tensor:
        """Read with a query key (CK, h, w): (K, CV, h, w). For options, see `model.memory.read`."""
        return torch.stack([memory.read(query_key, **options) for memory in self.objects])

    def restore(self, frame: KeptFrame) -> None:
        """Put a frame back into the slots that `write` assigned to it in an earlier run."""
        self._add_objects(len(frame.slots))
        parts = zip(self.objects, frame.slots, frame.keys, frame.values, strict=True)
        for memory, slot, key, value in parts:
            keep = slot is not None
            place = len(memory.kept) if slot is None else slot
            key, value = key.flatten(1).T, value.flatten(1).T
            memory.put(place, key, value, keep=keep, annotated=frame.annotated)

    def _add_objects(self, num_objects: int) -> None:
        """Add memories until there are `num_objects` of them."""
        new = num_objects - len(self.objects)
        self.objects += [ObjectMemory(self.max_frames) for _ in range(new)]
