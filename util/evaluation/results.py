"""The output folder of an evaluation: earlier results, masks, scores and the submission archive."""

import itertools
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dataset.benchmarks import BenchmarkVideo
from util import distributed
from util.errors import UserError
from util.files import atomic_write, save_json
from util.masks import save_mask
from util.run_info import difference, read_report
from util.scores import Score, score_video

REPORT, SCORES = 'run.json', ('scores.csv', 'scores.json')
Scores = dict[str, dict[int, Score]]  # by video and object id


def prepare_output(
    output: Path, videos: Sequence[BenchmarkVideo], settings: dict[str, Any], *, resume: bool
) -> list[BenchmarkVideo]:
    """Make the output folder ready; returns the videos that are still to be segmented.

    Raises UserError if the folder holds files of others, or results of a run with other settings.
    """
    names = [video.name for video in videos]
    # 1. Whose results are there?
    present = [name for name in names if (output / name).exists()]
    before = read_results(output)
    if before is None and (present or (output / REPORT).exists()):
        name = present[0] if present else REPORT
        raise UserError(
            f'{output / name}: was not written by this program; choose another --output'
        )
    others = set(before['videos']) - set(names) if before else set()
    changed = before and difference(before['settings'], settings)
    if changed and (resume or others):
        raise UserError(f'{output}: holds results of another run, {changed}; use another --output')
    # 2. Keep finished videos for --resume; replace them otherwise.
    if resume:
        print(f'{len(present)} of {len(names)} videos are finished already')
    else:
        for name in present:
            shutil.rmtree(output / name)
        present = []
    # 3. Remove what no longer holds, and what a killed run left half-written.
    for name in (*SCORES, *(f'.{name}.part' for name in names)):
        path = output / name
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    record = {'complete': False, 'videos': sorted({*others, *names}), 'settings': settings}
    save_json(output / REPORT, record)
    return [video for video in videos if video.name not in present]


def read_results(output: Path) -> dict[str, Any] | None:
    """run.json of an earlier evaluation; None if there is none, or another program wrote it."""
    report = read_report(output / REPORT)
    return report if report is not None and 'videos' in report else None


def save_foreground(path: Path, mask: np.ndarray) -> None:
    """Write a mask as DAVIS 2016 has it: 0 and 255 in a grey image."""
    save_mask(path, (mask > 0) * np.uint8(255), palette=None)


def score_all(videos: Sequence[BenchmarkVideo], output: Path) -> tuple[Scores, dict[str, str]]:
    """Scores by video, and why a video has none. All processes share the work and get all of it."""
    scores, errors = {}, {}
    for video in distributed.split_by_cost(videos, cost=num_frames):
        assert video.ground_truth is not None
        try:
            scores[video.name] = score_video(
                video.ground_truth, output / video.name, binary=video.binary
            )
        except UserError as error:
            errors[video.name] = str(error)
    parts = distributed.gather((scores, errors))
    all_scores = itertools.chain(*(part[0].items() for part in parts))
    all_errors = itertools.chain(*(part[1].items() for part in parts))
    return dict(sorted(all_scores)), dict(all_errors)


def num_frames(video: BenchmarkVideo) -> int:
    return len(video.frames)


def write_zip(output: Path, videos: Sequence[BenchmarkVideo], root: str) -> None:
    """OUTPUT.zip for an evaluation server: the required frames, each checked to be there."""
    path = output.with_name(f'{output.name}.zip')
    with atomic_write(path) as part, zipfile.ZipFile(part, 'w') as archive:
        for video in videos:
            for stem in video.required:
                mask = output / video.name / f'{stem}.png'
                if not mask.is_file():
                    raise UserError(f'{mask}: missing; the evaluation server asks for it')
                archive.write(mask, str(Path(root, video.name, mask.name)))
    print(f'submission: {path}')
