"""Masks whose borders were interpolated or compressed are detected and repaired; others pass."""

import cv2
import numpy as np
import pytest
from PIL import Image

from util.errors import UserError
from util.masks import DAVIS_PALETTE, MaskReader
from util.masks.soft import is_soft, snap

PILLOW = {
    'bilinear': Image.Resampling.BILINEAR,
    'bicubic': Image.Resampling.BICUBIC,
    'lanczos': Image.Resampling.LANCZOS,
}
OPENCV = {'bilinear': cv2.INTER_LINEAR, 'bicubic': cv2.INTER_CUBIC, 'lanczos': cv2.INTER_LANCZOS4}
VALUES = {
    'one grey object': [0, 255, 255, 255, 255],
    'ids 1 to 4': [0, 1, 2, 3, 4],
    'two colours': [[0, 0, 0], [255, 0, 0], [0, 200, 30], [255, 0, 0], [0, 200, 30]],
}


def ellipses(height=160, width=240, scale=1.0):
    """A mask (H, W) of four ellipses with ids 1 to 4, two of which touch, drawn at a scale."""
    mask = np.zeros((round(height * scale), round(width * scale)), np.uint8)
    shapes = ((50, 45, 40, 28), (120, 50, 32, 40), (190, 60, 38, 44), (80, 125, 60, 26))
    for id_, (x, y, a, b) in enumerate(shapes, 1):
        centre, axes = (round(x * scale), round(y * scale)), (round(a * scale), round(b * scale))
        cv2.ellipse(mask, centre, axes, 15.0 * id_, 0, 360, id_, -1)
    return mask


def scaled(picture, library, kernel, scale):
    height, width = picture.shape[:2]
    size = (round(width * scale), round(height * scale))
    if library == 'Pillow':
        return np.asarray(Image.fromarray(picture).resize(size, PILLOW[kernel]))
    return cv2.resize(picture, size, interpolation=OPENCV[kernel])


def codes(picture):
    """A grey or RGB picture as one number per pixel, as `util.masks.read_codes` gives it."""
    picture = np.asarray(picture).astype(np.int32)
    return picture if picture.ndim == 2 else picture @ (1 << 16, 1 << 8, 1)


def worst_iou(mask, ground_truth, values):
    """The smallest IoU of an object. mask (H, W) holds codes, ground_truth indices of `values`."""
    true = codes(np.array([values]))[0][ground_truth]
    kinds = np.unique(true[true != 0])
    found = np.unique(mask[mask != 0])
    assert len(found) == len(kinds)
    # Compression changes colours by a few levels, but not their order.
    overlaps = [(mask == a, true == b) for a, b in zip(found, kinds, strict=True)]
    return min((a & b).sum() / (a | b).sum() for a, b in overlaps)


def majority(mask, size):
    """The mask at another size (H, W): the id that covers most of each pixel."""
    kernel = cv2.INTER_AREA if size[0] < len(mask) else cv2.INTER_LINEAR
    shares = [cv2.resize((mask == id_) * 1.0, size[::-1], interpolation=kernel) for id_ in range(5)]
    return np.argmax(shares, 0)


@pytest.mark.parametrize('kernel', PILLOW)
@pytest.mark.parametrize('library', ['Pillow', 'OpenCV'])
@pytest.mark.parametrize('kind', VALUES)
def test_interpolated_masks_are_detected_and_repaired(kind, library, kernel):
    picture = np.array(VALUES[kind], np.uint8)[ellipses()]
    for scale in (0.6, 1.7, 2.5):
        soft = codes(scaled(picture, library, kernel, scale))
        assert is_soft(soft)
        ground_truth = majority(ellipses(), soft.shape)
        assert worst_iou(snap(soft), ground_truth, VALUES[kind]) >= 0.97


@pytest.mark.parametrize('quality', [75, 95])
@pytest.mark.parametrize('kind', ['one grey object', 'two colours'])
@pytest.mark.parametrize('suffix', ['jpg', 'png'])
def test_compressed_masks_are_refused_or_repaired(tmp_path, kind, quality, suffix):
    """A PNG here is a JPEG that was converted."""
    path, compressed = tmp_path / f'mask.{suffix}', tmp_path / 'mask.jpg'
    Image.fromarray(np.array(VALUES[kind], np.uint8)[ellipses()]).save(compressed, quality=quality)
    picture = np.asarray(Image.open(compressed))
    if suffix == 'png':
        Image.fromarray(picture).save(path)
    num_ids = len(np.unique(codes(picture))) - 1
    words = rf'mask\.{suffix}: soft borders, with {num_ids} ids .*nearest neighbour .* cleaned'
    with pytest.raises(UserError, match=words) as caught:
        MaskReader([path])
    assert caught.value.parameter == 'clean'
    reader = MaskReader([path], clean=True)
    num_objects = 1 if kind == 'one grey object' else 2
    assert reader.notes == [f'{path}: {num_ids} ids snapped to {num_objects}']
    ids = np.array([0, 1, 2, 1, 2] if num_objects == 2 else [0, 1, 1, 1, 1])
    if num_objects == 2:  # sorted by red first, so green is id 1
        ids = np.array([0, 2, 1, 2, 1])
    mask = reader.read(path)
    overlaps = [(mask == id_, ids[ellipses()] == n) for n, id_ in enumerate(np.unique(mask)[1:], 1)]
    assert min((a & b).sum() / (a | b).sum() for a, b in overlaps) >= 0.97


def test_low_ids_in_a_jpeg_are_refused_even_at_the_best_quality(tmp_path):
    mask = np.zeros((64, 64), np.uint8)
    mask[8:40, 16:48] = 2
    Image.fromarray(mask).save(tmp_path / 'mask.jpg', quality=100)
    with pytest.raises(UserError, match=r'mask\.jpg: soft borders'):
        MaskReader([tmp_path / 'mask.jpg'])


def test_a_jpeg_without_noise_is_accepted(tmp_path):
    mask = np.zeros((64, 64), np.uint8)
    mask[8:40, 16:48] = 255  # aligned with the 8x8 blocks of JPEG
    Image.fromarray(mask).save(tmp_path / 'mask.jpg', quality=100)
    assert MaskReader([tmp_path / 'mask.jpg']).ids == {tmp_path / 'mask.jpg': [255]}


def tiny(num_objects, *, rows=1):
    """Objects one pixel wide and `rows` high, each touching the next."""
    mask = np.zeros((40, 60), int)
    for id_ in range(num_objects):
        top, left = 5 + id_ // 8 * rows, 10 + id_ % 8
        mask[top : top + rows, left] = id_ + 1
    return mask


def on_rim(num_objects):
    """A large object with a row of tiny objects, of all lower ids, on its border."""
    mask = np.zeros((90, 120), int)
    mask[20:80, 10:110] = num_objects + 1
    mask[19, 12 : 12 + num_objects] = np.arange(num_objects) + 1
    return mask


def outlined(fill, line):
    """The ellipses with outlines of one pixel; fill and line give the values of each ellipse."""
    mask = ellipses()
    inner = cv2.erode(mask, np.ones((3, 3), np.uint8)) == cv2.dilate(
        mask, np.ones((3, 3), np.uint8)
    )
    return np.where(inner, np.array([0, *fill])[mask], np.array([0, *line])[mask])


def checkerboard(side):
    mask = np.zeros((48, 64), int)
    rows, columns = np.indices((32, 48)) // side
    mask[8:40, 8:56] = 1 + 3 * ((rows + columns) % 2)
    return mask


def crowd(num_objects):
    """Boxes of many sizes that cover one another."""
    rng, mask = np.random.default_rng(0), np.zeros((120, 160), int)
    for id_ in range(1, num_objects + 1):
        (top, left), (height, width) = rng.integers(0, (110, 150)), rng.integers(1, 30, 2)
        mask[top : top + height, left : left + width] = id_
    return mask


HARD = {
    'the drawing itself': ellipses(),
    'touching objects of one pixel': tiny(6),
    'touching objects of two pixels': tiny(44, rows=2),
    'a stack of objects of one pixel': tiny(44),
    'tiny objects on a rim': on_rim(9),
    'one outline for all': outlined((1, 2, 3, 4), (255, 255, 255, 255)),
    'an outline between its id and 0': outlined((4, 4, 4, 4), (2, 2, 2, 2)),
    'an outline each': outlined((2, 4, 6, 8), (1, 3, 5, 7)),
    'checkerboard of pixels': checkerboard(1),
    'checkerboard of 2 x 2': checkerboard(2),
    '44 objects': crowd(44),
    'stripes of one pixel': np.indices((44, 60))[0] + 1,
    'diagonal stripes': np.indices((60, 60)).sum(0) // 2 % 45,
    'noise of two ids': np.random.default_rng(0).integers(1, 3, (40, 60)),
}


@pytest.mark.parametrize('palette', ['ids', 'DAVIS', 'random'])
@pytest.mark.parametrize('name', HARD)
def test_hard_masks_are_not_mistaken_for_soft_ones(name, palette):
    mask = HARD[name]
    if palette != 'ids':
        random = np.random.default_rng(1).integers(0, 256, (256, 3))
        random[0] = 0
        mask = codes((DAVIS_PALETTE if palette == 'DAVIS' else random)[mask])
    assert not is_soft(mask.astype(np.int32))
