"""J, F and J&F of predicted masks against the truth, per object, per video and overall.

python scripts/score.py TRUTH PREDICTIONS          (folders that hold a folder of masks per video)
python scripts/score.py ../DAVIS/2017/trainval/Annotations/480p out --list ../DAVIS/.../val.txt
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from util.errors import UserError, entry_point


@entry_point
def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('truth', type=Path, help='a folder of masks per video')
    parser.add_argument('predictions', type=Path, help='likewise; scores.* are written into it')
    parser.add_argument('--videos', nargs='+', metavar='NAME', help='only these')
    parser.add_argument('--list', type=Path, help='only the videos that this file lists')
    parser.add_argument('--all_frames', action='store_true', help='the first and last frame too')
    args = parser.parse_args(argv)

    from util.files import list_files
    from util.scores import check_not_same, print_table, save_table, score_video, table

    check_not_same(args.truth, args.predictions)
    scores = {}
    for name in choose_videos(args):
        truth = {path.name: path for path in list_files(args.truth / name, ('.png',))}
        scores[name] = score_video(truth, args.predictions / name, all_frames=args.all_frames)
    rows = table(scores)
    print_table(rows)
    save_table(rows, args.predictions)


def choose_videos(args):
    """The videos to score; both trees must have them all."""
    from dataset.benchmarks import read_list

    for folder in (args.truth, args.predictions):
        if not folder.is_dir():
            raise UserError(f'{folder}: no such folder')
    here, there = (set(video_folders(f)) for f in (args.truth, args.predictions))
    if not here:
        raise UserError(f'{args.truth}: holds no folder of masks per video')
    chosen = set(args.videos or ())
    if args.list:
        chosen |= set(read_list(args.list))
    for folder, videos in ((args.truth, here), (args.predictions, there)):
        missing = sorted((chosen or here | there) - videos)
        if missing:
            raise UserError(
                f'{folder}: lacks {missing[0]} ({len(missing)} videos in all); name those to '
                'score with --videos or --list'
            )
    return sorted(chosen or here)


def video_folders(folder):
    return [p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith('.')]


if __name__ == '__main__':
    main()
