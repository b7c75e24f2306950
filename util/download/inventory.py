"""What of a published tree is on disk: numbers of videos, frames, masks and pairs."""

import os
from pathlib import Path
from typing import NamedTuple

from dataset.layout import walk
from util.progress import progress_bar

IMAGES, MASKS = ('.jpg', '.jpeg', '.png'), ('.png',)


class TreeStatus(NamedTuple):
    place: str
    complete: bool
    what: str

    def __str__(self):
        return f'{self.place:36} {"complete" if self.complete else "INCOMPLETE":12} {self.what}'


def count_tree(root, tree):
    """tree: util.download.catalogue.Tree below `root` -> Stock."""
    folder = Path(root) / tree.place
    if not folder.is_dir():
        remedy = '' if tree.remedy.startswith('move') else f'; {tree.remedy}'
        return TreeStatus(tree.place, False, f'not there{remedy}')
    number, what, faults = (count_pairs if tree.unit == 'pairs' else count_videos)(folder, tree)
    if tree.count is not None and number < tree.count:
        faults.append(f'{tree.count} {tree.unit} are published')
    faults += [f'{name} is missing' for name in tree.lists if not (folder / name).is_file()]
    if not number:
        faults.append('it is empty')
    words = [what, *faults, *([tree.remedy] if faults else [])]
    return TreeStatus(tree.place, not faults, '; '.join(words))


def count_pairs(folder, tree):
    """-> number of x.jpg with an x.png beside it, wherever below the folder; in words; faults."""
    pairs = 0
    for place in walk(folder):
        pairs += len(stems(place, ('.jpg', '.jpeg')) & stems(place, MASKS))
    return pairs, f'{pairs} pairs', []


def count_videos(folder, tree):
    """-> number of videos with frames and, if the tree has any, masks; in words; faults."""
    images, annotations = (inner(folder / kind) for kind in ('JPEGImages', 'Annotations'))
    names = (
        [entry.name for entry in os.scandir(images) if entry.is_dir()] if images.is_dir() else []
    )
    videos, frames, masks, without = 0, 0, 0, 0
    with progress_bar(len(names), 'videos', hidden=len(names) < 5000) as bar:
        for name in names:
            of_frames = stems(images / name, IMAGES)
            of_masks = stems(annotations / name, MASKS) if tree.masks else of_frames
            videos += bool(of_frames and of_masks)
            frames, masks = frames + len(of_frames), masks + len(of_masks)
            without += len(of_frames - of_masks)
            bar.increment()
    what = f'{videos} videos, {frames} frames' + (f', {masks} masks' if tree.masks else '')
    return (
        videos,
        what,
        [f'{without} frames without a mask'] * (tree.masks == 'all' and without > 0),
    )


def inner(folder):
    """DAVIS keeps its videos one folder deeper."""
    return folder / '480p' if (folder / '480p').is_dir() else folder


def stems(folder, suffixes):
    """Names without suffix of the files of these kinds; none if there is no such folder."""
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return set()
    split = (os.path.splitext(name) for name in names if not name.startswith('.'))
    return {stem for stem, suffix in split if suffix.lower() in suffixes}
