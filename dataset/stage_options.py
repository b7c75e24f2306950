"""The training sets of each stage: where they lie, how often an epoch takes them, the options.

Programs read this before anything heavy is loaded, so nothing heavy is imported here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

DEFAULT_ROOTS = {  # by field of StageOptions
    'static_root': '../static',
    'bl_root': '../BL30K',
    'yv_root': '../YouTube',
    'davis_root': '../DAVIS',
}


class StaticSet(NamedTuple):
    """A set of static images: how often an epoch takes each, and how many pairs are published."""

    repeats: int
    num_pairs: int | None  # None: not known


STATIC_SETS = {  # by name of the folder
    'fss': StaticSet(1, 10_000),  # 1000 classes with 10 images each
    'DUTS-TR': StaticSet(1, 10_553),
    'DUTS-TE': StaticSet(1, 5_019),
    'ecssd': StaticSet(1, 1_000),
    'BIG_small': StaticSet(5, None),
    'HRSOD_small': StaticSet(5, None),
}


@dataclass(frozen=True)
class StageOptions:
    """What a training set is built from; see `dataset.stages.build_stage`.

    Arguments:
        static_root, bl_root, yv_root, davis_root: folders of the published sets. None takes the
            one in DEFAULT_ROOTS.
        yv_list: file that names the YouTube-VOS videos to train on, one per line; None takes all.
        vos_root: further trees of videos, for stages 1 and 2.
        crop: side of the square crops in pixels.
        short_side: static images are scaled to it (None: to `crop`), larger frames of videos are
            scaled down to it (None: they keep their size).
        paste: folder of cut-outs (PNG with alpha) to paste over videos; None pastes nothing.
        seed: the random numbers depend on it.
    """

    static_root: str | Path | None = None
    bl_root: str | Path | None = None
    yv_root: str | Path | None = None
    davis_root: str | Path | None = None
    yv_list: str | Path | None = None
    vos_root: Sequence[str | Path] = ()
    crop: int = 384
    short_side: int | None = None
    paste: str | Path | None = None
    seed: int = 0
