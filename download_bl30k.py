"""Download BL30K, six archives of about 115 GB, into one tree.

python download_bl30k.py
python download_bl30k.py --only BL30K_a BL30K_b --from FOLDER_OF_TARS
"""

import argparse

from util.download.catalogue import BL30K
from util.download.options import add_archive_options, download_options
from util.download.run import run
from util.errors import entry_point


@entry_point
def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_archive_options(parser, BL30K)
    run(BL30K, download_options(parser.parse_args(argv)))


if __name__ == '__main__':
    main()
