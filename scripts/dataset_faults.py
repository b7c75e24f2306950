"""What check_dataset.py looks for in a training set: jobs for processes, the faults they find."""

from typing import NamedTuple

from dataset.layout import match_frames, match_pairs, tree_folders, video_names, without_partner
from dataset.samples import NUM_FRAMES, read_picture
from dataset.sizes import fit_mask
from dataset.static_dataset import read_foreground
from util.errors import UserError
from util.masks import load_mask

KINDS = ('unreadable', 'mismatched', 'empty', 'too short')


class Fault(NamedTuple):
    kind: str  # of KINDS
    what: str


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
