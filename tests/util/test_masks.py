"""All kinds of masks that people have. Soft ones are in test_soft_masks.py."""

import warnings

import numpy as np
import pytest
from PIL import Image

from util.errors import UserError
from util.masks import DAVIS_PALETTE, MaskReader, load_foreground, load_mask, save_mask

COLOURS = np.array([[0, 0, 0], [0, 0, 255], [0, 255, 0], [255, 0, 0]], np.uint8)


def boxes(*ids):
    """A mask (40, 60) with a box of each id."""
    mask = np.zeros((40, 60), np.uint16)
    for number, id_ in enumerate(ids):
        mask[8:30, 4 + 14 * number : 15 + 14 * number] = id_
    return mask


def save(path, array, mode=None):
    image = Image.fromarray(array)
    (image.convert(mode) if mode else image).save(path)
    return path


def test_a_saved_mask_comes_back_with_its_palette(tmp_path):
    mask = np.arange(256, dtype=np.uint8).reshape(16, 16)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        save_mask(tmp_path / 'mask.png', mask)
    assert np.array_equal(load_mask(tmp_path / 'mask.png'), mask)
    with Image.open(tmp_path / 'mask.png') as image:
        assert image.mode == 'P'
        assert image.getpalette()[:12] == [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0]
        assert image.getpalette() == DAVIS_PALETTE.ravel().tolist()


def test_a_missing_folder_is_created_for_a_mask(tmp_path):
    save_mask(tmp_path / 'masks' / 'video' / '00000.png', boxes(1))
    assert np.array_equal(load_mask(tmp_path / 'masks' / 'video' / '00000.png'), boxes(1))


@pytest.mark.parametrize('kind', ['P', 'P with transparency', 'L', 'I;16', '1'])
def test_indices_are_the_ids(tmp_path, kind):
    path, mask = tmp_path / 'mask.png', boxes(1, 7, 200)
    if kind[0] == 'P':
        image = Image.fromarray(mask.astype(np.uint8)).convert('P')
        image.putpalette(DAVIS_PALETTE.tobytes())
        image.save(path, **({'transparency': 0} if kind != 'P' else {}))
    elif kind == '1':
        mask = boxes(1)
        save(path, mask > 0)
    else:
        save(path, mask.astype({'L': np.uint8, 'I;16': np.uint16}[kind]))
    reader = MaskReader([path])
    assert np.array_equal(reader.read(path), mask)
    assert reader.read(path).dtype == np.uint8
    assert (reader.ids[path], reader.colours) == (np.unique(mask)[1:].tolist(), {})
    assert reader.sizes[path] == (40, 60)


@pytest.mark.parametrize('mode', ['RGB', 'RGBA'])
def test_colours_become_ids_in_the_order_of_red_green_and_blue_over_all_masks(tmp_path, mode):
    red, both = tmp_path / 'a.png', tmp_path / 'b.png'
    save(red, COLOURS[boxes(3)], mode)
    save(both, COLOURS[boxes(2, 1)], mode)
    reader = MaskReader([red, both])
    assert reader.colours == {'#0000ff': 1, '#00ff00': 2, '#ff0000': 3}
    assert np.array_equal(reader.read(red), boxes(3))
    assert np.array_equal(reader.read(both), boxes(2, 1))
    assert reader.ids == {red: [3], both: [1, 2]}


def test_transparent_pixels_are_background(tmp_path):
    colours = np.dstack([COLOURS[boxes(2, 3)], np.full((40, 60), 255, np.uint8)])
    colours[boxes(0, 1) > 0, 3] = 100
    path = tmp_path / 'mask.png'
    Image.fromarray(colours).save(path)
    assert np.array_equal(MaskReader([path]).read(path), boxes(1))


def test_grey_with_an_alpha_channel_is_a_colour(tmp_path):
    path = save(tmp_path / 'mask.png', boxes(90, 200).astype(np.uint8), 'LA')
    reader = MaskReader([path])
    assert reader.colours == {'#5a5a5a': 1, '#c8c8c8': 2}
    assert np.array_equal(reader.read(path), boxes(1, 2))


def test_foreground_is_every_pixel_that_is_not_background(tmp_path):
    ids = save(tmp_path / 'ids.png', boxes(1, 255).astype(np.uint8))
    colours = save(tmp_path / 'colours.png', np.array([[0, 0, 0], [0, 0, 1]], np.uint8)[boxes(1)])
    assert np.array_equal(load_foreground(ids), boxes(1, 1))
    assert np.array_equal(load_foreground(colours), boxes(1))


def test_ids_over_255_are_refused(tmp_path):
    path = save(tmp_path / 'mask.png', boxes(3, 256))
    with pytest.raises(UserError, match=r'mask\.png: holds id 256; ids must lie in 1\.\.255'):
        MaskReader([path])


def test_more_than_255_colours_in_total_are_refused(tmp_path):
    paths = [tmp_path / f'{number}.png' for number in range(2)]
    for number, path in enumerate(paths):
        tiles = np.arange(200).reshape(10, 20).repeat(4, 0).repeat(4, 1)
        colours = np.stack([tiles, np.full_like(tiles, number), 255 - tiles], -1)
        save(path, colours.astype(np.uint8))
    with pytest.raises(UserError, match=r'0\.png: 400 colours in all masks; at most 255'):
        MaskReader(paths)


def test_ids_beside_colours_are_refused(tmp_path):
    ids = save(tmp_path / 'ids.png', boxes(1).astype(np.uint8))
    colours = save(tmp_path / 'colours.png', COLOURS[boxes(1)])
    with pytest.raises(UserError, match=r'colours\.png holds colours, .*ids\.png ids; convert one'):
        MaskReader([ids, colours])


@pytest.mark.parametrize('mode', ['L', 'RGB', '1', 'P'])
def test_an_empty_mask_of_any_kind_is_accepted_beside_others(tmp_path, mode):
    colours = save(tmp_path / 'a.png', COLOURS[boxes(1)])
    empty = save(tmp_path / 'b.png', boxes().astype(np.uint8), mode)
    reader = MaskReader([colours, empty])
    assert reader.ids == {colours: [1], empty: []}
    assert not reader.read(empty).any()


def test_masks_of_which_none_shows_an_object_are_refused(tmp_path):
    paths = [save(tmp_path / f'{name}.png', boxes().astype(np.uint8)) for name in 'ab']
    with pytest.raises(UserError, match=r'a\.png, .*b\.png: .*without objects.*background \(0\)'):
        MaskReader(paths)


def test_a_mask_in_an_unsupported_mode_is_refused(tmp_path):
    path = save(tmp_path / 'mask.jpg', COLOURS[boxes(1)], 'CMYK')
    with pytest.raises(UserError, match=r'mask\.jpg: a mask cannot have mode CMYK; save it'):
        MaskReader([path])


def test_a_truncated_mask_is_refused(tmp_path):
    path = save(tmp_path / 'mask.png', np.random.default_rng(0).integers(0, 9, (40, 60), np.uint8))
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(UserError, match=r'mask\.png: cannot be read as an image .*get it again'):
        MaskReader([path])


@pytest.mark.parametrize('array', [boxes(300), COLOURS[boxes(1)]])
def test_load_mask_refuses_colours_and_ids_over_255(tmp_path, array):
    path = save(tmp_path / 'mask.png', array)
    with pytest.raises(UserError, match=r'mask\.png: not a mask of object ids up to 255'):
        load_mask(path)
