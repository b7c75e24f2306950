"""Everything that can be downloaded: one table of files, the trees they become, and their terms.

Sources, counts and layout: the published code of MiVOS and the pages under TERMS. Nothing heavy is
imported here.
"""

from typing import NamedTuple


class Tree(NamedTuple):
    """A folder of data, and what is known of it when it is complete."""

    place: str  # below the root
    count: int | None  # of videos or pairs; None: not known
    unit: str = 'videos'  # JPEGImages/ and Annotations/; or pairs of x.jpg and x.png
    masks: str | None = 'all'  # frames with a mask: all, some in each video, or None
    lists: tuple = ()  # files that it has beside them
    remedy: str = 'move it away and download it again'


class Download(NamedTuple):
    """A file that can be downloaded."""

    name: str  # for --only
    source: str  # drive:ID, or databank:FILE
    file: str  # its name on this disk, below the root
    terms: str  # of TERMS
    place: str = ''  # folder below the root that its content becomes
    holds: tuple = ()  # folders by which this content is known, wherever in an archive it lies
    depth: int = 0  # 0: that folder is moved as a whole; n: its members n levels down, one by one
    trees: tuple = ()
    merges: bool = False  # one of several archives that become one tree
    gigabytes: int | None = None  # about; None: not known
    md5: str | None = None


def static_set(name, count):
    return Tree(f'static/{name}', count, 'pairs')


VIDEOS = ('JPEGImages', 'Annotations')
LISTS_2017 = ('ImageSets/2017/train.txt', 'ImageSets/2017/val.txt')
STATIC = (
    static_set('fss', 10_000),  # 1000 classes of 10
    static_set('DUTS-TR', 10_553),
    static_set('DUTS-TE', 5_019),
    static_set('ecssd', 1_000),
    static_set('BIG_small', None),
    static_set('HRSOD_small', None),
)
DATASETS = (
    Download(
        'static',
        'drive:1wUJq3HcLdN-z1t4CsUhjeZ9BVDb9YKLd',
        'static.zip',
        'static',
        'static',
        ('DUTS-TR',),
        depth=1,
        trees=STATIC,
    ),
    Download(
        'davis-2016',
        'drive:198aRlh5CpAoFz0hfRgYbiNenn_K8DxWD',
        'davis-2016.zip',
        'davis',
        'DAVIS/2016',
        VIDEOS,
        trees=(Tree('DAVIS/2016', 50),),
    ),
    Download(
        'davis-2017',
        'drive:1kiaxrX_4GuW6NmiVuKGSGVoKGWjOdp6d',
        'davis-2017.zip',
        'davis',
        'DAVIS/2017/trainval',
        VIDEOS,
        trees=(Tree('DAVIS/2017/trainval', 60 + 30, lists=LISTS_2017),),
    ),
    Download(
        'davis-2017-testdev',
        'drive:1fmkxU2v9cQwyb62Tj1xFDdh2p4kDsUzD',
        'davis-2017-testdev.zip',
        'davis',
        'DAVIS/2017/test-dev',
        VIDEOS,
        trees=(
            Tree('DAVIS/2017/test-dev', 30, masks='some', lists=('ImageSets/2017/test-dev.txt',)),
        ),
    ),
    Download(
        'youtube-train',
        'drive:13Eqw0gVK-AO5B-cqvJ203mZ2vzWck9s4',
        'youtube-train.zip',
        'youtube',
        'YouTube/train',
        VIDEOS,
        trees=(
            Tree(
                'YouTube/train_480p',
                3_471,
                masks='some',
                remedy='scripts/resize_youtube.py makes it of YouTube/train',
            ),
        ),
    ),
    Download(
        'youtube-valid',
        'drive:1o586Wjya-f2ohxYf9C1RlRH-gkrzGS8t',
        'youtube-valid.zip',
        'youtube',
        'YouTube/valid',
        VIDEOS,
        trees=(Tree('YouTube/valid', 507, masks='some'),),  # of 2019
    ),
    Download(
        'youtube-valid-all',
        'drive:1rWQzZcMskgpEQOZdJPJ7eTmLCBEIIpEN',
        'youtube-valid-all.zip',
        'youtube',
        'YouTube/all_frames/valid_all_frames',
        ('JPEGImages',),
        trees=(Tree('YouTube/all_frames/valid_all_frames', 507, masks=None),),
    ),
)

BL30K_TREE = Tree('BL30K', 29_989, remedy='download_bl30k.py fetches the parts that are missing')


def bl30k_part(letter, md5):
    return Download(
        f'BL30K_{letter}',
        f'databank:BL30K_{letter}.tar',
        f'BL30K_{letter}.tar',
        'bl30k',
        'BL30K',
        VIDEOS,
        depth=2,  # JPEGImages/VIDEO
        trees=(BL30K_TREE,),
        merges=True,
        gigabytes=115,
        md5=md5,
    )


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
        'Static images, collected for MiVOS from sets published for research, each under the terms '
        'of its authors: FSS-1000 (github.com/HKUSTCV/FSS-1000), DUTS '
        '(saliencydetection.net/duts), ECSSD '
        '(www.cse.cuhk.edu.hk/leojia/projects/hsaliency), BIG (github.com/hkchengrex/CascadePSP), '
        'HRSOD (github.com/yi94code/HRSOD).'
    ),
    'davis': 'DAVIS (davischallenge.org): for non-commercial use, under the terms on that page.',
    'youtube': (
        'YouTube-VOS (youtube-vos.org): for non-commercial research only; its annotations under '
        'CC BY 4.0.'
    ),
    'bl30k': 'BL30K (doi.org/10.13012/B2IDB-1702934_V1): under CC BY, its authors to be named.',
    'weights': (
        'Weights of MiVOS, by its authors, under the terms on their page '
        '(github.com/hkchengrex/Mask-Propagation); trained on the sets that README.md names.'
    ),
}
