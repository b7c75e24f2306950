"""Folders with everything below them, whatever symbolic links lead to."""

import os
from pathlib import Path

from util.errors import UserError


def walk(folder, above=()):
    """Yield a folder and all below it, hidden ones left out, in the order of their names.

    Links are followed. Raises UserError for one that leads back to a folder that it lies in, since
    its files would come again without end; above: these folders.
    """
    folder, real = Path(folder), os.path.realpath(folder)
    if real in above:
        raise UserError(f'{folder}: a link to a folder that it lies in itself; remove it')
    yield folder
    with os.scandir(folder) as entries:
        names = sorted(e.name for e in entries if e.is_dir() and not e.name.startswith('.'))
    for name in names:
        yield from walk(folder / name, (*above, real))
