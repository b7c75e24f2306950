"""Bring static images and their masks to a short side of 384, as stage 0 crops them.

python scripts/resize_static.py ../static/HRSOD      (writes ../static/HRSOD_small)
python scripts/resize_static.py FOLDER OUTPUT --short_side 512
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.dataset_program import resize_program
from util.errors import entry_point


@entry_point
def main(argv=None):
    content = 'folder with pairs of x.jpg and x.png, at any depth'
    description = __doc__.splitlines()[0]
    resize_program(argv, description, content=content, short_side=384, suffix='_small')


if __name__ == '__main__':
    main()
