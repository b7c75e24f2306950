"""Space-time memory: affinity, reading, soft aggregation. Functions without parameters.

Legend: B batch (videos or objects), CK key channels, CV value channels, N memory positions
(frames x h x w, any layout), h w the query's feature grid, M = h*w. All arithmetic is float32,
also under autocast. MiVOS (CVPR 2021), section 3.2 (top-k) and appendix; STM (ICCV 2019), section
3.2 (the read); Seong et al., ECCV 2020, section 4.2 (kernelized memory).
"""

import math
from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

# `read` holds CHUNK x PART affinities at once: 16 MiB of float32. With a larger chunk of the query
# the keys are read less often; a smaller part of the memory stays in the cache.
CHUNK, PART = 256, 16384


def affinity(
    memory_key: Tensor,
    query_key: Tensor,
    *,
    top_k: int | None = None,
    kernel_sigma: float | None = None,
) -> Tensor:
    """How much each query position takes from each memory position; sums to 1 over the memory.

    This is the dense form, for training and correspondence: it holds N x M floats, and gradients
    flow through it. `read` gives its product with values without ever holding that matrix.

    Arguments:
        memory_key: (B, CK, ...) with N positions.
        query_key: (B, CK, h, w).
        top_k: keep only the k largest of each query position; all of them if k exceeds N.
        kernel_sigma: before the top k are taken, weight each memory position by a Gaussian of this
            standard deviation (in feature cells) around the query position that it matches best.
    Returns:
        (B, N, M) in [0, 1], float32.
    """
    keys = memory_key.flatten(2).transpose(1, 2)  # B, N, CK
    query = query_key.flatten(2).transpose(1, 2)  # B, M, CK
    with torch.autocast(query.device.type, enabled=False):
        scores = similarity(query, keys)  # B, M, N
        if kernel_sigma is not None:
            height, width = query_key.shape[-2:]
            centre = scores.argmax(1)  # B, N: the query position that each memory position matches
            rows = torch.arange(height * width, device=query.device)
            scores = scores - distances(centre, rows, width) / (2 * kernel_sigma**2)
        if top_k is not None:
            scores = keep_top(scores, top_k)
        return scores.softmax(-1).transpose(1, 2)


def readout(affinity: Tensor, values: Tensor) -> Tensor:
    """Sum the values that each query position takes.

    affinity (B, N, M), values (B, CV, ...) with N positions -> (B, CV, M), in the dtype of values.
    """
    return values.flatten(2) @ affinity.to(values.dtype)


def read(
    keys: Tensor | Sequence[Tensor],
    values: Tensor | Sequence[Tensor],
    query_key: Tensor,
    *,
    top_k: int | None = None,
    kernel_sigma: float | None = None,
) -> Tensor:
    """What `readout(affinity(..))` computes for one object, without ever holding the N x M matrix.

    It goes through parts of the memory for a chunk of the query at a time, so the room that it
    needs does not grow with N.

    Arguments:
        keys, values: (N, CK) and (N, CV), positions as rows; or lists of blocks of such rows,
            which together are the memory.
        query_key: (CK, h, w).
        top_k, kernel_sigma: see `affinity`.
    Returns:
        (CV, h, w), float32.
    """
    key_blocks = [keys] if isinstance(keys, Tensor) else keys
    value_blocks = [values] if isinstance(values, Tensor) else values
    height, width = query_key.shape[-2:]
    query = query_key.flatten(1).T  # M, CK
    with torch.autocast(query.device.type, enabled=False):
        # 1. split the memory into parts and the query into chunks
        parts = [part for block in key_blocks for part in block.split(PART)]
        chunks = torch.arange(len(query), device=query.device).split(CHUNK)
        # 2. for kernelized memory, find the query position that each memory position matches best
        centres = [None if kernel_sigma is None else best_query(part, query) for part in parts]
        out = []
        for rows in chunks:
            # 3. compare a chunk of the query with every part; a generator, so one part at a time
            scores = (
                part_scores(query[rows], part, rows, centre, width, kernel_sigma)
                for part, centre in zip(parts, centres, strict=True)
            )  # rows, n each
            # 4. softmax over all of the memory, or over the top k, and the sum of the values
            if top_k is None:
                value_parts = [part for block in value_blocks for part in block.split(PART)]
                out.append(weighted_values(scores, value_parts))
            else:
                weights, index = top_of_parts(scores, top_k)
                out.append(sum_of_rows(weights, index, value_blocks))
    return torch.cat(out).T.reshape(-1, height, width)


def part_scores(
    query: Tensor,
    keys: Tensor,
    rows: Tensor,
    centre: Tensor | None,
    width: int,
    sigma: float | None,
) -> Tensor:
    """Scores (M, n) of a part of the memory, the kernel included; their softmax is the affinity.

    The kernel's weight is added as a logarithm, so that positions far from their centre do not
    underflow to ties at zero.

    Arguments:
        query: (M, CK), a chunk of the query.
        keys: (n, CK), a part of the memory.
        rows: (M,), which positions of the frame the chunk holds.
        centre: (n,), see `best_query`; None without the kernel.
        width: of the feature grid.
        sigma: of the kernel, in feature cells; None without it.
    """
    scores = similarity(query, keys)
    if centre is None or sigma is None:
        return scores
    return scores.addmm_(*distance_factors(centre, rows, width), alpha=-1 / (2 * sigma**2))


def similarity(query: Tensor, keys: Tensor) -> Tensor:
    """Inner products (..., M, N) of (..., M, CK) and (..., N, CK), divided by the root of CK."""
    return (query.float() / math.sqrt(query.shape[-1])) @ keys.float().transpose(-1, -2)


def distances(centre: Tensor, rows: Tensor, width: int) -> Tensor:
    """Squared distances (..., M, N) in feature cells.

    centre (..., N) and rows (M,): positions in the grid, which has this width.
    """
    left, right = distance_factors(centre, rows, width)
    return left @ right


def distance_factors(centre: Tensor, rows: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Two factors (M, 4), (..., 4, N) whose product is `distances`: whole numbers, so exact.

    (y - y')^2 + (x - x')^2 = (y^2 + x^2) * 1 + 1 * (y'^2 + x'^2) + y * -2y' + x * -2x'
    """
    y, x = (rows // width).float(), (rows % width).float()
    left = torch.stack([y * y + x * x, torch.ones_like(y), y, x], -1)
    y, x = (centre // width).float(), (centre % width).float()
    return left, torch.stack([torch.ones_like(y), y * y + x * x, -2 * y, -2 * x], -2)


def best_query(keys: Tensor, query: Tensor) -> Tensor:
    """The query position (M, CK) that each memory position (n, CK) is most similar to: (n,)."""
    parts = keys.split(CHUNK * PART // len(query) + 1)
    return torch.cat([similarity(part, query).argmax(-1) for part in parts])


def keep_top(scores: Tensor, top_k: int) -> Tensor:
    """Set all but the top_k largest of each row of scores (..., M, N) to -inf."""
    top, index = scores.topk(min(top_k, scores.shape[-1]), dim=-1)
    return torch.full_like(scores, -torch.inf).scatter(-1, index, top)


def weighted_values(scores: Iterable[Tensor], values: Iterable[Tensor]) -> Tensor:
    """Softmax over the scores (M, n) of all parts, applied to their values (n, CV): (M, CV)."""
    # 1. a softmax within each part, and how much the part weighs as a whole
    sums, results = [], []
    for part, value in zip(scores, values, strict=True):
        sums.append(part.logsumexp(-1))
        results.append(part.softmax(-1) @ value.float())
    # 2. a softmax over the parts
    shares = torch.stack(sums).softmax(0)  # parts, M
    weighted = (share[:, None] * result for share, result in zip(shares, results, strict=True))
    return sum(weighted, start=torch.zeros_like(results[0]))


def top_of_parts(scores: Iterable[Tensor], top_k: int) -> tuple[Tensor, Tensor]:
    """The top_k largest scores over all parts (M, n) of the memory, as softmax weights (M, k).

    Also returns their memory positions (M, k).
    """
    # 1. the largest of each part
    top_scores, positions, start = [], [], 0
    for part in scores:
        score, position = part.topk(min(top_k, part.shape[-1]), dim=-1)
        top_scores.append(score)
        positions.append(position + start)
        start += part.shape[-1]
    # 2. the largest of these
    top, index = torch.cat(top_scores, -1), torch.cat(positions, -1)
    top, chosen = top.topk(min(top_k, top.shape[-1]), dim=-1)
    return top.softmax(-1), index.gather(-1, chosen)


def sum_of_rows(weights: Tensor, index: Tensor, values: Sequence[Tensor]) -> Tensor:
    """Sum the rows `index` (M, k) of the blocks of values (n, CV) by their weights (M, k): (M, CV).

    It adds k rows per position; a matrix product would multiply nearly all rows by zero.
    """
    out = weights.new_zeros(len(weights), values[0].shape[-1])
    start = 0
    for block in values:
        here = (index >= start) & (index < start + len(block))
        ends = here.sum(-1).cumsum(0)  # where each position's rows of this block end
        out = out + F.embedding_bag(
            index[here] - start,
            block.float(),
            torch.cat([ends.new_zeros(1), ends[:-1]]),
            per_sample_weights=weights[here],
            mode='sum',
        )
        start += len(block)
    return out


def aggregate_logits(prob: Tensor) -> Tensor:
    """Soft aggregation: logits over background and objects from independent probabilities.

    prob (..., K, H, W) in [0, 1] -> (..., K+1, H, W), channel 0 the background. Their softmax over
    the channels is the joint probability. STM (ICCV 2019), section 3.4.
    """
    prob = prob.float()
    background = (1 - prob).prod(-3, keepdim=True)
    return torch.cat([background, prob], -3).clamp(1e-7, 1 - 1e-7).logit()


def aggregate(prob: Tensor) -> Tensor:
    """Joint probabilities of background and objects, which sum to 1, from independent ones.

    prob (..., K, H, W) in [0, 1] -> (..., K+1, H, W) float32, channel 0 the background.
    """
    return aggregate_logits(prob).softmax(-3)
