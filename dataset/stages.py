"""Which sets a stage of training draws from, how often, and how far apart its frames are.

Stage 0: static images. Stage 1: BL30K. Stage 2: DAVIS and YouTube-VOS. One's own trees of videos
join stages 1 and 2. MiVOS (CVPR 2021).
"""

import bisect
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import numpy as np
from torch.utils.data import Dataset

from dataset.benchmarks import read_list
from dataset.composite_dataset import CompositeDataset
from dataset.cutouts import find_cutouts
from dataset.layout import find_pairs, tree_folders, video_names
from dataset.static_dataset import StaticDataset
from dataset.vos_dataset import VOSDataset, find_videos
from util.errors import UserError

DEFAULT_ROOTS = {
    'static_root': '../static',
    'bl_root': '../BL30K',
    'yv_root': '../YouTube',
    'davis_root': '../DAVIS',
}
STATIC_SETS = {  # folder -> how often in an epoch
    'fss': 1,
    'DUTS-TR': 1,
    'DUTS-TE': 1,
    'ecssd': 1,
    'BIG_small': 5,
    'HRSOD_small': 5,
}
SKIPS = (5, 10, 15, 20, 25, 5)  # largest distances between frames
SKIP_CHANGES = {1: (0.1, 0.2, 0.3, 0.4, 0.8), 2: (0.1, 0.2, 0.3, 0.4, 0.9)}  # of all epochs


def max_skip(stage, epoch_fraction):
    """The largest distance between frames once this share of the epochs has passed."""
    return SKIPS[sum(epoch_fraction >= change for change in SKIP_CHANGES[stage])]


class SetCount(NamedTuple):
    """What a stage takes from one set; str() of it is a line to print."""

    name: str
    folder: Path
    unit: str  # images or videos
    num_items: int = 0  # 0: the set is absent
    repeats: int = 1
    notes: tuple = ()

    def __str__(self):
        if not self.num_items:
            return f'{self.name}: 0, absent ({self.folder})'
        often = f' x {self.repeats} an epoch' if self.repeats > 1 else ''
        items = f'{self.name}: {self.num_items} {self.unit}{often} ({self.folder})'
        return '; '.join([items, *self.notes])


class StageDataset(Dataset):
    """Several sets as one, each `repeats` times in an epoch, and never twice the same sample.

    sets: list of (dataset, repeats). A sample depends on seed, epoch and index only. Attributes:
    `counts`, a SetCount per set, also of absent ones. Call `set_epoch` before a DataLoader's
    workers start.
    """

    def __init__(self, stage, sets, counts, *, seed=0):
        self.stage = stage
        self.datasets = [dataset for dataset, _ in sets]
        self.ends = list(accumulate(len(dataset) * repeats for dataset, repeats in sets))
        self.counts = counts
        self.seed = seed
        self.set_epoch(0, 1)

    def set_epoch(self, epoch, num_epochs):
        """Epoch 0 is the first of num_epochs."""
        self.epoch = epoch
        if self.stage > 0:
            for dataset in self.datasets:
                dataset.set_epoch(epoch, max_skip(self.stage, epoch / num_epochs))

    def __len__(self):
        return self.ends[-1]

    def __getitem__(self, index):
        if not 0 <= index < len(self):
            raise IndexError(index)
        number = bisect.bisect_right(self.ends, index)
        dataset = self.datasets[number]
        start = self.ends[number - 1] if number else 0
        rng = np.random.default_rng((self.seed, self.epoch, index))
        return dataset.sample((index - start) % len(dataset), rng)


def build_stage(
    stage,
    *,
    static_root=None,
    bl_root=None,
    yv_root=None,
    davis_root=None,
    vos_root=(),
    crop=384,
    short_side=None,
    paste=None,
    seed=0,
):
    """The training set of a stage, 0 to 2 -> StageDataset.

    Roots: None takes the one in DEFAULT_ROOTS. vos_root: several.
    short_side: to which static images are scaled (by default the crop), to which larger frames of
    videos are scaled down (by default not at all). paste: a folder of cut-outs, for samples of
    videos with things pasted (CompositeDataset). Raises UserError for a root that was given and
    is absent, for a set without anything in it, and for an absent set unless roots were given.
    """
    if stage == 0:
        sets, counts = static_sets(static_root, crop, short_side or crop)
    else:
        options = {'crop': crop, 'short_side': short_side}
        sources = bl30k(bl_root) if stage == 1 else davis(davis_root) + youtube(yv_root)
        sources += own_videos(vos_root or ())
        sets, counts = video_sets(stage, sources, options)
        if paste is not None:
            cutouts = find_cutouts(paste)
            sets = [(CompositeDataset(dataset, cutouts), repeats) for dataset, repeats in sets]
            counts.append(SetCount('cut-outs', Path(paste), 'pictures', len(cutouts)))
    return StageDataset(stage, sets, counts, seed=seed)


def static_sets(static_root, crop, short_side):
    root = Path(static_root or DEFAULT_ROOTS['static_root'])
    if not root.is_dir():
        raise UserError(f'{root}: no such folder; give static images with --static_root')
    known = any((root / name).is_dir() for name in STATIC_SETS)
    sets, counts = [], []
    for name, repeats in STATIC_SETS.items() if known else [('', 1)]:
        folder, title = root / name, name or 'own images'
        if not folder.is_dir():
            counts.append(SetCount(title, folder, 'images'))
            continue
        pairs = find_pairs(folder)
        sets.append((StaticDataset(pairs, crop=crop, short_side=short_side), repeats))
        counts.append(SetCount(title, folder, 'images', len(pairs), repeats))
    absent = [count.folder for count in counts if not count.num_items]
    if absent and static_root is None:
        raise UserError(
            f'{absent[0]}: no such folder; get it, or give --static_root, to train on what is there'
        )
    return sets, counts


class Source(NamedTuple):
    """A tree of videos that a stage may draw from."""

    name: str
    option: str
    given: bool  # by the user, who then expects it to be there
    folder: Path
    repeats: int = 1
    list_names: callable = None  # folder -> names of the videos, None for all
    rules: dict | None = None  # for VOSDataset


def bl30k(root):
    folder = Path(root or DEFAULT_ROOTS['bl_root'])
    return [Source('BL30K', '--bl_root', root is not None, folder, rules={'bl30k': True})]


def davis(root):
    folder = Path(root or DEFAULT_ROOTS['davis_root']) / '2017' / 'trainval'
    return [Source('DAVIS', '--davis_root', root is not None, folder, 5, davis_names)]


def youtube(root):
    folder = Path(root or DEFAULT_ROOTS['yv_root']) / 'train_480p'
    every_5th = {'skip_divisor': 5}  # frames that are annotated, so that distances mean the same
    return [Source('YouTube-VOS', '--yv_root', root is not None, folder, rules=every_5th)]


def own_videos(roots):
    return [Source('own videos', '--vos_root', True, Path(root)) for root in roots]


def davis_names(folder):
    """The training videos of a DAVIS 2017 tree; None for all.

    Those in train.txt; without that list, all but those in val.txt.
    """
    lists = folder / 'ImageSets' / '2017'
    train, val = lists / 'train.txt', lists / 'val.txt'
    if train.is_file():
        return read_list(train)
    held_out = set(read_list(val)) if val.is_file() else set()
    names = set(video_names(tree_folders(folder)[0]))
    return sorted(names - held_out) if held_out < names else None


def video_sets(stage, sources, options):
    """-> list of (dataset, repeats), a SetCount per source."""
    sets, counts, absent = [], [], []
    for source in sources:
        if not source.folder.is_dir():
            if source.given:
                raise UserError(f'{source.folder}: no such folder ({source.name}, {source.option})')
            absent.append(source)
            counts.append(SetCount(source.name, source.folder, 'videos'))
            continue
        names = source.list_names(source.folder) if source.list_names else None
        found = find_videos(source.folder, names)
        skip = max_skip(stage, 0)
        dataset = VOSDataset(found.videos, max_skip=skip, **(source.rules or {}), **options)
        sets.append((dataset, source.repeats))
        notes = (
            (found.num_short, 'videos of fewer than 3 frames left out'),
            (found.num_without_mask, 'frames without a mask left out'),
        )
        notes = tuple(f'{number} {what}' for number, what in notes if number)
        count = SetCount(source.name, source.folder, 'videos', len(found.videos))
        counts.append(count._replace(repeats=source.repeats, notes=notes))
    if not sets:
        tried = ', '.join(f'{source.folder} ({source.option})' for source in sources)
        raise UserError(f'nothing to train stage {stage} on: there is no {tried}, no --vos_root')
    if absent and not any(source.given for source in sources):
        raise UserError(
            f'{absent[0].folder}: no such folder ({absent[0].name}); give {absent[0].option}, or '
            'name the sets that you have, to train on these alone'
        )
    return sets, counts
