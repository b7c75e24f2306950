"""Scores of a folder of predictions against a folder of ground truth: see score.py."""

from pathlib import Path
from typing import NamedTuple

from dataset.benchmarks import read_list
from util.device import configure_torch
from util.errors import UserError
from util.files import list_files
from util.scores import check_not_same, print_table, save_table, score_video, table


class Folders(NamedTuple):
    """The folders of masks of one video."""

    ground_truth: Path
    predictions: Path


def choose_videos(ground_truth, predictions, names, list_file):
    """The Folders of the videos to score, by name and in order.

    Both folders hold a folder per video or, if no videos are named, the masks of a single one.
    names: only these; list_file: and those it lists; without either, all videos.
    """
    for folder in (ground_truth, predictions):
        if not folder.is_dir():
            raise UserError(f'{folder}: no such folder')
    check_not_same(ground_truth, predictions)
    chosen = {*names, *(read_list(list_file) if list_file else ())}
    pairs = {} if chosen else single_video(ground_truth, predictions)
    pairs = pairs or several_videos(ground_truth, predictions, chosen)
    for pair in pairs.values():
        check_not_same(*pair)
    return pairs


def single_video(ground_truth, predictions):
    """The Folders of one video if one of the folders holds its masks, else nothing."""
    name = ground_truth.resolve().name
    if is_flat(ground_truth):
        places = (predictions, predictions / 'masks', predictions / name)
        found = next(filter(is_flat, places[not is_flat(predictions) :]), None)
        if not found:
            raise UserError(
                f'{predictions}: holds no masks, but {ground_truth} those of one video; name the '
                'folder of the predicted masks of this video'
            )
        return {name: Folders(ground_truth, found)}
    if is_flat(predictions) or is_flat(predictions / 'masks'):
        video = predictions.resolve().name
        if not is_flat(ground_truth / video):
            raise UserError(
                f'{predictions}: holds the masks of one video, but {ground_truth} a folder per '
                'video; name the folder of the ground truth of this video'
            )
        return {video: Folders(ground_truth / video, masks_in(predictions))}
    return {}


def several_videos(ground_truth, predictions, chosen):
    """The Folders of the chosen videos, or of all; each folder holds a folder per video."""
    here, there = set(video_folders(ground_truth)), set(video_folders(predictions))
    if not here:
        raise UserError(f'{ground_truth}: holds no folder of masks per video, nor masks (.png)')
    if there and not chosen and not here & there:
        first, other = min(here), min(there)
        raise UserError(
            f'{ground_truth} and {predictions} have no video in common ({first} against {other}); '
            'name the two folders that hold a folder of masks per video'
        )
    for folder, videos in ((ground_truth, here), (predictions, there)):
        missing = sorted((chosen or here | there) - videos)
        if missing:
            raise UserError(
                f'{folder}: lacks {missing[0]} (missing videos: {len(missing)}); name those to '
                'score with --videos or --list'
            )
    names = sorted(chosen or here)
    return {name: Folders(ground_truth / name, masks_in(predictions / name)) for name in names}


def video_folders(folder):
    return [p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith('.')]


def is_flat(folder):
    """Whether masks lie in a folder, and no other folders."""
    return folder.is_dir() and bool(list_masks(folder)) and not video_folders(folder)


def masks_in(folder):
    """The folder itself or, for the output of propagate.py, the folder of masks in it."""
    return folder / 'masks' if is_flat(folder / 'masks') else folder


def list_masks(folder):
    return list_files(folder, ('.png',))


def score_folders(videos, output, *, all_frames):
    """Print the scores of these videos (Folders by name), and write them into a folder."""
    configure_torch()
    scores, num_scored, num_predicted = {}, 0, 0
    for name, (ground_truth, predictions) in videos.items():
        masks = {path.name: path for path in list_masks(ground_truth)}
        if not masks:
            raise UserError(f'{ground_truth}: holds no masks (.png)')
        scores[name] = score_video(masks, predictions, all_frames=all_frames)
        num_scored += len(masks)
        num_predicted += len(list_masks(predictions))
    if num_scored < num_predicted:
        ends = '' if all_frames else ', without the first and the last of each video'
        print(f'ground truth for {num_scored} of {num_predicted} frames; these are scored{ends}')
    rows = table(scores)
    print_table(rows)
    save_table(rows, output)
