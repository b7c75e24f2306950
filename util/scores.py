"""Region similarity J and boundary accuracy F of DAVIS, computed by the vos-benchmark package.

Perazzi et al., CVPR 2016, section 4 (J, F); Pont-Tuset et al., arXiv:1704.00675 (several objects).
"""

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from vos_benchmark.evaluator import Evaluator

from util.errors import UserError
from util.files import atomic_write, save_json
from util.masks import DAVIS_PALETTE, codes_in, load_foreground, load_mask, read_codes

ObjectName = int | Literal['mean', '']  # an id; else the row is a video's or the overall mean
COLUMNS = ('video', 'object', 'J&F', 'J', 'F')


class Score(NamedTuple):
    """J and F in percent, each the mean over the frames."""

    j: float
    f: float

    @property
    def jf(self) -> float:
        return (self.j + self.f) / 2


class Row(NamedTuple):
    """A line of the table of scores, in percent."""

    video: str  # 'overall' in the first row
    object: ObjectName
    jf: float
    j: float
    f: float


def score_masks(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> dict[int, Score]:
    """Score the frames of one video, in order; returns a dict id -> Score.

    pairs: (ground truth, prediction), both uint8 (H, W) of ids. DAVIS does not score the first
    frame, whose mask is given, nor the last: leave them out.
    """
    evaluator = Evaluator()
    for ground_truth, prediction in pairs:
        evaluator.feed_frame(prediction, ground_truth)
    region, boundary = evaluator.conclude()
    return {number: Score(region[number], boundary[number]) for number in sorted(region)}


def mean_score(scores: Iterable[Score]) -> Score:
    """The mean of the scores of objects; each counts once, however many its video has."""
    return Score(*np.mean([tuple(score) for score in scores], 0).tolist())


def score_video(
    ground_truth: Mapping[str, Path],
    folder: str | Path,
    *,
    all_frames: bool = False,
    binary: bool | None = None,
) -> dict[int, Score]:
    """Score a folder of predicted masks; returns a dict id -> Score.

    Arguments:
        ground_truth: dict file name -> path of the mask it is compared with.
        folder: holds a prediction under each of these names.
        all_frames: score the first and the last frame as well.
        binary: any id is foreground. By default this is so if ground truth and predictions have
            one id each (0/255 against 0/1 masks, for example).

    Raises UserError for a missing frame, a mask of another size, or an id that the ground truth
    does not have.
    """
    folder = Path(folder)
    missing = [name for name in ground_truth if not (folder / name).is_file()]
    if missing:
        found = sorted(path.name for path in folder.glob('*.png'))
        others = f'{found[0]} to {found[-1]}' if found else 'no masks (.png)'
        raise UserError(
            f'{folder / missing[0]}: no such mask (missing frames: {len(missing)}); masks must be '
            f'named like the ground truth, and there is {others}'
        )
    names = sorted(ground_truth)
    if len(names) < 3 and not all_frames:
        raise UserError(
            f'{folder}: ground truth for {len(names)} frames; at least 3 are needed, as DAVIS does '
            'not score the first and the last; have these scored, too',
            parameter='all_frames',
        )
    load = load_foreground if binary else load_ids
    true_ids = ids_in(ground_truth.values(), load)
    ids = ids_in((folder / name for name in names), load)
    if binary is None and len(true_ids) == len(ids) == 1:
        load, ids = load_foreground, true_ids
    if ids - true_ids:
        raise UserError(
            f'{folder}: ids {sorted(ids - true_ids)}, but the ground truth has {sorted(true_ids)}'
        )
    if not true_ids:
        raise UserError(f'{folder}: the ground truth shows no object')
    chosen = names if all_frames else names[1:-1]
    return score_masks(load_pair(ground_truth[name], folder / name, load) for name in chosen)


def load_ids(path: Path) -> np.ndarray:
    """`load_mask`, also for the same saved in colours: those of the DAVIS palette, or greys."""
    found = read_codes(path)
    return ids_of_colours(path, found.codes) if found.is_colour else load_mask(path)


def ids_of_colours(path: Path, codes: np.ndarray) -> np.ndarray:
    """The ids (H, W) whose colours (H, W) are; see `util.masks.read_codes`."""
    present = codes_in(codes)
    weights = 1 << np.array([16, 8, 0])
    for palette in (DAVIS_PALETTE, np.arange(256).repeat(3).reshape(256, 3)):
        colours = (palette @ weights).tolist()
        if {*present} <= {*colours}:
            ids = np.zeros(codes.shape, np.uint8)
            for colour in present:
                ids[codes == colour] = colours.index(colour)
            return ids
    raise UserError(
        f'{path}: not a mask of object ids, but of colours that DAVIS does not have '
        f'(#{present[0]:06x}); save ids in an indexed or grey PNG'
    )


def load_pair(
    ground_truth: Path, prediction: Path, load: Callable[[Path], np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Load two masks, which must have the same size."""
    expected, found = load(ground_truth), load(prediction)
    if expected.shape != found.shape:
        sizes = [f'{mask.shape[1]}x{mask.shape[0]}' for mask in (found, expected)]
        raise UserError(f'{prediction}: the mask is {sizes[0]}, the ground truth {sizes[1]}')
    return expected, found


def ids_in(paths: Iterable[Path], load: Callable[[Path], np.ndarray]) -> set[int]:
    """The ids in all these masks, without the background."""
    return {number for path in paths for number in np.unique(load(path)).tolist()} - {0}


def check_not_same(ground_truth: str | Path, predictions: str | Path) -> None:
    """Raise UserError if both are one folder: 100 % would mean nothing."""
    if Path(ground_truth).resolve() == Path(predictions).resolve():
        raise UserError(f'{predictions}: is the ground-truth folder; pass the predictions')


def table(scores: Mapping[str, Mapping[int, Score]]) -> list[Row]:
    """Tabulate scores by video and id: the overall mean first, then each video and its objects.

    The overall mean is over objects, as in DAVIS 2017. A video with several objects has a row for
    their mean.
    """
    objects = [score for of_video in scores.values() for score in of_video.values()]
    rows: list[tuple[str, ObjectName, Score]] = [('overall', '', mean_score(objects))]
    for video, of_video in scores.items():
        if len(of_video) > 1:
            rows.append((video, 'mean', mean_score(of_video.values())))
        rows += [(video, number, score) for number, score in of_video.items()]
    return [Row(video, name, score.jf, score.j, score.f) for video, name, score in rows]


def print_table(rows: Sequence[Row]) -> None:
    """Print the table of scores with one decimal."""
    width = max(len(row.video) for row in rows)
    print(f'{"video":<{width}} object   J&F     J     F')
    for row in rows:
        figures = ''.join(f' {figure:5.1f}' for figure in row[2:])
        print(f'{row.video:<{width}} {row.object:>6}{figures}')


def save_table(rows: Sequence[Row], folder: str | Path) -> None:
    """Write scores.csv and scores.json into a folder."""
    text = io.StringIO(newline='')
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows((*row[:2], *(f'{figure:.4f}' for figure in row[2:])) for row in rows)
    with atomic_write(Path(folder) / 'scores.csv') as part:
        # Names of videos are names of folders, which need not be valid UTF-8.
        part.write_text(text.getvalue(), errors='surrogateescape', newline='')
    overall, *rest = (dict(zip(COLUMNS, row, strict=True)) for row in rows)
    save_json(Path(folder) / 'scores.json', {'overall': overall, 'rows': rest})
