"""Small benchmark trees, laid out like the published ones."""

import numpy as np
from PIL import Image

from tests.helpers import stand_in
from util.masks import save_mask


def write_frames(folder, images):
    """Write images as NNNNN.jpg, beside files that operating systems leave in folders."""
    folder.mkdir(parents=True)
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / f'{number:05}.jpg', quality=95, subsampling=0)
    (folder / '.DS_Store').write_bytes(b'\0')
    (folder / 'Thumbs.db').write_bytes(b'\0')


def write_masks(folder, masks):
    """Write masks as NNNNN.png. masks: a dict from frame numbers, or a stack (T, H, W)."""
    folder.mkdir(parents=True, exist_ok=True)
    items = masks.items() if isinstance(masks, dict) else enumerate(masks)
    for number, mask in items:
        save_mask(folder / f'{number:05}.png', mask)
    (folder / '.DS_Store').write_bytes(b'\0')


def davis_2017(root, *, split='val', lengths=(5, 6, 4), gap=4):
    """Write videos a, b, c below `root`, and return it.

    a and c have two objects, with the ids 1 and `gap`; b has one.
    """
    tree, listed = {'val': ('trainval', 'val'), 'testdev': ('test-dev', 'test-dev')}[split]
    base, names = root / tree, 'abc'[: len(lengths)]
    for seed, (name, length) in enumerate(zip(names, lengths, strict=True)):
        images, masks = stand_in.clip(length, 48, 64, seed)
        masks = masks * (masks == 1) if name == 'b' else np.where(masks == 2, gap, masks)
        masks = masks.astype(np.uint8)
        write_frames(base / 'JPEGImages' / '480p' / name, images)
        given = masks if split == 'val' else masks[:1]
        write_masks(base / 'Annotations' / '480p' / name, given)
    listing = base / 'ImageSets' / '2017' / f'{listed}.txt'
    listing.parent.mkdir(parents=True)
    listing.write_text('\n'.join(names) + '\n\n')
    return root


def davis_2016(root, *, own):
    """Write two videos below `root`, and return the root of the DAVIS 2016 tree.

    own: whether that tree holds images itself, or relies on the DAVIS 2017 tree beside it.
    """
    base = root / '2016' if own else root / '2017' / 'trainval'
    lines = []
    for seed, name in enumerate('ab'):
        images, masks = stand_in.clip(4, 48, 64, seed)
        write_frames(base / 'JPEGImages' / '480p' / name, images)
        annotations = root / '2016' / 'Annotations' / '480p' / name
        annotations.mkdir(parents=True)
        for number, mask in enumerate(masks):
            save_mask(annotations / f'{number:05}.png', (mask > 0) * np.uint8(255), palette=None)
            place = f'480p/{name}/{number:05}'
            lines.append(f'/JPEGImages/{place}.jpg /Annotations/{place}.png')
    listing = base / 'ImageSets' / ('480p' if own else '2016') / 'val.txt'
    listing.parent.mkdir(parents=True)
    listing.write_text('\n'.join(lines if own else 'ab') + '\n')
    return root / '2016'


def youtube(root, split='valid', height=45, width=60, length=8):
    """Write videos x and y below `root`, and return it.

    x: object 3 starts at frame 1, object 2 at frame 6. y: one object. All frames are there; every
    fifth one is evaluated and therefore also lies in the sparse JPEGImages/.
    """
    annotations, sparse = root / split / 'Annotations', root / split / 'JPEGImages'
    every = root / 'all_frames' / f'{split}_all_frames' / 'JPEGImages'
    for seed, name in enumerate('xy'):
        images, masks = stand_in.clip(length, height, width, seed)
        write_frames(every / name, images)
        write_frames(sparse / name, images[:1])
        for number in range(1, length, 5):
            Image.fromarray(images[number]).save(sparse / name / f'{number:05}.jpg')
        first, second = 3 * (masks == 1), 2 * (masks == 2)
        given = {1: first[1], 6: second[6]} if name == 'x' else {1: first[1]}
        write_masks(annotations / name, {k: v.astype(np.uint8) for k, v in given.items()})
    return root
