"""Everything there is to download, small, on a server on loopback."""

import hashlib
from pathlib import Path

from dataset.stages import STATIC_SETS
from tests.helpers import benchmark_trees
from tests.helpers.loopback import archive
from tests.helpers.training_trees import own_tree, write_pair, write_videos
from util.download.catalogue import BL30K


def make_content(folder):
    """The trees that a complete download leaves -> the folder."""
    for name in STATIC_SETS:
        write_pair(folder / 'static' / name, 'xyz')
    benchmark_trees.davis_2017(folder / 'DAVIS' / '2017', lengths=(3, 4))
    trains = folder / 'DAVIS' / '2017' / 'trainval' / 'ImageSets' / '2017' / 'train.txt'
    trains.write_text('a\n')
    benchmark_trees.davis_2017(folder / 'DAVIS' / '2017', split='testdev', lengths=(3,))
    benchmark_trees.davis_2016(folder / 'DAVIS', own=True)
    benchmark_trees.youtube(folder / 'YouTube')
    own_tree(folder / 'YouTube' / 'train')
    return folder


def serve(site, folder, table):
    """Put the archives of these trees below /mirror -> the table, a video or pair expected each."""
    small = []
    for item in table:
        packed = folder.parent / item.file
        content = archive(packed, folder / item.place, f'{Path(item.place).name}/')
        site.add(f'/mirror/{item.file}', content)
        packed.unlink()
        small.append(item._replace(trees=tuple(tree._replace(count=1) for tree in item.trees)))
    return small


def serve_bl30k(site, folder, parts):
    """parts: a string of one-letter videos for each part -> the table of these parts."""
    small = []
    for item, videos in zip(BL30K, parts, strict=False):
        content = write_videos(folder / item.name, {name: [[[1]]] * 3 for name in videos})
        content = archive(folder / item.file, content, 'BL30K/')
        site.add(f'/mirror/{item.file}', content)
        tree = item.trees[0]._replace(count=sum(map(len, parts)))
        md5 = hashlib.md5(content).hexdigest()
        small.append(item._replace(md5=md5, trees=(tree,), gigabytes=None))
    return small
