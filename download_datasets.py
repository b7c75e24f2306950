"""Download the static images, DAVIS and YouTube-VOS, and lay them out as training expects them.

python download_datasets.py
python download_datasets.py --only davis-2017 youtube-valid youtube-valid-all
python download_datasets.py --check
"""

import argparse

from util.download.catalogue import DATASETS
from util.download.options import add_archive_options, download_options
from util.download.run import run
from util.errors import entry_point


@entry_point
def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_archive_options(parser, DATASETS)
    run(DATASETS, download_options(parser.parse_args(argv)))


if __name__ == '__main__':
    main()
