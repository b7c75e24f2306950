"""The training loss: cross entropy over the hardest pixels. Legend: B batch, K objects, T frames.

MiVOS (CVPR 2021), appendix; Pohlen et al., CVPR 2017 (bootstrapped cross entropy).
"""

import torch
import torch.nn.functional as F

BOOTSTRAP = 20_000, 70_000  # iterations
FINAL_FRACTION = 0.15


def kept_fraction(iteration, bootstrap=BOOTSTRAP):
    """The share of a frame's pixels that counts: 1, then falling to 0.15 on a line, then 0.15.

    bootstrap: the iterations between which it falls; the published ones suit a long training.
    """
    start, end = bootstrap
    rest = (end - iteration) / (end - start)
    return FINAL_FRACTION + (1 - FINAL_FRACTION) * min(max(rest, 0.0), 1.0)


def bootstrapped_cross_entropy(logits, target, fraction):
    """Mean over the hardest `fraction` of the pixels of one frame of one sample.

    logits (C, H, W), target (H, W) of channel numbers.
    """
    loss = F.cross_entropy(logits[None].float(), target[None], reduction='none').flatten()
    if fraction >= 1:
        return loss.mean()
    return loss.topk(int(len(loss) * fraction), sorted=False).values.mean()


def propagation_loss(logits, target, valid, fraction):
    """The loss of a rollout: mean over the batch, sum over the frames.

    logits (B, T-1, K+1, H, W), target (B, T-1, H, W) of 0..K, valid (B, K) 0 where a sample lacks
    an object: its channels do not take part then (objects fill the channels from the first).
    """
    num_channels = (1 + valid.sum(1).int()).tolist()  # B; at once, not a number at a time
    losses = [
        bootstrapped_cross_entropy(logits[b, t, : num_channels[b]], target[b, t], fraction)
        for b in range(logits.shape[0])
        for t in range(logits.shape[1])
    ]
    return torch.stack(losses).sum() / len(logits)


def intersection_and_union(logits, target):
    """Pixels, summed over batch and frames, per object: two int64 tensors (K,).

    logits (B, T-1, K+1, H, W), target (B, T-1, H, W).
    """
    predicted = logits.argmax(2)
    ids = torch.arange(1, logits.shape[2], device=logits.device).view(-1, 1, 1, 1, 1)
    a, b = predicted[None] == ids, target[None] == ids  # K, B, T-1, H, W
    return (a & b).flatten(1).sum(1), (a | b).flatten(1).sum(1)
