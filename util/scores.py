"""Region similarity J and boundary accuracy F of DAVIS, computed by the vos-benchmark package.

Perazzi et al., CVPR 2016, section 4 (J, F); Pont-Tuset et al., arXiv:1704.00675 (several objects).
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from vos_benchmark.evaluator import Evaluator

from util.errors import UserError
from util.files import atomic_write, save_json
from util.masks import as_ids
from util.masks.codes import DAVIS_COLOURS, GREYS, VOID, any_void, codes_in, read_codes

ObjectName = int | Literal['mean', '']  # an id; 'mean' over a video; '' over all objects
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

    pairs: (ground truth, prediction), both uint8 (H, W) of ids. Leave out the first frame, whose
    mask is given, and the last one: DAVIS does not score them.
    """
    evaluator = Evaluator()
    for ground_truth, prediction in pairs:
        evaluator.feed_frame(prediction, ground_truth)
    region, boundary = evaluator.conclude()
    return {number: Score(region[number], boundary[number]) for number in sorted(region)}


def mean_score(scores: Iterable[Score]) -> Score:
    """The mean score over objects, each counting once, however many its video has."""
    return Score(*np.mean([tuple(score) for score in scores], 0).tolist())


def score_video(
    ground_truth: Mapping[str, Path],
    folder: str | Path,
    *,
    all_frames: bool = False,
    binary: bool | None = None,
) -> dict[int, Score]:
    """Score a folder of predicted masks; returns a dict id -> Score.

    Where the ground truth is void (see `util.masks.codes.any_void`), nothing is scored.

    Arguments:
        ground_truth: dict file name -> path of the ground-truth mask.
        folder: holds a prediction under each of these names.
        all_frames: score the first and the last frame as well.
        binary: treat any id as foreground; by default, if ground truth and predictions have one
            id each (0/255 against 0/1 masks, for example).
    Raises:
        UserError: a frame is missing, or a mask has another size or an id that the ground truth
            does not have.
    """
    folder = Path(folder)
    missing = [name for name in ground_truth if not (folder / name).is_file()]
    if missing:
        found = sorted(path.name for path in folder.glob('*.png'))
        others = f'{found[0]} to {found[-1]}' if found else 'no masks (.png)'
        raise UserError(
            f'{folder / missing[0]}: no such mask (missing frames: {len(missing)}); masks must be '
            f'named like the ground truth, but the folder holds {others}'
        )
    names = sorted(ground_truth)
    if len(names) < 3 and not all_frames:
        raise UserError(
            f'{folder}: ground truth for {len(names)} frames; at least 3 are needed, as DAVIS does '
            'not score the first and the last; score those, too',
            parameter='all_frames',
        )
    expected = VideoMasks(ground_truth.values(), is_binary=bool(binary))
    predicted = VideoMasks((folder / name for name in names), is_binary=bool(binary))
    if binary is None and len(expected.ids) == len(predicted.ids) == 1:
        expected.is_binary = predicted.is_binary = True
    unknown = predicted.ids - expected.ids
    if predicted.has_void and not expected.has_void:
        unknown.add(VOID)
    if unknown and not expected.is_binary:
        raise UserError(
            f'{folder}: has ids {sorted(unknown)}, but the ground truth has {sorted(expected.ids)}'
        )
    if not expected.ids:
        raise UserError(f'{folder}: the ground truth shows no object')
    chosen = names if all_frames else names[1:-1]
    return score_masks(load_pair(expected, ground_truth[n], predicted, folder / n) for n in chosen)


class VideoMasks:
    """The masks of one video, uint8 (H, W), for scoring; VOID marks unlabelled pixels.

    is_binary: any id is foreground, and becomes 1.
    """

    def __init__(self, paths: Iterable[Path], *, is_binary: bool) -> None:
        self.is_binary = is_binary
        found = [np.unique(self._read(path)).tolist() for path in paths]
        self.has_void = any_void(found)
        self.ids = {number for ids in found for number in ids} - {0}
        if self.has_void:
            self.ids.remove(VOID)

    def load(self, path: Path) -> tuple[np.ndarray, np.ndarray]:
        """A mask whose void pixels are set to 0, and where these are: bool (H, W)."""
        mask = self._read(path)
        void = (mask == VOID) & self.has_void
        mask[void] = 0
        return (mask > 0).astype(np.uint8) if self.is_binary else mask, void

    def _read(self, path: Path) -> np.ndarray:
        found = read_codes(path)
        if self.is_binary and (found.is_colour or found.codes.max(initial=0) > VOID):
            return (found.codes > 0).astype(np.uint8)
        if found.is_colour:
            return ids_of_colours(path, found.codes)
        return as_ids(path, found)


def ids_of_colours(path: Path, codes: np.ndarray) -> np.ndarray:
    """Turn colours (H, W) of the DAVIS palette, or greys, into uint8 (H, W) of ids."""
    present = codes_in(codes)
    for colours in (DAVIS_COLOURS, GREYS):
        if {*present} <= {*colours}:
            ids = np.zeros(codes.shape, np.uint8)
            for colour in present:
                ids[codes == colour] = colours.index(colour)
            return ids
    raise UserError(
        f'{path}: its colours (#{present[0]:06x}, for one) are not all in the DAVIS palette; save '
        'object ids in an indexed or grey PNG'
    )


def load_pair(
    expected: VideoMasks, ground_truth: Path, predicted: VideoMasks, prediction: Path
) -> tuple[np.ndarray, np.ndarray]:
    """Load two masks, which must have the same size. Where the first is void, both become 0."""
    (mask, void), (found, _) = expected.load(ground_truth), predicted.load(prediction)
    if mask.shape != found.shape:
        sizes = [f'{m.shape[1]}x{m.shape[0]}' for m in (found, mask)]
        raise UserError(f'{prediction}: the mask is {sizes[0]}, the ground truth {sizes[1]}')
    found[void] = 0
    return mask, found


def check_not_same(ground_truth: str | Path, predictions: str | Path) -> None:
    """Raise UserError if both are the same folder: a score of 100 % would mean nothing."""
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
        # Videos are named after folders, whose names need not be valid UTF-8.
        part.write_text(text.getvalue(), errors='surrogateescape', newline='')
    overall, *rest = (dict(zip(COLUMNS, row, strict=True)) for row in rows)
    save_json(Path(folder) / 'scores.json', {'overall': overall, 'rows': rest})
