"""Region similarity J and boundary accuracy F of DAVIS, computed by the vos-benchmark package.

Perazzi et al., CVPR 2016, section 4 (J, F); Pont-Tuset et al., arXiv:1704.00675 (several objects).
"""

import csv
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
from vos_benchmark.evaluator import Evaluator

from util.errors import UserError
from util.files import atomic_write, save_json
from util.masks import load_foreground, load_mask


class Score(NamedTuple):
    """In percent, means over frames."""

    j: float
    f: float

    @property
    def jf(self):
        return (self.j + self.f) / 2


def score_masks(pairs):
    """pairs of (truth, prediction), uint8 (H, W) masks of ids, in order -> dict id -> Score.

    DAVIS leaves out the first frame (it is given) and the last: do so before calling.
    """
    evaluator = Evaluator()
    for truth, prediction in pairs:
        evaluator.feed_frame(prediction, truth)
    region, boundary = evaluator.conclude()
    return {number: Score(region[number], boundary[number]) for number in sorted(region)}


def mean_score(scores):
    """Scores of objects -> their mean; every object counts once, however many its video has."""
    return Score(*np.mean([tuple(score) for score in scores], 0).tolist())


def score_video(truth, folder, *, all_frames=False, binary=None):
    """truth: dict file name -> path of the true mask; folder: predictions -> dict id -> Score.

    binary: any id is foreground; by default so where truth and prediction each have one id, and
    not the same (0/255 and 0/1 masks). Raises UserError for a missing frame, another size or ids
    that the truth does not know.
    """
    folder = Path(folder)
    missing = [name for name in truth if not (folder / name).is_file()]
    if missing:
        raise UserError(f'{folder / missing[0]}: no such mask ({len(missing)} frames are missing)')
    names = sorted(truth)
    if len(names) < 3 and not all_frames:
        raise UserError(f'{folder}: {len(names)} frames; DAVIS leaves out the first and the last')
    load = load_foreground if binary else load_mask
    true_ids, ids = ids_of(truth.values(), load), ids_of((folder / name for name in names), load)
    if binary is None and len(true_ids) == len(ids) == 1:
        load, ids = load_foreground, true_ids
    if ids - true_ids:
        raise UserError(f'{folder}: ids {sorted(ids - true_ids)}, the truth has {sorted(true_ids)}')
    if not true_ids:
        raise UserError(f'{folder}: the truth shows no object')
    chosen = names if all_frames else names[1:-1]
    return score_masks(pair(truth[name], folder / name, load) for name in chosen)


def pair(true_path, path, load):
    truth, prediction = load(true_path), load(path)
    if truth.shape != prediction.shape:
        sizes = f'{prediction.shape[1]}x{prediction.shape[0]}, the truth {truth.shape[1]}x'
        raise UserError(f'{path}: the mask is {sizes}{truth.shape[0]}')
    return truth, prediction


def ids_of(paths, load):
    return set().union(*(np.unique(load(path)).tolist() for path in paths)) - {0}


def check_not_same(truth, predictions):
    """Raise UserError if the predictions are the truth's own files: 100 % would mean nothing."""
    if Path(truth).resolve() == Path(predictions).resolve():
        raise UserError(f'{predictions}: is the truth itself; give the folder of predictions')


def table(scores):
    """dict video -> dict id -> Score: rows (video, object, J&F, J, F), overall first.

    Overall is the mean over objects, as DAVIS 2017 counts; a video's row is the mean over its own.
    """
    objects = [score for of_video in scores.values() for score in of_video.values()]
    rows = [('overall', '', mean_score(objects))]
    for video, of_video in scores.items():
        if len(of_video) > 1:
            rows.append((video, 'mean', mean_score(of_video.values())))
        rows += [(video, number, score) for number, score in of_video.items()]
    return [(video, number, score.jf, score.j, score.f) for video, number, score in rows]


def print_table(rows):
    width = max(len(str(row[0])) for row in rows)
    print(f'{"video":<{width}} object   J&F     J     F')
    for video, number, *figures in rows:
        print(f'{video:<{width}} {number:>6}' + ''.join(f' {figure:5.1f}' for figure in figures))


def save_table(rows, folder):
    """scores.csv and scores.json, in percent."""
    text = io.StringIO(newline='')
    writer = csv.writer(text)
    writer.writerow(('video', 'object', 'J&F', 'J', 'F'))
    writer.writerows((*row[:2], *(f'{figure:.4f}' for figure in row[2:])) for row in rows)
    with atomic_write(Path(folder) / 'scores.csv') as part:
        # names of videos are names of folders, which need not be UTF-8
        part.write_text(text.getvalue(), errors='surrogateescape', newline='')
    overall, *rest = (
        dict(zip(('video', 'object', 'J&F', 'J', 'F'), row, strict=True)) for row in rows
    )
    save_json(Path(folder) / 'scores.json', {'overall': overall, 'rows': rest})
