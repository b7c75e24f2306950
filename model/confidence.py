"""How far the mask of a frame can be trusted."""

from collections.abc import Sequence

from torch import Tensor


def confidence(prob: Tensor, object_ids: Sequence[int]) -> dict[int, float]:
    """A number in [0, 1] for each object: the lower it is, the sooner its mask needs a look.

    It is the IoU with the ground truth that the probabilities predict: that of the mask with the
    probabilities it was made from, sum(min) / sum(max). For an object without pixels, it is the
    probability that there is none, taken as 1 - max. The measure was chosen among others by its
    rank correlation with the true IoU (scripts/README.md).

    Arguments:
        prob: (K+1, H, W), as `InferenceCore.step` returns it; channel 0 is the background.
        object_ids: ids of the K objects.
    """
    winner = prob.max(0).indices
    numbers = {}
    for channel, (number, p) in enumerate(zip(object_ids, prob[1:], strict=True), 1):
        mask = winner == channel
        inside = p[mask].sum()
        overlap = inside / (mask.sum() + p.sum() - inside)
        numbers[number] = (overlap if mask.any() else 1 - p.max()).item()
    return numbers
