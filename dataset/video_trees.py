"""The trees of videos that stages 1 and 2 draw from: where they lie, and which videos count."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dataset.benchmarks import read_list
from dataset.layout import tree_folders, video_names
from dataset.stage_options import DEFAULT_ROOTS, StageOptions
from util.errors import UserError


class VideoTree(NamedTuple):
    """A tree of videos that a stage draws from."""

    name: str
    folder: Path
    parameter: str  # the field of StageOptions that says where it lies
    is_given: bool  # that field is set, so the tree must exist
    repeats: int = 1
    list_names: Callable[[Path], list[str] | None] | None = None  # gives its names; None: all
    list_file: str | Path | None = None  # names of the videos to take, if the user gave a file
    bl30k: bool = False
    skip_divisor: int = 1

    def names(self) -> list[str] | None:
        """Which of its videos to take; None takes all."""
        if self.list_file:
            return listed_names(self.list_file, self.folder)
        return self.list_names(self.folder) if self.list_names else None


def video_trees(stage: int, options: StageOptions) -> list[VideoTree]:
    """The trees that stage 1 or 2 draws from, whether they exist or not."""

    def published(name: str, parameter: str, inside: str, **rules: Any) -> VideoTree:
        """A published tree, which lies in a folder `inside` its root."""
        root = getattr(options, parameter)
        folder = Path(root or DEFAULT_ROOTS[parameter], inside)
        return VideoTree(name, folder, parameter, root is not None, **rules)

    if stage == 1:
        trees = [published('BL30K', 'bl_root', '', bl30k=True)]
    else:
        trees = [
            published('DAVIS', 'davis_root', '2017/trainval', repeats=5, list_names=davis_names),
            # every fifth frame is annotated: a fifth of the distance in frames is as far in time
            published(
                'YouTube-VOS', 'yv_root', 'train_480p', skip_divisor=5, list_file=options.yv_list
            ),
        ]
    own = [VideoTree('own videos', Path(root), 'vos_root', True) for root in options.vos_root]
    return trees + own


def davis_names(folder: Path) -> list[str] | None:
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


def listed_names(file: str | Path, folder: Path) -> list[str]:
    """The videos of a tree that a file names, in their own order. Raises UserError for others."""
    images, names = tree_folders(folder).images, sorted(read_list(Path(file)))
    if absent := sorted({*names} - {*video_names(images)}):
        raise UserError(
            f'{file}: names {absent[0]}, which is not in {images} ({len(absent)} such names in '
            'all); remove them',
            parameter='yv_list',
        )
    return names


def check_trees(stage: int, trees: Sequence[VideoTree]) -> None:
    """Raise UserError if a tree that was given is absent, or a default one while none was given."""
    absent = [tree for tree in trees if not tree.folder.is_dir()]
    for tree in absent:
        if tree.is_given or tree.list_file:
            problem = f'no such folder to read {tree.name} from'
            raise UserError(f'{tree.folder}: {problem}', parameter=tree.parameter)
    if len(absent) == len(trees):
        folders = ' and no '.join(f'{tree.folder} ({tree.name})' for tree in trees)
        raise UserError(
            f'nothing to train stage {stage} on: there is no {folders}; download the data, or '
            'name a tree of your own',
            parameter='vos_root',
        )
    if absent and not any(tree.is_given for tree in trees):
        raise UserError(
            f'{absent[0].folder}: no such folder to read {absent[0].name} from; name another, or '
            'name only the sets that you have to train on those alone',
            parameter=absent[0].parameter,
        )
