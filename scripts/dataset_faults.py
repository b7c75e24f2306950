"""What check_dataset.py looks for in a training set. Jobs run in processes and return faults."""

from collections import Counter
from typing import NamedTuple

from dataset.layout import match_frames, match_pairs, tree_folders, video_names, without_partner
from dataset.samples import NUM_FRAMES, read_image_fast
from dataset.sizes import describe, fit_mask
from dataset.static_dataset import read_foreground
from util.device import configure_torch
from util.errors import UserError
from util.masks import load_mask
from util.parallel import parallel_map

KINDS = ('unreadable', 'mismatched', 'empty', 'too short')
INSIDE = ('.', 'train_480p', '2017/trainval')  # where a known set has its tree of videos


class Fault(NamedTuple):
    """Something that training would stumble over."""

    kind: str  # one of KINDS
    what: str


class Findings(NamedTuple):
    """What a job found out about a pair or a video."""

    faults: list[Fault]
    num_masks: int  # read
    num_blank: int = 0  # masks of a video that show no object; evaluations memorise such frames


def find_tree(folder, required):
    """The folder below `folder` that holds JPEGImages/, or None if there is none."""
    if not folder.is_dir():
        raise UserError(f'{folder}: no such folder')
    trees = [folder / inside for inside in INSIDE if (folder / inside / 'JPEGImages').is_dir()]
    if required and not trees:
        raise UserError(f'{folder}: holds no JPEGImages/')
    return trees[0] if trees else None


def check_static(folder, num_workers=None):
    """Report the faults of pairs x.jpg, x.png; returns whether there are none."""
    configure_torch()
    pairs, alone = match_pairs(folder)
    if not pairs and not alone:
        raise UserError(f'{folder}: no pairs x.jpg, x.png and no videos in it')
    faults = [Fault('mismatched', without_partner(path)) for path in alone]
    return report(
        faults, parallel_map(check_pair, pairs, 'pairs', num_workers), f'{len(pairs)} pairs'
    )


def check_video_tree(tree, num_workers=None):
    """Report the faults of a tree of videos; returns whether there are none."""
    configure_torch()
    images, annotations = tree_folders(tree)
    names = video_names(images)
    without_frames = sorted(set(video_names(annotations)) - set(names))
    if not names and not without_frames:
        raise UserError(f'{tree}: no videos in it')
    faults = [
        Fault('mismatched', f'{annotations / name}: no such video in {images}')
        for name in without_frames
    ]
    folders = [(images / name, annotations / name) for name in names]
    found = parallel_map(check_video, folders, 'videos', num_workers)
    return report(faults, found, f'{len(names)} videos')


def report(faults, findings, title):
    """Collect findings and print all faults, also when interrupted: it may have taken hours."""
    num_masks = num_blank = 0
    try:
        for found in findings:
            faults += found.faults
            num_masks += found.num_masks
            num_blank += found.num_blank
    finally:
        for fault in faults:
            print(f'{fault.kind + ":":12}{fault.what}')
        number = Counter(fault.kind for fault in faults)
        counts = ', '.join(f'{number[kind]} {kind}' for kind in KINDS)
        blank = f', {num_blank} of them without objects' if num_blank else ''
        print(f'{title}, {num_masks} masks read{blank}: {counts}')
    return not faults


def check_pair(pair):
    """Read an image and the mask of its object -> Findings."""
    mask, faults = read_files(*pair, read_foreground)
    if mask is not None and not mask.any():
        faults = [Fault('empty', f'{pair.mask}: a mask without an object')]
    return Findings(faults, int(mask is not None))


def read_files(image_path, mask_path, read_mask):
    """Read an image and its mask -> the mask, None if that fails, and a list of faults."""
    try:
        image, mask = read_image_fast(image_path), read_mask(mask_path)
    except UserError as error:
        return None, [Fault('unreadable', str(error))]
    try:
        return fit_mask(mask_path, mask, image.shape[:2]), []
    except UserError as error:
        return None, [Fault('mismatched', str(error))]


def check_video(folders):
    """Read a video, given the folders of its frames and masks -> Findings."""
    try:
        matched = match_frames(*folders)
    except UserError as error:
        return Findings([Fault('mismatched', str(error))], 0)
    faults = []
    alone = (matched.without_mask, matched.without_frame)
    for folder, names, lacking in zip(folders, alone, ('mask', 'frame'), strict=True):
        if names:
            what = f'{folder / names[0]}: its {lacking} is missing ({len(names)} in this video)'
            faults.append(Fault('mismatched', what))
    if len(matched.frames) < NUM_FRAMES:
        what = f'{folders[0]}: {len(matched.frames)} frames with a mask, {NUM_FRAMES} are needed'
        faults.append(Fault('too short', what))
    image_folder, mask_folder = folders
    images = [image_folder / name for name in matched.frames]
    found = check_frames(images, [mask_folder / name for name in matched.masks])
    return found._replace(faults=faults + found.faults)


def check_frames(images, masks):
    """Read frames and masks of one video -> Findings."""
    faults, size, num_masks, num_blank = [], None, 0, 0
    for image_path, mask_path in zip(images, masks, strict=True):
        mask, found = read_files(image_path, mask_path, load_mask)
        faults += found
        if mask is None:
            continue
        size = size or mask.shape
        if mask.shape != size:
            what = f'{image_path}: {describe(mask.shape)}, those before it {describe(size)}'
            faults.append(Fault('mismatched', what))
        num_blank += not mask.any()
        num_masks += 1
    if 0 < num_masks == num_blank:
        faults.append(Fault('empty', f'{masks[0].parent}: no mask in it shows an object'))
    return Findings(faults, num_masks, num_blank)
