"""Merging a user's mask into the propagated result of a frame.

Legend: K objects, H W image size.
"""

from collections.abc import Sequence

from torch import Tensor

from model.memory import aggregate
from util.tensor import one_hot


def merge(prob: Tensor, mask: Tensor, object_ids: Sequence[int], *, whole: bool) -> Tensor:
    """Merge a mask into the propagated probabilities.

    Where the mask shows an object, that object gets probability 1 and all others 0. Elsewhere, an
    object that the mask shows gets 0, and the others keep their propagated probabilities or, if the
    mask is whole, get 0. Finally, all of them are aggregated again.

    Arguments:
        prob: (K+1, H, W), for the first K of the objects.
        mask: (H, W) of ids, 0 for the background.
        object_ids: ids of all objects, those that are new in this mask at the end.
        whole: whether 0 says that there is no object, rather than nothing.
    Returns:
        Probabilities with a channel for the background and one for each of object_ids.
    """
    masks = one_hot(mask, object_ids)
    if not whole:
        known = masks[: len(prob) - 1]
        is_shown = known.amax((1, 2), keepdim=True) > 0
        known += prob[1:] * ((mask == 0) & ~is_shown)
    return aggregate(masks)
