"""Download the published weights, and check that they are weights of this network.

python download_model.py
python download_model.py --s02      (trained without BL30K)
"""

import argparse
import sys

from util.download.catalogue import S012, S02
from util.download.options import add_download_options, confirm_terms, download_options
from util.download.run import print_list
from util.errors import entry_point
from util.options import PUBLISHED_WEIGHTS


@entry_point
def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--s02', action='store_true', help='the weights trained without BL30K')
    add_download_options(parser, PUBLISHED_WEIGHTS.parent)
    args = parser.parse_args(argv)
    options, item = download_options(args), S02 if args.s02 else S012
    if options.list:
        print_list((S012, S02), options.root)
        return
    path = options.root / item.file
    if not path.is_file():
        if options.check:
            print(f'{path}: missing')
            sys.exit(1)
        confirm_terms([item], options.yes)

    from util.download.weights import run

    run(item, options)


if __name__ == '__main__':
    main()
