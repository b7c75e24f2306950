"""Counting the videos, frames, masks and pairs on disk, to tell whether a tree is complete."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from dataset.layout import (
    MASK_SUFFIXES,
    TREE,
    files_by_stem,
    match_pairs,
    video_folder,
    video_names,
)
from util.download.catalogue import Download, Tree
from util.download.installed import is_installed
from util.images import SUFFIXES
from util.progress import progress_bar

MANY_VIDEOS = 5000  # counting so many takes long enough for a progress bar


class TreeStatus(NamedTuple):
    """Whether a tree is complete; str() of it is a line to print."""

    folder: str  # below the root
    complete: bool
    details: str

    def __str__(self) -> str:
        state = 'complete' if self.complete else 'INCOMPLETE'
        return f'{self.folder:36} {state:12} {self.details}'


class Content(NamedTuple):
    """What a tree holds."""

    number: int  # how many videos or pairs
    summary: str  # what to print about it
    faults: list[str]


def print_inventory(items: Sequence[Download], root: Path) -> bool:
    """Print what these downloads left on disk, and return whether all of it is complete."""
    complete = True
    for tree in dict.fromkeys(tree for item in items for tree in item.trees):
        status = count_tree(tree, root)
        print(status)
        complete = complete and status.complete
    for item in items:
        if item.is_part:
            print(f'{item.name:36} {"merged" if is_installed(item, root) else "not merged"}')
    return complete


def count_tree(tree: Tree, root: Path) -> TreeStatus:
    """Count what a tree holds, and compare it with what is published."""
    folder = root / tree.folder
    if not folder.is_dir():
        return TreeStatus(tree.folder, False, '; '.join(filter(None, ['missing', tree.remedy])))
    count = {'pairs': count_pairs, 'scribbles': count_scribbles, 'videos': count_videos}[tree.unit]
    number, summary, faults = count(folder, tree)
    if tree.count is not None and number < tree.count:
        unit = 'pairs' if tree.unit == 'pairs' else 'videos'
        faults.append(f'{tree.count} {unit} are published')
    faults += [f'{name} is missing' for name in tree.lists if not (folder / name).is_file()]
    if not number:
        faults.append('it is empty')
    if faults:
        faults.append(tree.remedy or 'move it away and download it again')
    return TreeStatus(tree.folder, not faults, '; '.join([summary, *faults]))


def count_pairs(folder: Path, tree: Tree) -> Content:
    """Count the images x.jpg with a mask x.png beside them, at any depth."""
    number = len(match_pairs(folder)[0])
    return Content(number, f'{number} pairs', [])


def count_scribbles(folder: Path, tree: Tree) -> Content:
    """Count the videos that have scribbles: Scribbles/VIDEO/001.json, 002.json, ..."""
    numbers = [len(files_by_stem(folder / name, ('.json',))) for name in video_names(folder)]
    number = len(list(filter(None, numbers)))
    return Content(number, f'{number} videos, {sum(numbers)} scribbles', [])


def count_videos(folder: Path, tree: Tree) -> Content:
    """Count the videos that have frames and, if the tree has masks, also masks."""
    images, annotations = (video_folder(folder / kind) for kind in TREE)
    names = video_names(images) if images.is_dir() else []
    num_videos = num_frames = num_masks = num_without_mask = 0
    with progress_bar(len(names), 'videos', hidden=len(names) < MANY_VIDEOS) as bar:
        for name in names:
            frames = stems(images / name, SUFFIXES)
            masks = stems(annotations / name, MASK_SUFFIXES) if tree.masks else frames
            num_videos += bool(frames and masks)
            num_frames += len(frames)
            num_masks += len(masks)
            num_without_mask += len(frames - masks)
            bar.increment()
    summary = f'{num_videos} videos, {num_frames} frames'
    summary += f', {num_masks} masks' if tree.masks else ''
    faults = []
    if tree.masks == 'all' and num_without_mask:
        faults.append(f'{num_without_mask} frames without a mask')
    return Content(num_videos, summary, faults)


def stems(folder: Path, suffixes: Collection[str]) -> set[str]:
    """The names of a folder's files without their suffix; none if there is no such folder."""
    return set(files_by_stem(folder, suffixes)) if folder.is_dir() else set()
