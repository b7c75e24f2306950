"""The output folder of an evaluation: earlier results, scores and the submission archive."""

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
Scores = dict[str, dict[int, Score]]  # video name -> object id -> score


def prepare_output(
    output: Path, videos: Sequence[BenchmarkVideo], settings: dict[str, Any], *, resume: bool
) -> list[BenchmarkVideo]:
    """Prepare the output folder.

    Arguments:
        output: the folder.
        videos: all videos of this run.
        settings: everything that the results depend on.
        resume: keep the finished videos of an earlier run instead of replacing them.
    Returns:
        The videos that have yet to be segmented.
    Raises:
        UserError: the folder holds files that another program wrote, or results of a run with
            different settings.
    """
    names = [video.name for video in videos]
    # 1. Find out which run the existing results belong to.
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
        print(f'{len(present)} of {len(names)} videos are already finished')
    else:
        for name in present:
            shutil.rmtree(output / name)
        present = []
    # 3. Remove outdated scores, and incomplete videos that a killed run left behind.
    for name in (*SCORES, *(f'.{name}.part' for name in names)):
        path = output / name
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    record = {'complete': False, 'videos': sorted({*others, *names}), 'settings': settings}
    save_json(output / REPORT, record)
    return [video for video in videos if video.name not in present]


def read_results(output: Path) -> dict[str, Any] | None:
    """Read run.json of an earlier evaluation; None if it is missing or from another program."""
    report = read_report(output / REPORT)
    return report if report is not None and 'videos' in report else None


def save_foreground(path: Path, mask: np.ndarray) -> None:
    """Write a mask in the format of DAVIS 2016, a grey image of 0 and 255."""
    save_mask(path, (mask > 0) * np.uint8(255), palette=None)


def score_all(videos: Sequence[BenchmarkVideo], output: Path) -> tuple[Scores, dict[str, str]]:
    """Score all videos; the work is divided among the processes.

    Returns, to every process, the scores and the error messages (video name -> message) of videos
    that could not be scored.
    """
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
    """The number of frames in a video, which determines how long it takes."""
    return len(video.frames)


def write_zip(output: Path, videos: Sequence[BenchmarkVideo], root: str) -> None:
    """Write OUTPUT.zip for an evaluation server, with the videos inside the folder `root`.

    Raises UserError if a required mask is missing.
    """
    path = output.with_name(f'{output.name}.zip')
    with atomic_write(path) as part, zipfile.ZipFile(part, 'w') as archive:
        for video in videos:
            for stem in video.required:
                mask = output / video.name / f'{stem}.png'
                if not mask.is_file():
                    raise UserError(f'{mask}: missing; the evaluation server requires it')
                archive.write(mask, str(Path(root, video.name, mask.name)))
    print(f'submission: {path}')
