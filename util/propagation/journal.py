"""What a stopped run needs in order to go on and end as if it had not been stopped."""

import json
import shutil
import zipfile
from pathlib import Path

import torch

from util.files import save_json
from util.run_info import difference
from util.tensor import save_tensors

WORK = '.unfinished'  # a folder beside the results, gone when they are complete
SETTINGS = 'settings.json'


class CannotResume(Exception):
    """What an earlier run left is not whole; the message says which file."""


class Journal:
    """The frames in an InferenceCore's memory, one file each, written as they are memorised.

    The masks alone would not do: memory holds what was encoded from soft probabilities. A run goes
    on after the last frame in here. With a capped memory, files whose slots were reused are
    deleted, so the journal is as large as the bank.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self._file_of = {}  # (object, slot) -> file that holds it; 'last' -> the latest file
        self.folder.mkdir(parents=True, exist_ok=True)

    def save(self, record):
        """Write an model.bank.KeptFrame; to be called in the order of its frames."""
        file = self.folder / f'{record.index:08}.pt'
        save_tensors(file, record._asdict())
        self._occupy(file, record.slots)

    def load(self):
        """Yields the records, oldest first, as tuples that make a KeptFrame; or CannotResume."""
        for file in sorted(self.folder.glob('*.pt')):
            record = read_record(file)
            self._occupy(file, record['slots'])
            yield tuple(record.values())

    def _occupy(self, file, slots):
        before = set(self._file_of.values())
        places = {(number, slot): file for number, slot in enumerate(slots) if slot is not None}
        self._file_of |= {**places, 'last': file}  # it tells how far the run came, kept or not
        for unused in before - set(self._file_of.values()):
            unused.unlink(missing_ok=True)


def read_record(file):
    try:
        with zipfile.ZipFile(file) as archive:  # torch.load does not look at the checksums
            broken = archive.testzip()
        if broken is None:
            return torch.load(file, map_location='cpu', weights_only=True)
    except (zipfile.BadZipFile, RuntimeError, ValueError, EOFError) as error:
        raise CannotResume(f'{file} is damaged') from error
    raise CannotResume(f'{file} is damaged')


def earlier_run(folder, settings, results):
    """What a run with these settings finds in its output folder, and a sentence on it.

    -> 'complete' (with all the `results`, names), 'unfinished' or 'new', if nothing there helps.
    """
    unfinished, complete = folder / WORK / SETTINGS, folder / 'run.json'
    if not unfinished.exists() and not complete.exists():
        return 'new', f'starting: {folder} holds no run to go on with'
    file = unfinished if unfinished.exists() else complete
    try:
        report = json.loads(file.read_text())
        reason = difference(report['settings'], settings)
        num_masks = report.get('frames')
    except (ValueError, LookupError, TypeError, AttributeError):
        return 'new', f'starting again: {file} is damaged'
    if reason:
        return 'new', f'starting again: the results would differ, {reason}'
    if file == unfinished:
        return 'unfinished', 'going on with the unfinished run'
    missing = [name for name in results if not (folder / name).exists()]
    if len(list(folder.glob('masks/*.png'))) != num_masks:
        missing.append('a mask')
    if missing:
        return 'new', f'starting again: {missing[0]} is missing in {folder}'
    return 'complete', f'{folder}: complete already, nothing to do'


def start_anew(folder, settings):
    """An empty work folder in the output folder."""
    work = folder / WORK
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    save_json(work / SETTINGS, {'settings': settings})
