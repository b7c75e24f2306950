"""The training sets: what a stage draws from, how often, and how far apart its frames are.

Stage 0: static images. Stage 1: BL30K. Stage 2: DAVIS and YouTube-VOS. Trees of your own videos
join stages 1 and 2. After MiVOS (CVPR 2021).
"""

import bisect
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from torch.utils.data import Dataset

from dataset.composite_dataset import CompositeDataset
from dataset.cutouts import find_cutouts, usable_cutouts
from dataset.layout import find_pairs
from dataset.samples import Sample
from dataset.stage_options import DEFAULT_ROOTS, STATIC_SETS, StageOptions, StaticSet
from dataset.static_dataset import StaticDataset
from dataset.video_trees import check_trees, video_trees
from dataset.vos_dataset import VOSDataset, find_videos
from util.errors import UserError

SKIPS = (5, 10, 15, 20, 25, 5)  # largest distances between frames, one after the other
# From which share of the epochs on the next distance holds; stage 0 has no use for distances
SKIP_CHANGES = {0: (), 1: (0.1, 0.2, 0.3, 0.4, 0.8), 2: (0.1, 0.2, 0.3, 0.4, 0.9)}


def max_skip(stage: int, epoch: int, num_epochs: int) -> int:
    """The largest distance between frames in an epoch; it changes at rounded numbers of epochs."""
    return SKIPS[sum(epoch >= round(num_epochs * change) for change in SKIP_CHANGES[stage])]


class SetCount(NamedTuple):
    """What a stage takes from one set; str() of it is a line to print."""

    name: str
    folder: Path
    unit: str  # images or videos
    num_items: int = 0  # 0: the set is absent
    repeats: int = 1
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        if not self.num_items:
            return f'{self.name}: 0, absent ({self.folder})'
        repeated = f' x {self.repeats} per epoch' if self.repeats > 1 else ''
        items = f'{self.name}: {self.num_items} {self.unit}{repeated} ({self.folder})'
        return '; '.join([items, *self.notes])


class RepeatedSet(NamedTuple):
    """A set, and how often an epoch takes each of its images or videos."""

    dataset: StaticDataset | VOSDataset | CompositeDataset
    repeats: int


class StageDataset(Dataset):
    """Several sets as one. No two samples of a training are the same.

    Arguments:
        stage: 0, 1 or 2.
        sets: not empty.
        counts: a SetCount for each set, absent ones included; kept as an attribute.
        seed: all random numbers depend on it.

    num_epochs, the length of the whole training, decides how far apart the frames of videos are. It
    must be set before a DataLoader starts its workers, which get a copy of this object.
    """

    def __init__(
        self, stage: int, sets: Sequence[RepeatedSet], counts: list[SetCount], *, seed: int = 0
    ) -> None:
        self.stage = stage
        self.datasets = [dataset for dataset, _ in sets]
        self.ends = list(accumulate(len(dataset) * repeats for dataset, repeats in sets))
        self.counts = counts
        self.seed = seed
        self.num_epochs = 1

    def __len__(self) -> int:
        return self.ends[-1]

    def __getitem__(self, key: tuple[int, int]) -> Sample:
        """The sample of (epoch, index), as a DataLoader asks for it."""
        return self.sample(*key)

    def sample(self, epoch: int, index: int) -> Sample:
        """A sample; it depends on seed, epoch and index only. The first epoch is 0."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        number = bisect.bisect_right(self.ends, index)
        dataset = self.datasets[number]
        start = self.ends[number - 1] if number else 0
        rng = np.random.default_rng((self.seed, epoch, index))
        skip = max_skip(self.stage, epoch, self.num_epochs)
        return dataset.sample((index - start) % len(dataset), rng, skip)


def build_stage(stage: int, options: StageOptions | None = None, **fields: Any) -> StageDataset:
    """Build the training set of stage 0, 1 or 2.

    Arguments:
        options: by default, StageOptions().
        fields: replace single fields of the options.
    Raises:
        UserError: a root that was given is absent, a set has nothing in it, or a set is absent
            although no roots were given.
    """
    options = replace(options or StageOptions(), **fields)
    sets, counts = video_sets(stage, options) if stage else static_sets(options)
    return StageDataset(stage, sets, counts, seed=options.seed)


def static_sets(options: StageOptions) -> tuple[list[RepeatedSet], list[SetCount]]:
    """The six published sets below the root or, if none of them is there, the root as one set."""
    root = Path(options.static_root or DEFAULT_ROOTS['static_root'])
    if not root.is_dir():
        raise UserError(
            f'{root}: no such folder; stage 0 needs static images', parameter='static_root'
        )
    is_published = any((root / name).is_dir() for name in STATIC_SETS)
    sets, counts = [], []
    for name, (repeats, _) in STATIC_SETS.items() if is_published else [('', StaticSet(1, None))]:
        folder, title = root / name, name or 'own images'
        if not folder.is_dir():
            counts.append(SetCount(title, folder, 'images'))
            continue
        pairs = find_pairs(folder)
        short_side = options.short_side or options.crop
        dataset = StaticDataset(pairs, crop=options.crop, short_side=short_side)
        sets.append(RepeatedSet(dataset, repeats))
        counts.append(SetCount(title, folder, 'images', len(pairs), repeats))
    absent = [count.folder for count in counts if not count.num_items]
    if absent and options.static_root is None:
        raise UserError(
            f'{absent[0]}: no such folder; download it, or name the folder of the static sets to '
            'train on those that are there',
            parameter='static_root',
        )
    return sets, counts


def video_sets(stage: int, options: StageOptions) -> tuple[list[RepeatedSet], list[SetCount]]:
    """The sets of stage 1 or 2 that exist, and what is in all of them."""
    trees = video_trees(stage, options)
    check_trees(stage, trees)
    found_cutouts = find_cutouts(options.paste) if options.paste else []
    cutouts = usable_cutouts(found_cutouts, options.crop) if found_cutouts else []
    sets, counts = [], []
    for tree in trees:
        count = SetCount(tree.name, tree.folder, 'videos')
        if tree.folder.is_dir():
            found = find_videos(tree.folder, tree.names())
            videos = VOSDataset(
                found.videos,
                crop=options.crop,
                short_side=options.short_side,
                bl30k=tree.bl30k,
                skip_divisor=tree.skip_divisor,
            )
            dataset = CompositeDataset(videos, cutouts) if cutouts else videos
            sets.append(RepeatedSet(dataset, tree.repeats))
            lacking = (
                (found.num_unlisted, 'videos that are not listed left out'),
                (found.num_short, 'videos of fewer than 3 frames left out'),
                (found.num_without_mask, 'frames without a mask left out'),
            )
            notes = tuple(f'{number} {what}' for number, what in lacking if number)
            count = count._replace(num_items=len(videos), repeats=tree.repeats, notes=notes)
        counts.append(count)
    if options.paste:
        unusable = sorted({*found_cutouts} - {*cutouts})
        left_out = [f'{len(unusable)} unusable ones left out, first {path}' for path in unusable]
        count = SetCount('cut-outs', Path(options.paste), 'images', len(cutouts))
        counts.append(count._replace(notes=tuple(left_out[:1])))
    return sets, counts
