"""Pictures of every mode that Pillow can write, as the network receives them."""

import contextlib
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from tests.helpers import stand_in
from tests.helpers.picture_files import png
from util.errors import UserError
from util.images import MAX_PIXELS, bits_used, image_size, read_image

ROOT = Path(__file__).parents[2]
PICTURE = stand_in.clip(1, 40, 60)[0][0]
GREY = np.asarray(Image.fromarray(PICTURE).convert('L'))


@pytest.mark.parametrize('orientation', range(1, 9))
@pytest.mark.parametrize('suffix', ['png', 'webp', 'jpg'])
def test_exif_orientation_is_followed(tmp_path, orientation, suffix):
    image, exif = Image.fromarray(PICTURE), Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f'turned.{suffix}'
    image.save(path, exif=exif, quality=95, lossless=True)
    assert image_size(path) == read_image(path).shape[:2]
    with Image.open(path) as written:
        expected = np.asarray(ImageOps.exif_transpose(written).convert('RGB'))
    assert np.array_equal(read_image(path), expected)
    assert expected.shape[:2] == ((40, 60) if orientation < 5 else (60, 40))


def test_the_size_of_a_png_is_read_without_decoding_it(tmp_path):
    Image.fromarray(PICTURE).save(tmp_path / 'cut.png')
    content = (tmp_path / 'cut.png').read_bytes()
    (tmp_path / 'cut.png').write_bytes(content[: len(content) // 2])
    assert image_size(tmp_path / 'cut.png') == (40, 60)


@pytest.mark.parametrize('mode', ['RGB', 'RGBA', 'L', 'LA', '1', 'P', 'I;16', 'CMYK', 'YCbCr'])
def test_every_mode_gives_its_colours(tmp_path, mode):
    """Up to the precision of the mode. Modes that PNG lacks are written as JPEG."""
    path = tmp_path / ('image.jpg' if mode in ('CMYK', 'YCbCr') else 'image.png')
    expected = PICTURE if mode[0] in 'RCYP' else np.repeat(GREY[..., None], 3, 2)
    if mode == 'I;16':
        image = Image.fromarray(GREY.astype(np.uint16) * 256 + 255)
    elif mode == '1':
        image = Image.fromarray(GREY > 120)
        expected = (expected > 120) * 255
    else:
        image = Image.fromarray(PICTURE).convert(mode)
    image.save(path, quality=98, subsampling=0)
    found = read_image(path)
    tolerance = {'P': 25, 'CMYK': 3, 'YCbCr': 3}.get(mode, 0)
    assert (found.dtype, found.shape) == (np.uint8, (40, 60, 3))
    assert np.abs(found.astype(int) - expected).mean() <= tolerance


@pytest.mark.parametrize('content', [b'', b'no image', b'\x89PNG\r\n\x1a\n', b'BM'])
def test_a_file_that_is_not_an_image_is_refused(tmp_path, content):
    (tmp_path / 'no.png').write_bytes(content)
    for read in (read_image, image_size):
        with pytest.raises(UserError, match=r'no\.png: cannot be read as an image'):
            read(tmp_path / 'no.png')


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(UserError, match=r'gone\.png: no such file'):
        read_image(tmp_path / 'gone.png')


PILLOWS_LIMIT = 2**30 // 4 // 3  # its default: it warns above, and refuses twice as many pixels
HAS_WARNING = pytest.warns(Image.DecompressionBombWarning)


@pytest.mark.parametrize(
    'pillows_limit, context', [(None, contextlib.nullcontext()), (PILLOWS_LIMIT, HAS_WARNING)]
)
def test_the_pixel_limit_is_checked_on_the_header(tmp_path, monkeypatch, pillows_limit, context):
    """In programs, which lift Pillow's own limit, and in library use, where it is active."""
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', pillows_limit)
    for height, allowed in ((MAX_PIXELS // 8192, True), (MAX_PIXELS // 8192 + 1, False)):
        (tmp_path / 'large.png').write_bytes(png(8192, height))
        with context:
            if allowed:
                assert image_size(tmp_path / 'large.png') == (height, 8192)
                continue
            with pytest.raises(UserError, match=rf'large\.png: 8192x{height}; .* 134 million'):
                image_size(tmp_path / 'large.png')


def test_a_picture_over_pillows_own_limit_is_refused_in_our_words(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', PILLOWS_LIMIT)
    (tmp_path / 'bomb.png').write_bytes(png(60000, 60000))
    with pytest.raises(UserError, match=r'bomb\.png: more than 134 million .*; scale it down'):
        image_size(tmp_path / 'bomb.png')


def test_importing_leaves_pillows_limit_alone():
    """Programs lift it (util/device.py); a program that only uses the library keeps its guard."""
    code = 'import util.images, util.masks, util.visualize; from PIL import Image; '
    words = [sys.executable, '-c', code + 'print(Image.MAX_IMAGE_PIXELS)']
    printed = subprocess.run(words, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    assert printed.strip() == str(PILLOWS_LIMIT)


@pytest.mark.parametrize(
    'array, words',
    [
        (np.ones((4, 6), np.float32), 'floating-point'),
        (np.full((4, 6), 70000, np.int32), 'more than 16 bits'),
        (np.full((4, 6), -1, np.int32), 'more than 16 bits'),
    ],
)
def test_pixels_whose_value_for_white_is_unknown_are_refused(tmp_path, array, words):
    Image.fromarray(array).save(tmp_path / 'values.tif')
    with pytest.raises(UserError, match=rf'values\.tif: .*{words}'):
        read_image(tmp_path / 'values.tif')


def write_deep(path, picture, num_bits):
    """Write an 8-bit picture, grey or in colour, with 16 bits per channel, of which some are used.

    Opaque pictures with transparency are given as (H, W, 4).
    """
    values = picture.astype(np.uint16) << (num_bits - 8)
    if values.ndim == 3:
        values[:, :, 3:] = 0xFFFF  # transparency uses all bits
        values = values[:, :, [2, 1, 0, 3][: values.shape[2]]]
    cv2.imwrite(str(path), values)
    return path


DEEP = {
    'grey': GREY,
    'colour': PICTURE,
    'transparency': np.dstack([PICTURE, np.full_like(GREY, 255)]),
}


@pytest.mark.parametrize('kind', DEEP)
@pytest.mark.parametrize('num_bits', [8, 10, 12, 14, 16])
@pytest.mark.parametrize('suffix', ['png', 'tif'])
def test_16_bit_pictures_are_scaled_by_the_bits_that_they_use(tmp_path, kind, num_bits, suffix):
    picture = DEEP[kind].copy()
    picture[0, 0], picture[1, 1] = 0, 255
    path = write_deep(tmp_path / f'deep.{suffix}', picture, num_bits)
    assert bits_used([path]) == num_bits
    expected = picture[:, :, :3] if picture.ndim == 3 else np.repeat(picture[:, :, None], 3, 2)
    found = read_image(path, num_bits)
    assert found.dtype == np.uint8 and np.array_equal(found, expected)


def test_the_darker_pictures_of_a_clip_are_scaled_as_its_brightest(tmp_path):
    bright = write_deep(tmp_path / '1.png', np.full((4, 6), 255, np.uint8), 12)
    dark = write_deep(tmp_path / '0.png', np.full((4, 6), 3, np.uint8), 12)
    assert bits_used([dark, bright, dark]) == 12
    assert read_image(dark, 12).max() == 3


def test_8_bit_pictures_have_no_bits_to_count(tmp_path):
    Image.fromarray(PICTURE).save(tmp_path / 'a.png')
    Image.fromarray(GREY).save(tmp_path / 'b.jpg')
    assert bits_used([tmp_path / 'a.png', tmp_path / 'b.jpg']) is None
    assert np.array_equal(read_image(tmp_path / 'a.png', 10), PICTURE)


@pytest.mark.parametrize('orientation', range(1, 9))
def test_16_bit_colours_are_turned_upright(tmp_path, orientation):
    path = write_deep(tmp_path / 'deep.png', PICTURE, 16)
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = exif.tobytes().removeprefix(b'Exif\0\0')
    chunk = struct.pack('>I', len(data)) + b'eXIf' + data
    content = path.read_bytes()
    end_of_header = 33
    check = struct.pack('>I', zlib.crc32(b'eXIf' + data))
    path.write_bytes(content[:end_of_header] + chunk + check + content[end_of_header:])
    with Image.open(path) as written:
        expected = np.asarray(ImageOps.exif_transpose(written))
    assert expected.shape == ((40, 60, 3) if orientation < 5 else (60, 40, 3))
    assert np.array_equal(read_image(path), expected)


def test_a_truncated_16_bit_picture_is_refused(tmp_path):
    path = write_deep(tmp_path / 'deep.png', PICTURE, 16)
    path.write_bytes(path.read_bytes()[:2000])
    for read in (read_image, lambda path: bits_used([path])):
        with pytest.raises(UserError, match=r'deep\.png: cannot be read as an image'):
            read(path)
