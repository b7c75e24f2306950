"""What download_model.py does: downloading published weights, and checking them."""

from functools import partial
from pathlib import Path

from model.network import load_network
from util.download.catalogue import Download
from util.download.checksums import check_recorded_sha256
from util.download.install import download
from util.download.options import DownloadOptions
from util.files import exclusive_lock, writable_folder


def run(item: Download, options: DownloadOptions) -> None:
    """Download a checkpoint unless it is there, and check it in either case."""
    path = options.root / item.file
    if path.is_file():
        check_checkpoint(path, path)
        return
    writable_folder(options.root, '--root')
    with exclusive_lock(path):
        if not path.is_file():  # another process may just have downloaded it
            download(item, path, options.mirror, partial(check_checkpoint, path))


def check_checkpoint(path: Path, file: Path) -> None:
    """Raise UserError unless `file`, the content of `path`, is a checkpoint of this network.

    Its SHA-256 is recorded in PATH.sha256 the first time, and compared with that from then on.
    """
    load_network(file, multi_object=True)
    found = check_recorded_sha256(path, file)
    print(f'{path}: weights of this network, SHA-256 {found}')
