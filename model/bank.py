"""The memory of one video: the keys and values of its memorised frames.

Legend: K objects, H' W' padded image, h w feature grid, CK = 128 key channels, CV = 512 value
channels.
"""

from collections.abc import Collection, Iterable, Sequence
from itertools import compress
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


class PreviousFrame(NamedTuple):
    """A segmented frame that has not been memorised yet."""

    image: Tensor  # 1, 3, H', W'
    object_ids: list[int]
    masks: Tensor  # K, H', W': the probabilities of these objects
    keep: bool  # True: it stays in memory for good; False: only until the next frame
    annotated: bool

    def without(self, object_ids: Collection[int]) -> 'PreviousFrame | None':
        """The frame without these objects; None if no object is left."""
        stays = [i not in object_ids for i in self.object_ids]
        ids = list(compress(self.object_ids, stays))
        return self._replace(object_ids=ids, masks=self.masks[stays]) if ids else None


class ObjectMemory:
    """Keys and values of one object in all kept frames and in the previous frame, kept or not.

    Each frame occupies a slot: h*w rows of a block, in the layout that `model.memory.read` expects.
    When the last block is full, a new one is added, so nothing is ever copied or concatenated.
    Reference frames lie in a block of their own.

    Arguments:
        max_frames: maximum number of kept frames; None for no limit. Annotated frames are always
            kept, even beyond it. Reference frames do not count.
    """

    def __init__(self, max_frames: int | None = None) -> None:
        self.max_frames = max_frames
        self.keys: list[Tensor] = []  # blocks (FRAMES_PER_BLOCK, h*w, CK)
        self.values: list[Tensor] = []  # blocks (FRAMES_PER_BLOCK, h*w, CV)
        self.reference_keys: list[Tensor] = []  # none, or one block (N, CK)
        self.reference_values: list[Tensor] = []  # none, or one block (N, CV)
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

    def add_reference(self, key: Tensor, value: Tensor) -> None:
        """Store a reference frame for good: key (CK, h, w), value (CV, h, w), of any size h w."""
        for blocks, x in ((self.reference_keys, key), (self.reference_values, value)):
            blocks[:] = [torch.cat([*blocks, x.flatten(1).T.float()])]

    def read(self, query_key: Tensor, **options: Any) -> Tensor:
        """Read with a query key (CK, h, w): (CV, h, w). For options, see `model.memory.read`."""
        keys = self.reference_keys + self.rows(self.keys)
        values = self.reference_values + self.rows(self.values)
        return read(keys, values, query_key, **options)

    def rows(self, blocks: Sequence[Tensor]) -> list[Tensor]:
        """The filled part (frames * h*w, C) of each block (FRAMES_PER_BLOCK, h*w, C)."""
        num_frames = len(self.kept) + self.temporary
        starts = range(0, num_frames, FRAMES_PER_BLOCK)
        return [
            block[: num_frames - start].flatten(0, 1)
            for block, start in zip(blocks, starts, strict=True)
        ]


class MemoryBank:
    """The memories of all objects. Each has the frames since its object was first seen."""

    def __init__(self, max_frames: int | None = None) -> None:
        self.max_frames = max_frames
        self.objects: dict[int, ObjectMemory] = {}  # by object id

    def write(
        self,
        object_ids: Sequence[int],
        keys: Tensor,
        values: Tensor,
        *,
        keep: bool,
        annotated: bool,
    ) -> list[int | None]:
        """Store a frame in the memories of these objects. A new id gets a new memory.

        Arguments:
            object_ids: K ids.
            keys: (K, CK, h, w).
            values: (K, CV, h, w).
            keep: see `ObjectMemory.write`.
            annotated: see `ObjectMemory.write`.
        Returns:
            The slot of the frame in each memory, or None where it is not kept.
        """
        return [
            self._memory(i).write(key, value, keep=keep, annotated=annotated)
            for i, key, value in zip(object_ids, keys, values, strict=True)
        ]

    def add_reference(self, object_ids: Sequence[int], keys: Tensor, values: Tensor) -> None:
        """Store a reference frame, (K, CK, h, w) and (K, CV, h, w), for good; else like `write`."""
        for i, key, value in zip(object_ids, keys, values, strict=True):
            self._memory(i).add_reference(key, value)

    def read(self, object_ids: Iterable[int], query_key: Tensor, **options: Any) -> Tensor:
        """Read K memories with a query key (CK, h, w): (K, CV, h, w).

        For options, see `model.memory.read`.
        """
        return torch.stack([self.objects[i].read(query_key, **options) for i in object_ids])

    def remove(self, object_ids: Iterable[int]) -> None:
        """Drop the memories of these objects, as far as they have any."""
        for i in object_ids:
            self.objects.pop(i, None)

    def restore(self, frame: KeptFrame) -> None:
        """Put a frame back into the slots that `write` assigned to it in an earlier run."""
        parts = zip(frame.object_ids, frame.slots, frame.keys, frame.values, strict=True)
        for i, slot, key, value in parts:
            memory = self._memory(i)
            keep = slot is not None
            place = len(memory.kept) if slot is None else slot
            key, value = key.flatten(1).T, value.flatten(1).T
            memory.put(place, key, value, keep=keep, annotated=frame.annotated)

    def _memory(self, object_id: int) -> ObjectMemory:
        return self.objects.setdefault(object_id, ObjectMemory(self.max_frames))
