"""The memory of an unfinished run on disk, from which --resume continues."""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from model.bank import KeptFrame
from util.tensor import save_tensors


class CannotResume(Exception):
    """A file that an earlier run left is damaged; the message names it."""


class Journal:
    """A copy on disk of the frames in an InferenceCore's memory, written as they are memorised.

    Each frame is a file. A resumed run continues after the last of them, with the same results as
    an uninterrupted one; the masks alone would not suffice for this, as the memory is encoded from
    soft probabilities. Files whose slots have all been reused are deleted, so the journal never
    grows larger than the memory.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file_of: dict[tuple[int, int], Path] = {}  # (object, slot) -> the file that holds it
        self._last: Path | None = None  # the newest file: it shows how far the run has got
        self.folder.mkdir(parents=True, exist_ok=True)

    def save(self, frame: KeptFrame) -> None:
        """Write a frame. Frames must be saved in the order in which they were memorised."""
        file = self.folder / f'{frame.index:08}.pt'
        save_tensors(file, frame._asdict())
        self._occupy(file, frame.slots)

    def load(self) -> Iterator[KeptFrame]:
        """Yield the frames, oldest first. Raises CannotResume if a file is damaged."""
        for file in sorted(self.folder.glob('*.pt')):
            frame = KeptFrame(**read_record(file))
            self._occupy(file, frame.slots)
            yield frame

    def _occupy(self, file: Path, slots: list[int | None]) -> None:
        """Record which slots a new file holds; delete files that hold none any more."""
        before = {*self._file_of.values(), self._last}
        for number, slot in enumerate(slots):
            if slot is not None:
                self._file_of[number, slot] = file
        self._last = file
        for unused in before - {*self._file_of.values(), self._last, None}:
            assert unused is not None
            unused.unlink(missing_ok=True)


def read_record(file: Path) -> dict[str, Any]:
    """Read the fields of a KeptFrame from a file. Raises CannotResume if it is damaged."""
    try:
        with zipfile.ZipFile(file) as archive:  # torch.load does not verify checksums
            broken = archive.testzip()
        if broken is None:
            return torch.load(file, map_location='cpu', weights_only=True)
    except (zipfile.BadZipFile, RuntimeError, ValueError, EOFError) as error:
        raise CannotResume(f'{file} is damaged') from error
    raise CannotResume(f'{file} is damaged')
