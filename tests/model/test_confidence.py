"""The confidence of masks: what it is in cases that can be counted by hand."""

import pytest
import torch

from model.confidence import confidence


def test_certain_masks_have_confidence_1():
    prob = torch.eye(3)[torch.tensor([[0, 1, 1], [2, 2, 0]])].permute(2, 0, 1)
    assert confidence(prob, [4, 9]) == {4: 1.0, 9: 1.0}


def test_it_is_the_overlap_of_the_mask_with_the_probabilities():
    objects = torch.tensor([[[0.9, 0.7, 0.3, 0.1]], [[0.0, 0.1, 0.1, 0.8]]])
    prob = torch.cat([1 - objects.sum(0, keepdim=True), objects])
    found = confidence(prob, [7, 3])
    assert found[7] == pytest.approx((0.9 + 0.7) / (2 + 0.3 + 0.1))
    assert found[3] == pytest.approx(0.8 / (1 + 0.1 + 0.1))


def test_without_pixels_it_is_the_probability_that_the_object_is_absent():
    prob = torch.tensor([0.6, 0.4]).view(2, 1, 1).expand(2, 4, 5)
    assert confidence(prob, [1]) == {1: pytest.approx(0.6)}
    assert confidence(torch.ones(1, 4, 5), []) == {}


@pytest.mark.parametrize('missing', ['outside', 'inside'])
def test_doubt_lowers_it_wherever_it_is(missing):
    mask = torch.zeros(8, 8)
    mask[2:6, 2:6] = 0.9
    doubtful = mask.clone()
    doubtful[(mask == 0) if missing == 'outside' else (mask > 0)] = {'outside': 0.3, 'inside': 0.6}[
        missing
    ]
    sure, less = (confidence(torch.stack([1 - p, p]), [1])[1] for p in (mask, doubtful))
    assert 0 < less < sure < 1


def test_random_probabilities_stay_between_0_and_1():
    torch.manual_seed(0)
    for scale in (0.1, 1, 30):
        prob = (scale * torch.randn(6, 9, 7)).softmax(0)
        assert all(0 <= number <= 1 for number in confidence(prob, range(1, 6)).values())


def test_ids_must_match_the_channels():
    with pytest.raises(ValueError):
        confidence(torch.ones(3, 2, 2), [1])
