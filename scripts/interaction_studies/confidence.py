"""Which measure tells best how good a mask is, without knowing the ground truth."""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from inference_core import InferenceCore
from model.confidence import confidence
from model.network import STRIDE

BORDER = 3  # pixels on each side of a mask's border that belong to it


class Seen(NamedTuple):
    """What a measure may look at: one object in one frame."""

    prob: torch.Tensor  # K+1, h, w
    channel: int
    mask: torch.Tensor  # h, w bool: where this channel wins
    before: torch.Tensor  # the same in the frame before
    backward: torch.Tensor  # the same in a pass back from the last mask
    own: torch.Tensor  # one per cell: the share of the memory read that shows this object


def expected_iou(seen):
    """The measure that was chosen."""
    ids = range(1, len(seen.prob))
    return confidence(seen.prob, ids)[seen.channel]


def margin(seen):
    """How far the object is ahead of the second best in its mask."""
    best, second = seen.prob.topk(2, 0).values
    return (best - second)[seen.mask].mean().item()


def border(seen):
    """One minus the entropy along the border, in bits."""
    mask = seen.mask[None].float()
    side = 2 * BORDER + 1
    outer, inner = (s * F.max_pool2d(s * mask, side, 1, BORDER) for s in (1, -1))
    entropy = -(seen.prob * seen.prob.clamp_min(1e-12).log2()).sum(0)
    return 1 - entropy[(outer > inner)[0]].mean().item()


def decided(seen):
    """The size of the mask, against that and the number of pixels that are undecided."""
    p = seen.prob[seen.channel]
    size, undecided = seen.mask.sum(), ((p > 0.1) & (p < 0.9)).sum()
    return (size / (size + undecided)).item()


def area(seen):
    """How little the area has changed since the frame before."""
    areas = seen.mask.sum().item(), seen.before.sum().item()
    return min(areas) / max(areas)


def attention(seen):
    """The share of the object in what its mask reads from memory."""
    mask = F.adaptive_avg_pool2d(seen.mask[None].float(), seen.own.shape)[0]
    return ((seen.own * mask).sum() / mask.sum()).item()


def backward(seen):
    """The IoU with the mask of a pass back from the last mask that was found."""
    both = (seen.mask & seen.backward).sum()
    return (both / (seen.mask | seen.backward).sum()).item()


MEASURES = {
    'expected IoU': expected_iou, 'margin': margin, 'border': border, 'decided': decided,
    'area': area, 'attention': attention, 'backward': backward,
}  # fmt: skip


class OwnShare:
    """A network that remembers, of every cell, the share of each object in what it reads.

    Each value that it memorises has one channel more than that of the network it wraps: how far the
    object covers the cell. What is read of that channel is the share.
    """

    def __init__(self, network):
        self.network = network
        self.read = None  # K, h, w

    def __getattr__(self, name):
        return getattr(self.network, name)

    def memorize(self, image, masks):
        keys, values = self.network.memorize(image, masks)
        covered = F.avg_pool2d(masks, STRIDE).unsqueeze(2)
        return keys, torch.cat([values, covered], 2)

    def decode(self, query, readout):
        self.read = readout[0, :, -1]
        return self.network.decode(query, readout[:, :, :-1])


def measure(network, recordings):
    """Spearman's rank correlation of each measure with J, over the frames of each recording.

    For frames without pixels of an object, all measures are 1 - max of its probabilities. The last
    column is the mean difference between J and the expected IoU.
    """
    for recording in recordings:
        j, seen = zip(*looks(OwnShare(network), recording), strict=True)
        found = {
            name: [of(s) if s.mask.any() else 1 - s.prob[s.channel].max().item() for s in seen]
            for name, of in MEASURES.items()
        }
        figures = {name: rank_correlation(values, j) for name, values in found.items()}
        error = np.abs(np.subtract(found['expected IoU'], j)).mean()
        yield recording.name, {**figures, 'error': error}


def looks(network, recording):
    """Yield pairs for each object in each frame: its J, and it Seen."""
    core = InferenceCore(network)
    probs = [core.step(recording.images[0], recording.masks[0])]
    shares = [None]
    for image in recording.images[1:]:
        probs.append(core.step(image))
        shares.append(network.read)
    winners = [prob.max(0).indices for prob in probs]
    back = InferenceCore(network)
    ids = core.object_ids
    last = core.to_mask(probs[-1])
    returned = [back.step(recording.images[-1], last, ids)]
    returned += [back.step(image) for image in recording.images[-2::-1]]
    backward = [prob.max(0).indices for prob in reversed(returned)]
    for t in range(1, len(probs)):
        truth = recording.ground_truth[t]
        mask = core.to_mask(probs[t], truth.shape)
        for channel, number in enumerate(ids, 1):
            pictures = (winners[t], winners[t - 1], backward[t])
            now, before, again = (picture == channel for picture in pictures)
            seen = Seen(probs[t], channel, now, before, again, shares[t][channel - 1])
            yield iou(truth == number, mask == number), seen


def iou(a, b):
    return (a & b).sum() / (a | b).sum() if (a | b).any() else 1.0


def rank_correlation(a, b):
    """Spearman's rank correlation; 0 if all values of one of both are equal."""
    ranks = [ranks_of(values) for values in (a, b)]
    if any(np.ptp(r) == 0 for r in ranks):
        return 0.0
    return float(np.corrcoef(*ranks)[0, 1])


def ranks_of(values):
    """The ranks of values; equal ones share the mean of theirs."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[which]
