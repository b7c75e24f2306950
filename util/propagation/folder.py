"""The output folder of propagate.py: protecting other files in it, and finding earlier runs."""

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from util.errors import UserError
from util.files import save_json, writable_folder
from util.propagation.outputs import OUTPUTS
from util.run_info import difference, read_report

REPORT = 'run.json'
WORK = '.unfinished'  # subfolder for what --resume needs; removed when the run is complete
FILES = [*(output.file for output in OUTPUTS.values()), REPORT]  # all files a run may write here


class EarlierRun(NamedTuple):
    """How far an earlier run got, and a message about it for the user."""

    state: Literal['new', 'unfinished', 'complete']  # new: this run has to start from the beginning
    message: str


class ResultFolder:
    """The output folder of one run.

    Arguments:
        path: the folder, which is created if it does not exist.
        outputs: names of the formats that this run writes (see OUTPUTS).
        inputs: the user's files, which must not be where results are written.
    Raises:
        UserError: the results would overwrite inputs, or files that another program wrote.
    """

    def __init__(self, path: str | Path, outputs: Sequence[str], inputs: Iterable[Path]) -> None:
        self.path = writable_folder(path)
        self.outputs = outputs
        self.masks, self.work = self.path / 'masks', self.path / WORK
        self.report, self.settings = self.path / REPORT, self.work / 'settings.json'
        self._check_inputs(inputs)
        taken = [self.path / name for name in FILES if (self.path / name).exists()]
        if self.masks.exists() and (not self.masks.is_dir() or any(self.masks.iterdir())):
            taken.append(self.masks)
        if taken and not (self.work.exists() or self.report.exists()):
            raise UserError(f'{taken[0]}: was not written by this program; choose another --output')

    def _check_inputs(self, inputs: Iterable[Path]) -> None:
        places = [self.masks.resolve(), self.work.resolve()]
        places += [(self.path / name).resolve() for name in FILES]
        for path in filter(Path.exists, inputs):
            inside = any(path.resolve().is_relative_to(place) for place in places)
            if inside or path.resolve() == self.path.resolve():
                raise UserError(
                    f'{path}: is inside the output folder {self.path}; choose another --output'
                )

    def files(self) -> list[str]:
        """Names of the files that a complete run leaves here, apart from the masks."""
        return [*(OUTPUTS[name].file for name in self.outputs), REPORT]

    def earlier_run(self, settings: dict[str, Any]) -> EarlierRun:
        """Find out whether the folder holds a run with the same settings, and how far it got."""
        file = self.settings if self.settings.exists() else self.report
        if not file.exists():
            return EarlierRun('new', f'starting: {self.path} holds no run to continue')
        report = read_report(file)
        if report is None:
            return EarlierRun('new', f'starting again: {file} is damaged')
        if reason := difference(report['settings'], settings):
            return EarlierRun('new', f'starting again: the results would differ, {reason}')
        if file == self.settings:
            return EarlierRun('unfinished', 'continuing the unfinished run')
        missing = [name for name in self.files() if not (self.path / name).exists()]
        if len(list(self.masks.glob('*.png'))) != report.get('frames'):
            missing.append('a mask')
        if missing:
            return EarlierRun('new', f'starting again: {missing[0]} is missing from {self.path}')
        return EarlierRun('complete', f'{self.path}: already complete, nothing to do')

    def start(self, settings: dict[str, Any]) -> None:
        """Begin a new run: empty the work folder and save the settings there."""
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir()
        save_json(self.settings, {'settings': settings})

    def clear(self, *, keep_masks: bool) -> None:
        """Remove the results of an earlier run, so that they are not mistaken for this run's."""
        for name in FILES:
            (self.path / name).unlink(missing_ok=True)
            (self.path / f'.{name}.part').unlink(missing_ok=True)  # left by a killed run
        if not keep_masks:
            shutil.rmtree(self.masks, ignore_errors=True)
        self.masks.mkdir(exist_ok=True)

    def drop_if_empty(self) -> None:
        """If a failed run has not written a single mask, remove the folders it created."""
        if not any([*self.masks.glob('*.png'), *self.work.glob('masks/*.png')]):
            shutil.rmtree(self.work)
            self.masks.rmdir()

    def complete(self, report: dict[str, Any]) -> None:
        """Write run.json, and remove the work folder."""
        save_json(self.report, report)
        shutil.rmtree(self.work)
