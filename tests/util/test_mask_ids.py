"""Which object a number or a colour in a mask file is: the same in every way of writing it."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.helpers.mask_files import KINDS, boxes, save_indexed, write_mask
from util.errors import UserError
from util.masks import MaskReader
from util.masks.codes import DAVIS_PALETTE

settings.register_profile('seeded', deadline=None, derandomize=True, max_examples=100)
settings.load_profile('seeded')

BLACK, RED, GREEN, BLUE = (0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255)
WHITE = (255, 255, 255)
DAVIS_RED, DAVIS_GREEN, DAVIS_VOID = (tuple(DAVIS_PALETTE[i].tolist()) for i in (1, 2, 255))


@st.composite
def id_sets(draw):
    """Up to six ids. 255 comes alone, as it means 'not labelled' beside others."""
    return draw(st.just({255}) | st.sets(st.integers(1, 254), min_size=1, max_size=6))


@given(id_sets(), st.sampled_from(sorted(KINDS)), st.randoms(use_true_random=False))
def test_ids_do_not_depend_on_the_kind_of_file_or_the_order_of_its_palette(ids, kind, random):
    mask = boxes(*random.sample(sorted(ids), len(ids)))
    with tempfile.TemporaryDirectory() as folder:
        path = write_mask(Path(folder), mask, kind, random)
        reader = MaskReader([path])
        np.testing.assert_array_equal(reader.read(path), mask)
        assert reader.ids == {path: sorted(ids)}


colours = st.tuples(*[st.integers(0, 7).map(lambda level: 36 * level)] * 3)  # few are DAVIS's


@given(
    st.sets(colours.filter(any), min_size=1, max_size=6),
    st.lists(st.sampled_from(['RGB', 'RGBA', 'indexed']), min_size=1, max_size=3),
    st.randoms(use_true_random=False),
)
def test_a_colour_is_one_object_in_all_files_of_any_kind(colours, kinds, random):
    """The palettes of indexed files differ in their order, and none begins with the background."""
    listed = sorted(colours)
    numbers = range(1, len(listed) + 1)
    with tempfile.TemporaryDirectory() as folder:
        masks = {}
        for number, kind in enumerate(kinds):
            mask = boxes(*random.sample(numbers, len(numbers)))
            path = Path(folder) / f'{number}.png'
            if kind == 'indexed':
                order = [*listed, BLACK]
                random.shuffle(order)
                if order[0] == BLACK:
                    order.reverse()
                save_indexed(path, mask, [BLACK, *listed], order)
            else:
                rgb = np.array([BLACK, *listed], np.uint8)[mask]
                Image.fromarray(rgb).convert(kind).save(path)
            masks[path] = mask
        reader = MaskReader(list(masks))
        for path, mask in masks.items():
            np.testing.assert_array_equal(reader.read(path), mask)
    assert list(reader.colours.values()) == list(numbers)


def test_a_palette_that_begins_with_the_object_does_not_swap_it_with_the_background(tmp_path):
    mask = boxes(1)
    black_and_white = Image.fromarray(np.array([BLACK, WHITE], np.uint8)[mask])
    path = tmp_path / 'mask.png'
    black_and_white.quantize(2).save(path)
    with Image.open(path) as image:
        assert image.getpalette()[:3] == [255, 255, 255]
    reader = MaskReader([path])
    np.testing.assert_array_equal(reader.read(path), mask)
    assert reader.colours == {'#ffffff': 1}
    (note,) = reader.notes
    assert note.startswith(f'{path}: read by the colours, not by the numbers') and 'entry 0' in note


def test_palettes_that_disagree_keep_the_ids_of_the_first_file(tmp_path):
    first, second, third = (tmp_path / f'{number}.png' for number in range(3))
    save_indexed(first, boxes(1, 2), [BLACK, RED, GREEN], [BLACK, RED, GREEN])
    save_indexed(second, boxes(2), [BLACK, RED, GREEN], [BLACK, GREEN, RED])
    save_indexed(third, boxes(3, 1), [BLACK, RED, GREEN, BLUE], [BLACK, BLUE, GREEN, RED])
    reader = MaskReader([first, second, third])
    np.testing.assert_array_equal(reader.read(first), boxes(1, 2))
    np.testing.assert_array_equal(reader.read(second), boxes(2))
    np.testing.assert_array_equal(reader.read(third), boxes(3, 1))
    assert reader.colours == {'#ff0000': 1, '#00ff00': 2, '#0000ff': 3}
    assert len(reader.notes) == 1 and f'{second} and 1 more' in reader.notes[0]


def test_palettes_that_differ_where_nothing_is_drawn_agree(tmp_path):
    first, second = tmp_path / '0.png', tmp_path / '1.png'
    save_indexed(first, boxes(1), [BLACK, RED], [BLACK, RED, GREEN, BLUE])
    save_indexed(second, boxes(1, 2), [BLACK, RED, BLUE], [BLACK, RED, BLUE])
    reader = MaskReader([first, second])
    np.testing.assert_array_equal(reader.read(second), boxes(1, 2))
    assert (reader.colours, reader.notes) == ({}, [])


def test_a_palette_of_ones_own_with_black_first_keeps_its_numbers(tmp_path):
    path = tmp_path / 'mask.png'
    order = [BLACK, GREEN, WHITE, BLUE, RED]
    save_indexed(path, boxes(1, 4), [BLACK, GREEN, None, None, RED], order)
    reader = MaskReader([path])
    np.testing.assert_array_equal(reader.read(path), boxes(1, 4))
    assert (reader.colours, reader.notes) == ({}, [])


def test_numbers_that_share_a_colour_stay_apart(tmp_path):
    """Palettes of few colours in a circle: entry 3 looks like entry 1."""
    path = tmp_path / 'mask.png'
    image = Image.fromarray(boxes(1, 3).astype(np.uint8))
    image.putpalette([*BLACK, *DAVIS_RED, *DAVIS_GREEN] * 3)
    image.save(path)
    np.testing.assert_array_equal(MaskReader([path]).read(path), boxes(1, 3))


@pytest.mark.parametrize('kind', ['RGB', 'indexed'])
def test_colours_of_davis_keep_their_ids(tmp_path, kind):
    path, colours = tmp_path / 'mask.png', [BLACK, DAVIS_RED, DAVIS_GREEN]
    if kind == 'RGB':
        Image.fromarray(np.array(colours, np.uint8)[boxes(2, 1)]).save(path)
    else:
        save_indexed(path, boxes(2, 1), colours, [BLACK, DAVIS_GREEN, DAVIS_RED])
    reader = MaskReader([path])
    np.testing.assert_array_equal(reader.read(path), boxes(2, 1))
    assert reader.colours == {'#800000': 1, '#008000': 2}


def test_colours_of_davis_beside_another_are_counted(tmp_path):
    davis, other = tmp_path / '0.png', tmp_path / '1.png'
    table = np.array([BLACK, DAVIS_RED, RED], np.uint8)
    Image.fromarray(table[boxes(1)]).save(davis)
    Image.fromarray(table[boxes(2)]).save(other)
    assert MaskReader([davis, other]).ids == {davis: [1], other: [2]}
    assert MaskReader([davis]).ids == {davis: [1]}


def test_a_transparent_first_entry_is_the_background(tmp_path):
    path = tmp_path / 'mask.png'
    image = Image.fromarray(boxes(1, 2).astype(np.uint8))
    image.putpalette([*WHITE, *GREEN, *RED])
    image.save(path, transparency=0)
    np.testing.assert_array_equal(MaskReader([path]).read(path), boxes(1, 2))


def test_transparent_entries_are_background_where_colours_count(tmp_path):
    path = tmp_path / 'mask.png'
    image = Image.fromarray(np.where(boxes(1), 0, 1).astype(np.uint8))
    image.putpalette([*RED, *WHITE])
    image.save(path, transparency=1)
    np.testing.assert_array_equal(MaskReader([path]).read(path), boxes(1))


def test_greys_that_an_optimiser_made_indexed_match_plain_ids(tmp_path):
    """Ids 3 and 9 in a grey file, and 9 alone in an indexed one, where it is entry 1."""
    plain, indexed = tmp_path / '0.png', tmp_path / '1.png'
    Image.fromarray(boxes(3, 9).astype(np.uint8)).save(plain)
    image = Image.fromarray(boxes(1).astype(np.uint8))
    image.putpalette([0, 0, 0, 9, 9, 9])
    image.save(indexed)
    reader = MaskReader([plain, indexed])
    np.testing.assert_array_equal(reader.read(indexed), boxes(9))
    assert f'{indexed}: read by the colours' in reader.notes[0]


def test_soft_borders_are_found_in_the_colours_of_an_indexed_file(tmp_path):
    """Its numbers say nothing: an optimiser sorts them by how often they occur."""
    disc = np.hypot(*np.mgrid[-30:31, -30:31])
    levels = (255 * (24 - disc).clip(0, 8) / 8).astype(np.uint8)
    soft = np.dstack([levels, levels // 2, 0 * levels])
    path = tmp_path / 'mask.png'
    Image.fromarray(soft).quantize(64).save(path)
    with pytest.raises(UserError, match='soft borders'):
        MaskReader([path])
    reader = MaskReader([path], clean=True)
    assert len(reader.ids[path]) == 1
    assert (reader.read(path) > 0).sum() == pytest.approx((disc < 20).sum(), rel=0.05)


VOID_KINDS = ['grey', 'davis', 'RGB', '16 bits', 'GIF']


@pytest.mark.parametrize('kind', VOID_KINDS)
def test_255_beside_smaller_ids_is_not_an_object(tmp_path, kind):
    """So is the palest colour of the DAVIS and VOC palette, and 65535 in 16 bits."""
    mask = boxes(1, 2, 255)
    if kind == '16 bits':
        path = tmp_path / 'mask.png'
        Image.fromarray(np.where(mask == 255, 65535, mask).astype(np.uint16)).save(path)
    else:
        path = write_mask(tmp_path, mask, kind, None)
    reader = MaskReader([path])
    assert reader.ids == {path: [1, 2]}
    np.testing.assert_array_equal(reader.read(path), boxes(1, 2))
    assert [note for note in reader.notes if 'not labelled' in note and str(path) in note]


def test_255_is_void_in_all_masks_of_a_video_if_it_is_in_one(tmp_path):
    paths = [tmp_path / f'{number}.png' for number in range(2)]
    for path, mask in zip(paths, (boxes(1, 255), boxes(0, 255)), strict=True):
        Image.fromarray(mask.astype(np.uint8)).save(path)
    reader = MaskReader(paths)
    assert reader.ids == {paths[0]: [1], paths[1]: []}
    assert not reader.read(paths[1]).any()


def test_masks_of_0_and_255_beside_masks_of_0_and_1_keep_both(tmp_path):
    paths = [tmp_path / f'{number}.png' for number in range(2)]
    for path, mask in zip(paths, (boxes(255), boxes(1)), strict=True):
        Image.fromarray(mask.astype(np.uint8)).save(path)
    assert MaskReader(paths).ids == {paths[0]: [255], paths[1]: [1]}


@pytest.mark.parametrize('dtype', [np.uint16, np.int32, np.float32])
def test_a_matte_of_0_and_the_largest_16_bit_number_is_one_object(tmp_path, dtype):
    path = tmp_path / 'mask.tif'
    Image.fromarray(((boxes(1) > 0) * 65535).astype(dtype)).save(path)
    np.testing.assert_array_equal(MaskReader([path]).read(path), boxes(255))


def test_floating_point_numbers_that_are_whole_are_ids(tmp_path):
    path = tmp_path / 'mask.tif'
    Image.fromarray(boxes(1, 7).astype(np.float32)).save(path)
    np.testing.assert_array_equal(MaskReader([path]).read(path), boxes(1, 7))


@pytest.mark.parametrize('value', [0.5, -1, np.nan, np.inf])
def test_other_floating_point_numbers_are_refused(tmp_path, value):
    path = tmp_path / 'mask.tif'
    Image.fromarray(np.where(boxes(1), value, 0).astype(np.float32)).save(path)
    with pytest.raises(UserError, match=r'mask\.tif: a mask cannot be F with fractions; save it'):
        MaskReader([path])


@pytest.mark.parametrize('table', [[WHITE, RED, BLUE], [RED, GREEN, BLUE]])
def test_an_object_around_all_others_raises_the_question_whether_it_is_one(tmp_path, table):
    path = tmp_path / 'mask.png'
    Image.fromarray(np.array(table, np.uint8)[boxes(1, 2)]).save(path)
    reader = MaskReader([path])
    number = reader.read(path)[0, 0]
    (note,) = reader.notes
    assert note.startswith(f'{path}: object {number} covers most of the image and touches all')


def test_a_large_object_that_leaves_a_border_free_raises_no_question(tmp_path):
    mask = np.full((40, 60), 1, np.uint8)
    mask[:, 0] = 0
    path = tmp_path / 'mask.png'
    Image.fromarray(mask).save(path)
    assert MaskReader([path]).notes == []
