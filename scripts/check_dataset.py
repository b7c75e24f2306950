"""Read every file of a training set and list those that training would stumble over.

python scripts/check_dataset.py ../static
python scripts/check_dataset.py ../YouTube/train_480p      (or any folder with JPEGImages/)
"""

import argparse
import multiprocessing
import os
import signal
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from dataset.samples import NUM_FRAMES, read_picture, use_one_thread
from dataset.static_dataset import match_pairs, read_foreground, without_partner
from dataset.video import fit_mask
from dataset.vos_dataset import match_frames, tree_folders, video_names
from util.errors import UserError, entry_point
from util.masks import load_mask
from util.progress import progress_bar

INSIDE = ('.', 'train_480p', '2017/trainval')  # where the tree of videos of a known root lies
KINDS = ('unreadable', 'mismatched', 'empty', 'too short')


class Fault(NamedTuple):
    kind: str  # of KINDS
    what: str


@entry_point
def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder', type=Path, metavar='DIR')
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument('--static', action='store_true', help='pairs of x.jpg and x.png')
    kind.add_argument('--video', action='store_true', help='JPEGImages/ and Annotations/')
    parser.add_argument('--num_workers', type=int, help='processes (one per CPU, 8 at most)')
    args = parser.parse_args(argv)

    tree = None if args.static else find_tree(args.folder)
    if tree is None and args.video:
        raise UserError(f'{args.folder}: holds no JPEGImages/')
    check, jobs, faults, unit = video_jobs(tree) if tree else static_jobs(args.folder)
    if not jobs and not faults:
        raise UserError(f'{args.folder}: no pairs x.jpg, x.png and no videos in it')
    num_masks = 0
    try:
        for found, num_read in run(check, jobs, unit, args.num_workers):
            faults += found
            num_masks += num_read
    finally:  # hours may have gone into it when it is interrupted
        report(faults, f'{len(jobs)} {unit}, {num_masks} masks read')
    if faults:
        sys.exit(2)


def report(faults, what):
    for fault in faults:
        print(f'{fault.kind + ":":12}{fault.what}')
    number = Counter(fault.kind for fault in faults)
    print(f'{what}: ' + ', '.join(f'{number[kind]} {kind}' for kind in KINDS))


def find_tree(folder):
    """The folder that holds JPEGImages/, or None."""
    if not folder.is_dir():
        raise UserError(f'{folder}: no such folder')
    trees = [folder / inside for inside in INSIDE if (folder / inside / 'JPEGImages').is_dir()]
    return trees[0] if trees else None


def run(check, jobs, unit, num_workers):
    """Yield check(job) for all jobs, in order, from several processes."""
    num_workers = num_workers or min(8, os.cpu_count())
    with (
        ProcessPoolExecutor(num_workers, initializer=start_worker) as pool,
        progress_bar(len(jobs), unit) as bar,
    ):
        try:
            for result in pool.map(check, jobs, chunksize=8 if len(jobs) > 1000 else 1):
                bar.increment()
                yield result
        except BaseException:  # the pool would first finish all jobs, or wait for ever
            for child in multiprocessing.active_children():
                child.terminate()
            raise


def start_worker():
    use_one_thread(None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that prints


def static_jobs(folder):
    """-> what to call for each of the jobs, the jobs, faults found by name alone, their unit."""
    pairs, alone = match_pairs(folder)
    faults = [Fault('mismatched', without_partner(path)) for path in alone]
    return check_pair, pairs, faults, 'pairs'


def check_pair(pair):
    """-> list of Fault, the number of masks read."""
    mask, faults = read_files(*pair, read_foreground)
    if mask is not None and not mask.any():
        faults = [Fault('empty', f'{pair[1]}: a mask without an object')]
    return faults, int(mask is not None)


def read_files(image_path, mask_path, read_mask):
    """-> the mask, or None; list of Fault."""
    try:
        image, mask = read_picture(image_path), read_mask(mask_path)
    except UserError as error:
        return None, [Fault('unreadable', str(error))]
    try:
        return fit_mask(mask_path, mask, image.shape[:2]), []
    except UserError as error:
        return None, [Fault('mismatched', str(error))]


def video_jobs(tree):
    images, annotations = tree_folders(tree)
    names = video_names(images)
    without = sorted(set(video_names(annotations)) - set(names))
    faults = [
        Fault('mismatched', f'{annotations / name}: no such video in {images}') for name in without
    ]
    return check_video, [(images / name, annotations / name) for name in names], faults, 'videos'


def check_video(folders):
    """-> list of Fault, the number of masks read."""
    try:
        frames, masks, *alone = match_frames(*folders)
    except UserError as error:
        return [Fault('mismatched', str(error))], 0
    faults = []
    for folder, names, lacking in zip(folders, alone, ('mask', 'frame'), strict=True):
        if names:
            what = f'{folder / names[0]}: its {lacking} is missing ({len(names)} in this video)'
            faults.append(Fault('mismatched', what))
    if len(frames) < NUM_FRAMES:
        what = f'{folders[0]}: {len(frames)} frames with a mask, {NUM_FRAMES} are needed'
        faults.append(Fault('too short', what))
    found, num_read = check_frames(*folders, frames, masks)
    return faults + found, num_read


def check_frames(image_folder, mask_folder, frames, masks):
    """-> list of Fault, the number of masks read."""
    faults, size, shows_objects, num_read = [], None, False, 0
    for frame_name, mask_name in zip(frames, masks, strict=True):
        frame = image_folder / frame_name
        mask, found = read_files(frame, mask_folder / mask_name, load_mask)
        faults += found
        if mask is None:
            continue
        size = size or mask.shape
        if mask.shape != size:
            sizes = f'{mask.shape[1]}x{mask.shape[0]}, those before it {size[1]}x{size[0]}'
            faults.append(Fault('mismatched', f'{frame}: {sizes}'))
        shows_objects |= bool(mask.any())
        num_read += 1
    if num_read and not shows_objects:
        faults.append(Fault('empty', f'{mask_folder}: no mask in it shows an object'))
    return faults, num_read


if __name__ == '__main__':
    main()
