"""Pixels that nobody labelled (255 in the target) take no part in the loss or in the IoU."""

import pytest
import torch
import torch.nn.functional as F

from model.losses import count_labels, intersection_and_union, propagation_loss
from util.masks.codes import VOID


def draw(num_channels=3, side=20):
    """logits (2, 2, C, H, W), and a target whose upper half is void."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 2, num_channels, side, side, generator=generator).requires_grad_()
    target = torch.randint(num_channels, (2, 2, side, side), generator=generator)
    target[..., : side // 2, :] = VOID
    return logits, target, torch.ones(2, num_channels - 1)


def loss_of(logits, target, valid, fraction):
    return propagation_loss(logits, target, count_labels(target, valid), fraction)


@pytest.mark.parametrize('fraction', [1, 0.575, 0.15])
def test_the_loss_is_that_of_the_labelled_half(fraction):
    logits, target, valid = draw()
    loss = loss_of(logits, target, valid, fraction)
    half = loss_of(logits[..., 10:, :], target[..., 10:, :], valid, fraction)
    torch.testing.assert_close(loss, half)
    loss.backward()
    assert not logits.grad[..., :10, :].any() and logits.grad[..., 10:, :].any()


def test_the_hardest_pixels_are_a_share_of_the_labelled_ones():
    logits, target, valid = draw()
    every = F.cross_entropy(
        logits.flatten(0, 1), target.flatten(0, 1), reduction='none', ignore_index=VOID
    )
    hardest = every.flatten(1).sort(1, descending=True).values[:, : int(200 * 0.15)]
    expected = hardest.mean(1).sum() / 2
    torch.testing.assert_close(loss_of(logits, target, valid, 0.15), expected)


@pytest.mark.parametrize('fraction', [1, 0.15])
def test_a_frame_without_labels_costs_nothing(fraction):
    logits, target, valid = draw()
    target[0] = VOID
    loss = loss_of(logits, target, valid, fraction)
    torch.testing.assert_close(loss, loss_of(logits[1:], target[1:], valid[1:], fraction) / 2)
    loss.backward()
    assert logits.grad.isfinite().all() and not logits.grad[0].any()


def test_intersection_and_union_leave_void_out():
    logits, target, _ = draw()
    found = intersection_and_union(logits, target)
    expected = intersection_and_union(logits[..., 10:, :], target[..., 10:, :])
    for one, other in zip(found, expected, strict=True):
        assert one.tolist() == other.tolist()
