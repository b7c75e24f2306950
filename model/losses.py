"""The training loss: cross entropy over the hardest pixels.

Legend: B batch, K objects, T frames. MiVOS (CVPR 2021), appendix; Pohlen et al., CVPR 2017
(bootstrapped cross entropy).
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from util.masks.codes import VOID

BOOTSTRAP = 20_000, 70_000  # iterations
FINAL_FRACTION = 0.15


def kept_fraction(iteration: int, bootstrap: tuple[int, int] = BOOTSTRAP) -> float:
    """The fraction of a frame's pixels that counts: 1 at first, 0.15 in the end.

    bootstrap: the iterations between which it falls linearly. The default is the published one, for
    a long training.
    """
    start, end = bootstrap
    rest = (end - iteration) / (end - start)
    return FINAL_FRACTION + (1 - FINAL_FRACTION) * min(max(rest, 0.0), 1.0)


def bootstrapped_cross_entropy(
    logits: Tensor, target: Tensor, fraction: float, num_labelled: int
) -> Tensor:
    """Mean cross entropy over the hardest `fraction` of the pixels of one frame of one sample.

    Arguments:
        logits: (C, H, W).
        target: (H, W) of channel numbers; VOID takes no part.
        fraction: of the pixels that are not VOID.
        num_labelled: the number of these.
    """
    loss = F.cross_entropy(
        logits[None].float(), target[None], reduction='none', ignore_index=VOID
    ).flatten()  # 0 in void
    if fraction >= 1:
        return loss.sum() / max(num_labelled, 1)
    return loss.topk(max(int(num_labelled * fraction), 1), sorted=False).values.mean()


class LabelCounts(NamedTuple):
    """What the loss has to know about its target in advance."""

    channels: list[int]  # B; background and the objects that the sample has
    pixels: list[list[int]]  # B lists of T-1; pixels of each frame that are not VOID


def count_labels(target: Tensor, valid: Tensor) -> LabelCounts:
    """Count them for `propagation_loss`, which see.

    The tensors had better be on the CPU: reading numbers from a GPU waits for all of its work.
    """
    labelled = (target != VOID).flatten(2).sum(2)
    return LabelCounts((1 + valid.sum(1).long()).tolist(), labelled.tolist())


def propagation_loss(
    logits: Tensor, target: Tensor, counts: LabelCounts, fraction: float
) -> Tensor:
    """The loss of the predicted frames: mean over the batch, sum over the frames.

    Arguments:
        logits: (B, T-1, K+1, H, W).
        target: (B, T-1, H, W) of ids 0..K, VOID where nobody knows.
        counts: `count_labels` of the target and of valid (B, K), which is 0 where a sample has no
            such object. Objects fill the channels from the first; channels beyond them are left
            out.
        fraction: see `bootstrapped_cross_entropy`.
    """
    losses = [
        bootstrapped_cross_entropy(logits[b, t, :channels], target[b, t], fraction, pixels[t])
        for b, (channels, pixels) in enumerate(zip(*counts, strict=True))
        for t in range(logits.shape[1])
    ]
    return torch.stack(losses).sum() / len(logits)


def intersection_and_union(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Count the pixels of prediction and ground truth per object, over all samples and frames.

    logits (B, T-1, K+1, H, W), target (B, T-1, H, W) of ids 0..K; pixels that are VOID in it do not
    count. Returns two int64 tensors (K,).
    """
    predicted = torch.where(target == VOID, 0, logits.argmax(2))
    ids = torch.arange(1, logits.shape[2], device=logits.device).view(-1, 1, 1, 1, 1)
    a, b = predicted[None] == ids, target[None] == ids  # K, B, T-1, H, W
    return (a & b).flatten(1).sum(1), (a | b).flatten(1).sum(1)
