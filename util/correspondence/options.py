"""What try_correspondence.py is asked to do, checked before anything heavy is imported."""

import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path

from util.correspondence.display import check_display
from util.errors import UserError
from util.options import NetworkOptions


@dataclass(frozen=True)
class CorrespondenceOptions:
    """Which pictures to compare, what to find, and where to write the result.

    Arguments:
        source, target: the files of the two pictures.
        network: checkpoint and device.
        points: pixels (x, y) of the source to find in the target.
        mask: instead of points, an image whose nonzero pixels are to be found.
        save, json: the PNG and the JSON file to write; with neither, a window opens.
        size: see `util.options.choose_short_side`.
    """

    source: Path
    target: Path
    network: NetworkOptions
    points: tuple[tuple[int, int], ...] = ()
    mask: Path | None = None
    save: Path | None = None
    json: Path | None = None
    size: int | None = None

    @property
    def opens_window(self) -> bool:
        return not (self.save or self.json)


def check_options(options: CorrespondenceOptions) -> None:
    """Raise UserError for options that contradict each other, or that this machine cannot meet."""
    if options.points and options.mask:
        raise UserError('--point and --mask: only one of them can be the source; leave one out')
    check_output(options, '--save', options.save, '.png')
    check_output(options, '--json', options.json, '.json')
    if options.opens_window:
        check_display()


def check_output(
    options: CorrespondenceOptions, option: str, path: Path | None, suffix: str
) -> None:
    """Raise UserError if --save or --json cannot be written, before the work is done."""
    if path is None:
        return
    if not (options.points or options.mask):
        raise UserError(f'{option}: nothing to find; say what with --point X,Y or --mask')
    if path.suffix.lower() != suffix:
        raise UserError(f'{option} {path}: must end in {suffix}')
    if not path.parent.is_dir() or path.is_dir() or not os.access(path.parent, os.W_OK):
        raise UserError(
            f'{option} {path}: cannot be written; choose a file in a folder that you may write to'
        )
    inputs = filter(None, (options.source, options.target, options.mask))
    if path.resolve() in [given.resolve() for given in inputs]:
        raise UserError(f'{option} {path}: is an input; choose another name')


def motorcycle() -> tuple[Path, Path]:
    """The left and the right picture of the stereo pair that is part of scikit-image.

    Their files are found without importing it.
    """
    package = importlib.util.find_spec('skimage')
    if package is None or package.origin is None:
        raise UserError('scikit-image, with the default pictures, is not installed; name two')
    folder = Path(package.origin).parent / 'data'
    return folder / 'motorcycle_left.png', folder / 'motorcycle_right.png'
