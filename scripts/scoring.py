"""Scores of a folder of predictions against a folder of ground truth: see score.py."""

from dataset.benchmarks import read_list
from util.device import configure_torch
from util.errors import UserError
from util.files import list_files
from util.scores import check_not_same, print_table, save_table, score_video, table


def choose_videos(ground_truth, predictions, names, list_file):
    """The sorted names of the videos to score, which both folders must hold.

    names: only these; list_file: and those it lists; without either, all videos.
    """
    for folder in (ground_truth, predictions):
        if not folder.is_dir():
            raise UserError(f'{folder}: no such folder')
    check_not_same(ground_truth, predictions)
    here, there = set(video_folders(ground_truth)), set(video_folders(predictions))
    if not here:
        raise UserError(f'{ground_truth}: holds no folder of masks per video')
    chosen = {*names, *(read_list(list_file) if list_file else ())}
    for folder, videos in ((ground_truth, here), (predictions, there)):
        missing = sorted((chosen or here | there) - videos)
        if missing:
            raise UserError(
                f'{folder}: lacks {missing[0]} (missing videos: {len(missing)}); name those to '
                'score with --videos or --list'
            )
    return sorted(chosen or here)


def video_folders(folder):
    return [p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith('.')]


def score_folders(ground_truth, predictions, videos, *, all_frames):
    """Print the scores of these videos, and write them into the folder of predictions."""
    configure_torch()
    scores = {}
    for name in videos:
        masks = {path.name: path for path in list_files(ground_truth / name, ('.png',))}
        scores[name] = score_video(masks, predictions / name, all_frames=all_frames)
    rows = table(scores)
    print_table(rows)
    save_table(rows, predictions)
