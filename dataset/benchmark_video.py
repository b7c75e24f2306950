"""A video of a benchmark: its frames, the masks that objects start from, and ground truth."""

import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from dataset.sizes import Size
from dataset.sources import ImageFolder
from dataset.video import Video
from util.errors import UserError
from util.masks import load_foreground, load_mask
from util.masks.codes import VOID, any_void


class BenchmarkVideo(NamedTuple):
    """One video of a benchmark; `open` reads its frames."""

    name: str
    frames: list[Path]
    masks: dict[int, Path]  # masks that objects start from, by frame index
    ground_truth: dict[str, Path] | None  # masks of all frames by file name; None if not public
    required: list[str]  # names of the frames whose masks an evaluation server asks for
    binary: bool = False  # one object: any id is foreground
    short_side: int | None = None  # of frames for the network; None keeps the size
    resize: Callable[[torch.Tensor, Size], torch.Tensor] | None = None  # None: resize_image
    late: dict[Path, set[int]] | None = None  # added mask -> objects that start there

    def with_late_objects(self) -> 'BenchmarkVideo':
        """Start objects that are missing from the masks where the ground truth first shows them.

        YouTube-VOS provides a mask wherever an object first appears. DAVIS itself has no such
        objects, and provides only the mask of the first frame. From each mask added here, only the
        new objects are read.
        """
        by_stem = {path.stem: path for path in (self.ground_truth or {}).values()}
        if not {*self.masks.values()} <= {*by_stem.values()}:
            return self  # the masks are not part of the ground truth, whose ids may differ
        paths = [by_stem[frame.stem] for frame in self.frames]
        with ThreadPoolExecutor() as pool:
            ids = list(pool.map(self._ids, paths))
        known = {VOID} if any_void(ids) else set()
        masks, late = dict(self.masks), {}
        for index, (path, present) in enumerate(zip(paths, ids, strict=True)):
            if index not in self.masks and present - known:
                masks[index], late[path] = path, present - known
            known |= present
        return self._replace(masks=masks, late=late)

    def notes(self) -> list[str]:
        """A note on each late object."""
        return [
            f'{self.name}: object {number} is missing from the first mask; it starts at frame '
            f'{path.stem}, where the ground truth first shows it'
            for path, ids in (self.late or {}).items()
            for number in sorted(ids)
        ]

    def open(self, num_workers: int = 2) -> Video:
        """Open the video at its first mask."""
        source = ImageFolder(self.frames)
        source.num_workers = num_workers
        return Video(
            source,
            self.masks,
            self.read_mask,
            short_side=self.short_side,
            indices=range(min(self.masks), len(self.frames)),
            resize=self.resize,
        )

    def read_mask(self, path: Path) -> np.ndarray:
        """A uint8 array (H, W) of ids, or of 0 and 1 if the video is binary; void becomes 0."""
        mask = self._load(path)
        if self.late and path in self.late:
            mask = np.where(np.isin(mask, [*self.late[path]]), mask, np.uint8(0))
        elif VOID in mask and any_void(map(self._ids, self.masks.values())):
            mask = np.where(mask == VOID, np.uint8(0), mask)
        if len(self.masks) == 1 and not mask.any():
            raise UserError(f'{path}: a mask without objects; every pixel is background (0)')
        return mask

    def _ids(self, path: Path) -> set[int]:
        """The ids in a mask; none if it cannot be read, which is reported only if it is used."""
        with contextlib.suppress(UserError):
            return {*np.unique(self._load(path)).tolist()} - {0}
        return set()

    def _load(self, path: Path) -> np.ndarray:
        return load_foreground(path) if self.binary else load_mask(path)
