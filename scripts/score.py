"""J, F and J&F of predicted masks against the ground truth, per object, per video and overall.

python scripts/score.py GROUND_TRUTH PREDICTIONS   (folders of masks, or of one per video)
python scripts/score.py ../DAVIS/2017/trainval/Annotations/480p out --list ../DAVIS/.../val.txt
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from util.errors import entry_point, naming_options


@entry_point
def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add('ground_truth', type=Path, help='a folder of masks, or of one such folder per video')
    add('predictions', type=Path, help='likewise; scores.csv and scores.json are written there')
    add('--videos', nargs='+', default=[], metavar='NAME', help='score only these')
    add('--list', type=Path, help='score only the videos that this file lists')
    add('--all_frames', action='store_true', help='score the first and the last frame, too')
    args = parser.parse_args(argv)

    from scripts.scoring import choose_videos, score_folders

    videos = choose_videos(args.ground_truth, args.predictions, args.videos, args.list)
    with naming_options(all_frames='--all_frames'):
        score_folders(videos, args.predictions, all_frames=args.all_frames)


if __name__ == '__main__':
    main()
