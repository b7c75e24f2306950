"""Download the published weights, and check that they are weights of this network.

python download_model.py
python download_model.py --s02      (trained without BL30K)
"""

import argparse
import sys
from functools import partial

from util.download.catalogue import S012, S02
from util.download.options import add_download_options, agree, check_mirror, describe
from util.errors import UserError, entry_point
from util.options import DEFAULT_MODEL


@entry_point
def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--s02', action='store_true', help='those trained without BL30K')
    add_download_options(parser, DEFAULT_MODEL.parent)
    args = parser.parse_args(argv)
    check_mirror(args)
    item = S02 if args.s02 else S012
    path = args.root / item.file
    if args.list:
        for each in (S012, S02):
            state = 'there' if (args.root / each.file).is_file() else 'not there'
            print(describe(each, state))
    elif args.check and not path.is_file():
        print(f'{path}: not there')
        sys.exit(1)
    elif args.check or path.is_file():
        check_weights(path, path)
    else:
        download_weights(item, path, args)


def download_weights(item, path, args):
    from util.download.install import download
    from util.files import exclusive_lock

    agree([item], args.yes)
    path.parent.mkdir(parents=True, exist_ok=True)
    with exclusive_lock(path):
        if not path.is_file():  # by another process, meanwhile
            download(item, path, args.mirror, partial(check_weights, path))


def check_weights(path, file):
    """Raise UserError unless `file` is what belongs at `path`: a checkpoint of this network.

    Its SHA-256 is written to PATH.sha256 the first time, and compared with that from then on.
    """
    from model.network import load_network
    from util.files import atomic_write, sha256

    load_network(file, multi_object=True)
    found, record = sha256(file), path.with_name(f'{path.name}.sha256')
    if not record.exists():
        with atomic_write(record) as part:
            part.write_text(f'{found}  {path.name}\n')  # as sha256sum -c reads it
    elif record.read_text().split()[:1] != [found]:
        raise UserError(
            f'{file}: its SHA-256 is {found}, not the one in {record}; remove the file to have it '
            'downloaded again, or the record if you mean to have another file'
        )
    print(f'{path}: weights of this network, SHA-256 {found}')


if __name__ == '__main__':
    main()
