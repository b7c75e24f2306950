"""What a stopped run needs in order to go on and end as if it had not been stopped."""

import json
import shutil
from pathlib import Path

import torch

from util.files import save_json, whole_file


class Journal:
    """The frames in an InferenceCore's memory, one file each, written as they are memorised.

    The masks alone would not do: memory holds what was encoded from soft probabilities. A run goes
    on after the last frame in here. With a capped memory, files whose slots were reused are
    deleted, so the journal is as large as the bank.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self._file_of = {}  # (object, slot) -> file that holds it
        self.folder.mkdir(parents=True, exist_ok=True)

    def save(self, record):
        """Write an inference_core.KeptFrame; to be called in the order of its frames."""
        file = self.folder / f'{record.index:08}.pt'
        with whole_file(file) as part:
            torch.save(record._asdict(), part)
        self._occupy(file, record.slots)

    def load(self):
        """-> the records, oldest first, as tuples that make a KeptFrame."""
        records = []
        for file in sorted(self.folder.glob('*.pt')):
            record = torch.load(file, weights_only=True)
            self._occupy(file, record['slots'])
            records.append(tuple(record.values()))
        return records

    def _occupy(self, file, slots):
        before = set(self._file_of.values())
        places = {(number, slot): file for number, slot in enumerate(slots) if slot is not None}
        self._file_of.update(places)
        for unused in before - set(self._file_of.values()):
            unused.unlink(missing_ok=True)


def difference(before, now):
    """The first setting in which two runs differ, as a sentence; None if they agree."""
    for name in now:
        if before.get(name) != json.loads(json.dumps(now[name], default=str)):
            return f'{name} was {brief(before.get(name))}, now {brief(now[name])}'
    return None


def brief(value):
    text = str(value)
    return text if len(text) < 60 else f'{text[:57]}...'


def open_work(folder, settings, *, resume):
    """Prepare the work folder of a run -> whether an earlier run goes on, and a sentence on it.

    Without `resume`, or if the earlier run differed in any of `settings`, it starts empty.
    """
    record = Path(folder) / 'settings.json'
    sentence = 'starting'
    if resume and not record.is_file():
        sentence = 'starting again: the output folder holds no unfinished run'
    elif resume:
        reason = difference(json.loads(record.read_text()), settings)
        if reason is None:
            return True, 'going on with the unfinished run'
        sentence = f'starting again: the results would differ, {reason}'
    shutil.rmtree(folder, ignore_errors=True)
    Path(folder).mkdir(parents=True)
    save_json(record, settings)
    return False, sentence
