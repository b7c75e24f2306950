"""Small versions of everything that can be downloaded, on a server on loopback."""

import hashlib
from dataclasses import replace
from pathlib import Path

from dataset.stage_options import STATIC_SETS
from tests.helpers import benchmark_trees
from tests.helpers.loopback import archive
from tests.helpers.training_trees import own_tree, write_pair, write_videos
from util.download.catalogue import BL30K


def make_content(folder):
    """Write the trees that a complete download leaves into the folder, and return it."""
    for name in STATIC_SETS:
        write_pair(folder / 'static' / name, 'xyz')
    benchmark_trees.davis_2017(folder / 'DAVIS' / '2017', lengths=(3, 4))
    trains = folder / 'DAVIS' / '2017' / 'trainval' / 'ImageSets' / '2017' / 'train.txt'
    trains.write_text('a\n')
    scribble = folder / 'DAVIS' / '2017' / 'trainval' / 'Scribbles' / 'a' / '001.json'
    scribble.parent.mkdir(parents=True)
    scribble.write_text('{}')
    benchmark_trees.davis_2017(folder / 'DAVIS' / '2017', split='testdev', lengths=(3,))
    benchmark_trees.davis_2016(folder / 'DAVIS', own=True)
    benchmark_trees.youtube(folder / 'YouTube')
    own_tree(folder / 'YouTube' / 'train')
    return folder


def serve(site, folder, table):
    """Serve the archives of these trees below /mirror.

    Returns the table, in which every tree is expected to have one video or pair.
    """
    small = []
    for item in table:
        packed = folder.parent / item.file
        content = archive(packed, folder / item.folder, f'{Path(item.folder).name}/')
        site.add(f'/mirror/{item.file}', content)
        packed.unlink()
        trees = tuple(replace(tree, count=1) for tree in item.trees)
        small.append(replace(item, trees=trees))
    return small


def serve_bl30k(site, folder, parts):
    """Serve parts of BL30K below /mirror, and return their table.

    parts: for each of them a string, with one letter per video.
    """
    small = []
    for item, videos in zip(BL30K, parts, strict=False):
        content = write_videos(folder / item.name, {name: [[[1]]] * 3 for name in videos})
        content = archive(folder / item.file, content, 'BL30K/')
        site.add(f'/mirror/{item.file}', content)
        tree = replace(item.trees[0], count=sum(map(len, parts)))
        md5 = hashlib.md5(content).hexdigest()
        small.append(replace(item, md5=md5, trees=(tree,), gigabytes=None))
    return small
