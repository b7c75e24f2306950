"""How far the mask of a frame can be trusted."""

from collections.abc import Sequence

from torch import Tensor


def confidence(prob: Tensor, object_ids: Sequence[int]) -> dict[int, float]:
    """A number in [0, 1] for each object: the lower it is, the sooner its mask needs a look.

    It is the IoU of the mask with the probabilities that it was made from, sum(min) / sum(max):
    the IoU with the ground truth that they predict. An object without pixels gets 0. The measure
    was chosen among others by its rank correlation with the true IoU (scripts/README.md).

    Arguments:
        prob: (K+1, H, W), as `InferenceCore.step` returns it; channel 0 is the background.
        object_ids: ids of the K objects.
    """
    winner = prob.max(0).indices
    numbers = {}
    for channel, (number, p) in enumerate(zip(object_ids, prob[1:], strict=True), 1):
        mask = winner == channel
        inside = p[mask].sum()
        union = mask.sum() + p.sum() - inside
        numbers[number] = (inside / union).item() if mask.any() else 0.0
    return numbers
