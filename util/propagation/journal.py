"""What a stopped run needs in order to continue and end as if it had not been stopped."""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from model.bank import KeptFrame
from util.tensor import save_tensors


class CannotResume(Exception):
    """What an earlier run left is damaged; the message says which file."""


class Journal:
    """The frames in an InferenceCore's memory, one file each, written as they are memorised.

    Masks alone would not do, because memory was encoded from soft probabilities. A run continues
    after the last frame in here. If memory is capped, files whose slots were reused are deleted, so
    the journal is no larger than the memory.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file_of: dict[tuple[int, int], Path] = {}  # (object, slot): the file that holds it
        self._last: Path | None = None  # tells how far the run came, whether kept or not
        self.folder.mkdir(parents=True, exist_ok=True)

    def save(self, frame: KeptFrame) -> None:
        """Write a frame; to be called in the order of the frames."""
        file = self.folder / f'{frame.index:08}.pt'
        save_tensors(file, frame._asdict())
        self._occupy(file, frame.slots)

    def load(self) -> Iterator[KeptFrame]:
        """Yield the frames, oldest first. Raises CannotResume."""
        for file in sorted(self.folder.glob('*.pt')):
            frame = KeptFrame(**read_record(file))
            self._occupy(file, frame.slots)
            yield frame

    def _occupy(self, file: Path, slots: list[int | None]) -> None:
        """Note which slots a file holds now; delete files of which nothing is left."""
        before = {*self._file_of.values(), self._last}
        for number, slot in enumerate(slots):
            if slot is not None:
                self._file_of[number, slot] = file
        self._last = file
        for unused in before - {*self._file_of.values(), self._last, None}:
            assert unused is not None
            unused.unlink(missing_ok=True)


def read_record(file: Path) -> dict[str, Any]:
    """The fields of a KeptFrame in a file of the journal. Raises CannotResume."""
    try:
        with zipfile.ZipFile(file) as archive:  # torch.load does not look at the checksums
            broken = archive.testzip()
        if broken is None:
            return torch.load(file, map_location='cpu', weights_only=True)
    except (zipfile.BadZipFile, RuntimeError, ValueError, EOFError) as error:
        raise CannotResume(f'{file} is damaged') from error
    raise CannotResume(f'{file} is damaged')
