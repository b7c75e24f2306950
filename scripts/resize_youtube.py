"""Bring the training videos of YouTube-VOS to a short side of 480, as stage 2 reads them.

python scripts/resize_youtube.py ../YouTube/train      (writes ../YouTube/train_480p)
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.dataset_program import resize_program
from util.errors import entry_point


@entry_point
def main(argv=None):
    content = 'folder with JPEGImages/ and Annotations/'
    description = __doc__.splitlines()[0]
    resize_program(argv, description, content=content, short_side=480, suffix='_{}p', is_tree=True)


if __name__ == '__main__':
    main()
