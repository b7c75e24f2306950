"""dataset/transforms.py and tps.py: geometry and colour, alone and as the samples combine them."""

import cv2
import numpy as np
import pytest
from tps import ThinPlateSpline

from dataset.static_dataset import draw_view
from dataset.tps import ThinPlateWarp
from dataset.transforms import (
    IMAGE_FILL,
    Affine,
    CropRange,
    Jitter,
    ResizedCrop,
    Window,
    adjust_brightness,
    adjust_contrast,
    adjust_saturation,
    flip,
    resize,
    shift_hue,
)
from dataset.vos_dataset import CROPS, augment

TIMES = 30


def drawn(height=90, width=120):
    """A white, asymmetric object on the fill colour, and its mask."""
    mask = np.zeros((height, width), np.uint8)
    cv2.ellipse(mask, (60, 40), (30, 18), 25, 0, 360, 1, -1)
    cv2.rectangle(mask, (30, 50), (55, 70), 1, -1)
    return np.where(mask[..., None] > 0, 255, IMAGE_FILL).astype(np.uint8), mask


def assert_aligned(pairs, reach=1):
    """Each object is seen where its mask says, except within `reach` pixels of its border.

    On average over all pairs, it is not shifted by more than rounding to pixels explains.
    """
    offsets, kernel = [], np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    for image, mask in pairs:
        mask = (mask > 0).astype(np.uint8)
        seen = image.astype(float).mean(2) > (np.mean(IMAGE_FILL) + 255) / 2
        border = cv2.dilate(mask, kernel) != cv2.erode(mask, kernel)
        border[[0, -1]] = border[:, [0, -1]] = True  # objects that are cut off end here
        assert not (seen != mask)[~border].any()
        offsets.append(np.argwhere(seen).mean(0) - np.argwhere(mask).mean(0))
    assert abs(np.mean(offsets, 0)).max() < 0.1


def affine(rng, *pair):
    turn = Affine.sample(rng, degrees=20, scale=(0.8, 1.5), shear=10)
    return [turn(array) for array in pair]


def affine_window(rng, *pair):
    turn = Affine.sample(rng, degrees=20, scale=(0.9, 1.1), shear=10)
    window = Window.sample(rng, pair[1].shape, int(rng.integers(70, 130)))
    return [turn(array, window) for array in pair]


def resized_crop(rng, *pair):
    crop = ResizedCrop.sample(rng, pair[1].shape, int(rng.integers(30, 200)), CropRange((0.5, 1)))
    return [crop(array) for array in pair]


def smaller(rng, *pair):
    size = (int(rng.integers(40, 90)), int(rng.integers(40, 120)))
    return [resize(array, size) for array in pair]


def larger(rng, *pair):
    size = (int(rng.integers(90, 200)), int(rng.integers(120, 200)))
    return [resize(array, size) for array in pair]


def mirrored(rng, *pair):
    return [flip(array) for array in pair]


def thin_plate(rng, *pair):
    return ThinPlateWarp.sample(rng)(*pair)


@pytest.mark.parametrize(
    'transform', [affine, affine_window, resized_crop, smaller, larger, mirrored, thin_plate]
)
def test_image_and_mask_stay_aligned(transform):
    rng = np.random.default_rng(0)
    assert_aligned(transform(rng, *drawn()) for _ in range(TIMES))


def test_image_and_mask_stay_aligned_in_a_whole_view():
    rng = np.random.default_rng(1)
    assert_aligned((draw_view(rng, *drawn(), 90) for _ in range(TIMES)), reach=2)


def test_images_and_masks_of_a_video_stay_aligned():
    rng = np.random.default_rng(2)
    pairs, found = [drawn()] * 3, []
    for _ in range(TIMES):
        window = ResizedCrop.sample(rng, pairs[0][1].shape, 96, CROPS)
        found += zip(*augment(rng, pairs, window), strict=True)
    assert_aligned(found, reach=2)


def test_a_shift_of_one_pixel_is_noticed():
    image, mask = drawn()
    for axis in (0, 1):
        with pytest.raises(AssertionError):
            assert_aligned([(image, np.roll(mask, 1, axis))])


def test_masks_keep_their_ids():
    rng, mask = np.random.default_rng(0), drawn()[1] * 7
    for transform in (affine, affine_window, resized_crop, smaller, larger, thin_plate):
        assert set(np.unique(transform(rng, mask, mask)[1])) == {0, 7}


def test_outside_the_image_are_the_mean_colour_and_background():
    image, mask = np.zeros((40, 40, 3), np.uint8), np.ones((40, 40), np.uint8)
    smaller = Affine(0, 0.5, 0)
    assert tuple(smaller(image)[0, 0]) == IMAGE_FILL and smaller(mask)[0, 0] == 0
    beyond = Window(-20, -20, 80)
    nothing = Affine(0, 1, 0)
    assert tuple(nothing(image, beyond)[0, 0]) == IMAGE_FILL and nothing(mask, beyond).sum() == 1600
    points = np.array([[0.1, 0.1], [0.9, 0.1], [0.1, 0.9]])
    image, mask = ThinPlateWarp(points, points * 0.5)(image, mask)
    assert tuple(image[-1, -1]) == IMAGE_FILL and mask[-1, -1] == 0


def test_affine_turns_and_scales_about_the_centre():
    mask = np.random.default_rng(0).integers(0, 255, (21, 21), np.uint8)
    np.testing.assert_array_equal(Affine(90, 1, 0)(mask), np.rot90(mask, -1))
    np.testing.assert_array_equal(Affine(0, 1, 0)(mask), mask)
    height, width = 30, 51
    sheared = Affine(0, 2, 45).matrix(height, width)
    np.testing.assert_allclose(sheared @ [25, 14.5, 1], [25, 14.5])  # the centre stays
    np.testing.assert_allclose(sheared @ [26, 14.5, 1], [27, 14.5])  # twice as far along x
    np.testing.assert_allclose(sheared @ [25, 15.5, 1], [23, 16.5])  # below it, 45 degrees aslant


def test_affine_parameters_lie_in_their_ranges():
    rng = np.random.default_rng(0)
    drawn = np.array(
        [Affine.sample(rng, degrees=20, scale=(0.9, 1.1), shear=10) for _ in range(400)]
    )
    for column, (low, high) in zip(drawn.T, ((-20, 20), (0.9, 1.1), (-10, 10)), strict=True):
        assert low <= column.min() < low + 0.02 * (high - low)
        assert high >= column.max() > high - 0.02 * (high - low)


@pytest.mark.parametrize('shape', [(480, 854), (600, 400), (100, 100)])
def test_crops_have_their_share_of_the_image_and_lie_inside(shape):
    rng = np.random.default_rng(0)
    flipped = 0
    for _ in range(500):
        crop = ResizedCrop.sample(rng, shape, 64, CropRange((0.36, 1.0)))
        assert 0.35 < crop.height * crop.width / (shape[0] * shape[1]) <= 1
        assert 0.73 < crop.width / crop.height < 1.36
        assert 0 <= crop.top <= shape[0] - crop.height and 0 <= crop.left <= shape[1] - crop.width
        flipped += crop.flipped
    assert 200 < flipped < 300


@pytest.mark.parametrize(
    'shape, middle', [((100, 900), (0, 383, 100, 133)), ((900, 90), (390, 0, 120, 90))]
)
def test_a_strip_too_long_for_any_crop_is_cropped_in_the_middle(shape, middle):
    crop = ResizedCrop.sample(np.random.default_rng(0), shape, 64, CropRange((0.9, 1.0)))
    assert crop[:4] == middle


def test_windows_lie_inside_the_image_or_around_it():
    rng = np.random.default_rng(0)
    windows = np.array([Window.sample(rng, (50, 30), 40) for _ in range(200)])
    assert set(windows[:, 0]) == set(range(11)) and set(windows[:, 1]) == set(range(-10, 1))


def test_colours_change_by_their_factors():
    image = np.full((4, 4, 3), (200, 100, 50), np.uint8)
    image[:2] = 100  # grey: 0.299 * 200 + 0.587 * 100 + 0.114 * 50 = 124 below, 112 on average
    assert adjust_brightness(image, 1.1)[3, 3].tolist() == [220, 110, 55]
    assert adjust_brightness(image, 2)[3, 3].tolist() == [255, 200, 100]
    assert adjust_contrast(image, 0.5)[3, 3].tolist() == [156, 106, 81]
    assert adjust_contrast(image, 1.5)[0, 0].tolist() == [94, 94, 94]
    assert adjust_saturation(image, 0.5)[3, 3].tolist() == [162, 112, 87]
    assert adjust_saturation(image, 2)[0, 0].tolist() == [100, 100, 100]
    red = np.full((1, 1, 3), (240, 0, 0), np.uint8)
    for turns in (0.5, -0.5):
        np.testing.assert_allclose(shift_hue(red, turns)[0, 0], [0, 240, 240], atol=6)


def test_jitter_draws_factors_and_an_order():
    rng = np.random.default_rng(0)
    drawn = [Jitter.sample(rng, 0.1, 0.05, 0.02, 0.04, grey=0.05) for _ in range(500)]
    assert len({tuple(change for change, _ in jitter.steps) for jitter in drawn}) == 24
    for change, centre, spread in (
        (adjust_brightness, 1, 0.1),
        (adjust_contrast, 1, 0.05),
        (adjust_saturation, 1, 0.02),
        (shift_hue, 0, 0.04),
    ):
        factors = np.array([dict(jitter.steps)[change] for jitter in drawn]) - centre
        assert 0.98 * spread < factors.max() <= spread and -0.98 * spread > factors.min() >= -spread
    assert 10 < sum(jitter.grey for jitter in drawn) < 45
    assert len(Jitter.sample(rng, 0.1, 0.1, 0.1).steps) == 3, 'no hue'


def test_a_grey_image_has_three_equal_channels():
    image = np.random.default_rng(0).integers(0, 255, (8, 8, 3), np.uint8)
    grey = Jitter((), grey=True)(image)
    assert (grey == grey[..., :1]).all() and grey.std() > 0
    np.testing.assert_array_equal(Jitter(())(image), image)


def test_a_warp_takes_its_points_to_where_they_are_moved():
    warp = ThinPlateWarp.sample(np.random.default_rng(3))
    source = warp.sampling_grid(384, 384)
    column, row = (warp.moved[0] * 384).astype(int)
    np.testing.assert_allclose((source[:, row, column] + 0.5) / 384, warp.points[0], atol=0.01)


def test_a_warp_equals_that_of_the_package_to_a_twentieth_of_a_pixel():
    rng = np.random.default_rng(0)
    height, width = 96, 128
    x, y = np.meshgrid((np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height)
    pixels = np.stack([x, y], -1).reshape(-1, 2)
    for _ in range(30):
        warp = ThinPlateWarp.sample(rng)
        exact = ThinPlateSpline().fit(warp.moved, warp.points).transform(pixels)
        exact = exact.T.reshape(2, height, width) * [[[width]], [[height]]] - 0.5
        assert abs(warp.sampling_grid(height, width) - exact).max() < 0.05 * width / 384


def test_a_warp_without_motion_changes_nothing():
    image, mask = drawn()
    points = np.random.default_rng(0).random((12, 2))
    warped_image, warped_mask = ThinPlateWarp(points, points)(image, mask)
    np.testing.assert_array_equal(warped_image, image)
    np.testing.assert_array_equal(warped_mask, mask)
