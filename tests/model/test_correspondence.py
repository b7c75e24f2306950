"""Correspondence between two images: its figures, and the way from a click to its match."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from model.correspondence import Correspondence, Grid, correspond
from model.network import STRIDE, Query

SIZES = [(48, 64), (50, 71), (33, 47), (16, 31), (7, 100)]  # height, width; most need padding


def grid_of(size, network_size=None):
    return Grid(size, network_size or size)


def identity(source, target):
    """A W in which each cell of the target takes from the cell in the same row and column."""
    weights = torch.zeros(*source.shape, *target.shape)
    for row in range(min(source.shape[0], target.shape[0])):
        for column in range(min(source.shape[1], target.shape[1])):
            weights[row, column, row, column] = 1
    return Correspondence(weights.flatten(2).flatten(0, 1), source, target)


def cells_of_pixels(height, width):
    """The cell of every pixel (H, W): numbered blocks of 16 x 16, with the border cut away."""
    rows, columns = -(-height // 16), -(-width // 16)
    blocks = np.kron(np.arange(rows * columns).reshape(rows, columns), np.ones((16, 16), int))
    top, left = (16 * rows - height) // 2, (16 * columns - width) // 2
    return blocks[top : top + height, left : left + width]


@pytest.mark.parametrize('size', SIZES)
def test_every_pixel_lies_in_the_cell_that_covers_it_after_padding(size):
    grid, expected = grid_of(size), cells_of_pixels(*size)
    found = [[grid.cell((x, y)) for x in range(size[1])] for y in range(size[0])]
    np.testing.assert_array_equal(found, expected)
    assert grid.shape[0] * grid.shape[1] == expected.max() + 1


@pytest.mark.parametrize('size', SIZES)
def test_an_identity_puts_the_peak_under_the_click(size):
    pair, cells = identity(grid_of(size), grid_of(size)), cells_of_pixels(*size)
    for y in range(0, size[0], 3):
        for x in range(0, size[1], 5):
            (match_x, match_y), probability, heat = pair.of_point((x, y))
            assert max(abs(match_x - x), abs(match_y - y)) <= 8
            assert probability == 1 and heat.shape == size
            hottest = heat > 0.9 * heat.max()  # at the border of a cell the heat is half of it
            assert hottest[match_y, match_x] and (cells[hottest] == cells[y, x]).all()


def test_the_peak_has_no_offset_on_average():
    """Over all pixels of whole cells, rounding to cells cancels out."""
    pair = identity(grid_of((64, 96)), grid_of((64, 96)))
    clicks = np.array([(x, y) for x in range(96) for y in range(64)])
    found = np.array([pair.of_point(tuple(click)).point for click in clicks])
    # the middle of a cell is its pixel 8, half a pixel beyond the mean of its pixels 0..15
    np.testing.assert_allclose((found - clicks).mean(0), [0.5, 0.5])


@pytest.mark.parametrize('factor', [0.25, 0.5, 3, 7.3])
def test_points_of_a_scaled_image_are_its_own_pixels(factor):
    size = (round(100 * factor), round(150 * factor))
    grid = grid_of(size, (100, 150))
    pair = identity(grid, grid)
    for click in [(0, 0), (size[1] - 1, size[0] - 1), (size[1] // 2, size[0] // 3)]:
        away = np.abs(np.subtract(pair.of_point(click).point, click))
        assert away.max() <= 8 * factor + 1


@pytest.mark.parametrize('sizes', [((48, 64), (100, 70)), ((50, 71), (33, 47))])
def test_images_of_two_sizes_each_have_their_own_padding(sizes):
    source, target = map(grid_of, sizes)
    pair = identity(source, target)
    cells = cells_of_pixels(*sizes[1])
    x, y = pair.of_point((20, 30)).point
    row, column = divmod(source.cell((20, 30)), source.shape[1])
    assert cells[y, x] == row * target.shape[1] + column
    assert pair.of_point((20, 30)).heat.shape == sizes[1]


class PlaceNetwork:
    """A network that matches places by the coordinates written in red and green."""

    device = torch.device('cpu')
    mean = torch.full((3, 1, 1), -1.0)  # the colour of the border, which matches no place

    def memorize(self, image, masks):
        assert not masks.any(), 'the source is memorised with an empty mask'
        return self.keys(image).unsqueeze(1), None

    def encode_query(self, image):
        return Query(self.keys(image), None, None, None)

    @staticmethod
    def keys(image):
        """Keys whose inner product is largest for the nearest places."""
        place = F.avg_pool2d(image[:, :2], STRIDE)  # 1, 2, h, w
        features = [torch.cos, torch.sin]
        waves = [f(place * rate) for rate in (1, 3, 9) for f in features]
        return 30 * torch.cat(waves, 1)


def test_a_piece_of_an_image_is_found_where_it_was_cut_out():
    """Through `correspond`, with images of two sizes, both padded."""
    y, x = torch.meshgrid(torch.arange(150.0), torch.arange(210.0), indexing='ij')
    source = torch.stack([x / 210, y / 210, torch.zeros_like(x)])  # 5 rows, 7 columns of padding
    left, top = 45, 30
    target = source[:, top : top + 105, left : left + 119]  # 3 rows, 4 columns of padding
    weights = correspond(PlaceNetwork(), source, target)
    pair = Correspondence(weights, grid_of((150, 210)), grid_of((105, 119)))
    clicks = np.array([(x, y) for x in range(67, 147, 5) for y in range(43, 123, 5)])
    found = np.array([pair.of_point(tuple(click)).point for click in clicks])
    offsets = found + (left, top) - clicks
    # the cells of both cover the same places, so all that is lost is the place within a cell
    assert np.abs(offsets).max() <= 8
    np.testing.assert_allclose(offsets.mean(0), [0.5, 0.5])


def test_w_equals_a_softmax_over_inner_products(network):
    torch.manual_seed(0)
    source, target = torch.rand(3, 40, 65), torch.rand(3, 51, 30)
    weights = correspond(network, source, target)
    padded = []
    for image, pads in ((source, (7, 8, 4, 4)), (target, (1, 1, 6, 7))):
        normal = F.pad(network.normalize(image), pads)
        padded.append((normal * network.std + network.mean)[None])
    with torch.no_grad():
        key = network.memorize(padded[0], torch.zeros(1, 1, 48, 80))[0][0, 0].flatten(1)
        query = network.encode_query(padded[1]).key[0].flatten(1)
    expected = (key.T @ query / 128**0.5).softmax(0)
    assert weights.shape == (3 * 5, 4 * 2)
    torch.testing.assert_close(weights, expected, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(weights.sum(0), torch.ones(8))


def test_bytes_and_floats_are_the_same_image(network):
    torch.manual_seed(0)
    images = [torch.randint(256, (3, *size), dtype=torch.uint8) for size in ((33, 40), (48, 50))]
    floats = correspond(network, *(image / 255 for image in images))
    assert torch.equal(correspond(network, *images), floats)


def random_pair(source=(50, 71), target=(33, 47)):
    torch.manual_seed(0)
    grids = grid_of(source), grid_of(target)
    num = [grid.shape[0] * grid.shape[1] for grid in grids]
    return Correspondence((3 * torch.randn(*num)).softmax(0), *grids)


def test_a_mask_of_one_cell_matches_like_a_point_in_it():
    pair = random_pair()
    cells = cells_of_pixels(50, 71)
    point, mask = pair.of_point((40, 20)), pair.of_mask(cells == cells[20, 40])
    assert mask.point == point.point
    assert mask.probability == pytest.approx(point.probability)
    np.testing.assert_allclose(mask.heat, point.heat, rtol=1e-5, atol=1e-7)


def test_a_mask_and_the_rest_add_up_to_one():
    pair = random_pair()
    mask = torch.rand(50, 71) > 0.7
    together = pair.of_mask(mask).heat + pair.of_mask(~mask).heat
    np.testing.assert_allclose(together, 1, rtol=1e-5)


def test_a_single_pixel_of_a_large_image_still_counts():
    pair = Correspondence(torch.eye(12), *[grid_of((480, 640), (48, 64))] * 2)
    mask = np.zeros((480, 640), bool)
    mask[203, 317] = True
    assert pair.of_mask(mask).probability == pytest.approx(1 / 160**2)
    assert pair.of_mask(mask).point == pair.of_point((317, 203)).point


def test_a_point_has_no_match_if_no_cell_takes_from_it():
    weights = torch.eye(12)
    weights[0, 0], weights[1, 0] = 0, 1
    match = Correspondence(weights, *[grid_of((48, 64))] * 2).of_point((3, 3))
    assert match.point is None and match.probability == 0
