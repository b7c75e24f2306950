"""Everything that can be downloaded: files, the trees they are unpacked to, and their terms.

Locations, counts and layout come from the published code of MiVOS and the pages named in TERMS.
Nothing heavy is imported here.
"""

from dataclasses import dataclass
from typing import Literal

from dataset.stage_options import STATIC_SETS

VIDEOS = ('JPEGImages', 'Annotations')  # folders of frames and of masks


@dataclass(frozen=True)
class Tree:
    """A folder of data, and what is known about it when it is complete."""

    folder: str  # below the root
    count: int | None  # how many of its units are published; None: not known
    # JPEGImages/ and Annotations/; x.jpg and x.png; or a folder of JSON files for each video
    unit: Literal['videos', 'pairs', 'scribbles'] = 'videos'
    masks: Literal['all', 'some'] | None = 'all'  # which frames have one; None: it has no masks
    lists: tuple[str, ...] = ()  # files that belong to it and name its videos
    remedy: str | None = None  # how to complete it; None: download it again


@dataclass(frozen=True)
class Download:
    """A file that can be downloaded: an archive of trees, or weights (without a folder)."""

    name: str  # for --only
    origin: str  # drive:ID on Google Drive, or databank:FILE in the Illinois Data Bank
    file: str  # its name on this disk, below the root
    terms: str  # a key of TERMS
    folder: str = ''  # below the root, where its content goes
    markers: tuple[str, ...] = ()  # the folder that holds all of these is its content
    depth: int = 0  # 0: move the content as a whole; n: one by one what lies n levels inside it
    trees: tuple[Tree, ...] = ()
    is_part: bool = False  # one of several archives that are merged into one tree
    needs: str = ''  # name of the download whose tree it goes into
    gigabytes: int | None = None  # approximate; None: not known
    md5: str | None = None


def video_archive(name: str, drive_id: str, terms: str, tree: Tree, folder: str = '') -> Download:
    """A zip file on Google Drive; its content goes to `folder`, by default to the tree's own."""
    markers, folder = VIDEOS if tree.masks else VIDEOS[:1], folder or tree.folder
    return Download(name, f'drive:{drive_id}', f'{name}.zip', terms, folder, markers, trees=(tree,))


STATIC = tuple(
    Tree(f'static/{name}', each.num_pairs, 'pairs') for name, each in STATIC_SETS.items()
)
TRAINVAL_LISTS = ('ImageSets/2017/train.txt', 'ImageSets/2017/val.txt')
TESTDEV_LISTS = ('ImageSets/2017/test-dev.txt',)
RESIZE = 'run scripts/resize_youtube.py to make it from YouTube/train'
DATASETS = (
    Download(
        'static', 'drive:1wUJq3HcLdN-z1t4CsUhjeZ9BVDb9YKLd', 'static.zip', 'static',
        folder='static', markers=('DUTS-TR',), depth=1, trees=STATIC,
    ),
    video_archive(
        'davis-2016', '198aRlh5CpAoFz0hfRgYbiNenn_K8DxWD', 'davis', Tree('DAVIS/2016', 50),
    ),
    video_archive(
        'davis-2017', '1kiaxrX_4GuW6NmiVuKGSGVoKGWjOdp6d', 'davis',
        Tree('DAVIS/2017/trainval', 60 + 30, lists=TRAINVAL_LISTS),
    ),
    Download(
        'davis-2017-scribbles', 'drive:1JzIQSu36h7dVM8q0VoE4oZJwBXvrZlkl',
        'davis-2017-scribbles.zip', 'davis', 'DAVIS/2017/trainval', ('Scribbles',), depth=1,
        trees=(Tree('DAVIS/2017/trainval/Scribbles', 60 + 30, 'scribbles'),), needs='davis-2017',
    ),
    video_archive(
        'davis-2017-testdev', '1fmkxU2v9cQwyb62Tj1xFDdh2p4kDsUzD', 'davis',
        Tree('DAVIS/2017/test-dev', 30, masks='some', lists=TESTDEV_LISTS),
    ),
    video_archive(
        'youtube-train', '13Eqw0gVK-AO5B-cqvJ203mZ2vzWck9s4', 'youtube',
        Tree('YouTube/train_480p', 3_471, masks='some', remedy=RESIZE), folder='YouTube/train',
    ),
    video_archive(
        'youtube-valid', '1o586Wjya-f2ohxYf9C1RlRH-gkrzGS8t', 'youtube',
        Tree('YouTube/valid', 507, masks='some'),  # the validation set of 2019
    ),
    video_archive(
        'youtube-valid-all', '1rWQzZcMskgpEQOZdJPJ7eTmLCBEIIpEN', 'youtube',
        Tree('YouTube/all_frames/valid_all_frames', 507, masks=None),
    ),
)  # fmt: skip

BL30K_TREE = Tree('BL30K', 29_989, remedy='run download_bl30k.py to fetch the missing parts')


def bl30k_part(letter: str, md5: str) -> Download:
    """One of the six archives of BL30K; they are merged video by video."""
    name = f'BL30K_{letter}'
    return Download(
        name, f'databank:{name}.tar', f'{name}.tar', 'bl30k', 'BL30K', VIDEOS, depth=2,
        trees=(BL30K_TREE,), is_part=True, gigabytes=115, md5=md5,
    )  # fmt: skip


BL30K = (
    bl30k_part('a', '35312550b9a75467b60e3b2be2ceac81'),
    bl30k_part('b', '269e2f9ad34766b5f73fa117166c1731'),
    bl30k_part('c', 'a3f7c2a62028d0cda555f484200127b9'),
    bl30k_part('d', 'e659ed7c4e51f4c06326855f4aba8109'),
    bl30k_part('e', 'd704e86c5a6a9e920e5e84996c2e0858'),
    bl30k_part('f', 'bf73914d2888ad642bc01be60523caf6'),
)

S012 = Download(
    's012', 'drive:19dfbVDndFkboGLHESi8DGtuxF1B21Nm8', 'propagation_model.pth', 'weights'
)
S02 = Download(
    's02', 'drive:12jw9b30o-mh23bXzsL0vp24UVhFko_Py', 'propagation_model_s02.pth', 'weights'
)

TERMS = {
    'static': (
        'Static images that the authors of MiVOS collected from datasets published for research, '
        'each under the terms of its own authors: FSS-1000 (github.com/HKUSTCV/FSS-1000), DUTS '
        '(saliencydetection.net/duts), ECSSD '
        '(www.cse.cuhk.edu.hk/leojia/projects/hsaliency), BIG (github.com/hkchengrex/CascadePSP), '
        'HRSOD (github.com/yi94code/HRSOD).'
    ),
    'davis': 'DAVIS (davischallenge.org): for non-commercial use, under the terms on that page.',
    'youtube': (
        'YouTube-VOS (youtube-vos.org): for non-commercial research only; the annotations are '
        'licensed under CC BY 4.0.'
    ),
    'bl30k': (
        'BL30K (doi.org/10.13012/B2IDB-1702934_V1): licensed under CC BY; you must credit its '
        'authors.'
    ),
    'weights': (
        'Weights of MiVOS, published by its authors under the terms on their page '
        '(github.com/hkchengrex/Mask-Propagation); README.md lists the datasets they were trained '
        'on.'
    ),
}
