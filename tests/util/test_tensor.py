"""Padding, resizing and one-hot masks. More of them in test_properties.py."""

import pytest
import torch

from util.tensor import Padding, one_hot, pad, padding, resize, unpad


@pytest.mark.parametrize('height, width', [(16, 16), (17, 31), (1, 1), (480, 854)])
def test_padding_reaches_the_next_multiple_and_puts_an_odd_pixel_right_or_below(height, width):
    left, right, top, bottom = padding(height, width, 16)
    assert (height + top + bottom) % 16 == (width + left + right) % 16 == 0
    assert max(left + right, top + bottom) < 16
    assert right - left in (0, 1) and bottom - top in (0, 1)


def test_unpad_undoes_pad():
    torch.manual_seed(0)
    x = torch.rand(2, 3, 17, 31)
    pads = padding(17, 31, 16)
    padded = pad(x, pads, torch.tensor([1.0, 2.0, 3.0]).view(3, 1, 1))
    assert padded.shape == (2, 3, 32, 32)
    assert torch.equal(unpad(padded, pads), x)
    assert padded[:, :, 0, 0].tolist() == [[1, 2, 3]] * 2
    assert unpad(x, Padding(0, 0, 0, 0)).shape == x.shape


def test_resize_keeps_constants_and_does_nothing_at_the_same_size():
    x = torch.full((3, 10, 14), 0.25)
    assert resize(x, (10, 14)) is x
    torch.testing.assert_close(resize(x, (23, 9)), torch.full((3, 23, 9), 0.25))


def test_one_hot_channels_follow_the_order_of_the_ids():
    mask = torch.tensor([[0, 7], [200, 7]], dtype=torch.uint8)
    channels = one_hot(mask, [200, 7, 5])
    assert channels.dtype == torch.float32
    assert channels.tolist() == [[[0, 0], [1, 0]], [[0, 1], [0, 1]], [[0, 0], [0, 0]]]
    assert one_hot(mask, []).shape == (0, 2, 2)
    assert torch.equal(one_hot(torch.stack([mask, mask]), [200, 7, 5])[1], channels)
