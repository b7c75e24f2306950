"""Space-time memory: affinity, readout and soft aggregation. Nothing here has learnt parameters.

Legend: B batch (videos or objects), CK key channels, CV value channels, N memory positions
(frames x h x w, in any layout), h w feature grid of the query, M = h*w query positions. All
arithmetic is float32, even under autocast.

Sources: MiVOS (CVPR 2021), section 3.2 and appendix (top-k); STM (ICCV 2019), section 3.2 (memory
read); Seong et al. (ECCV 2020), section 4.2 (kernelized memory).
"""

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from model.plans import Plan, plan_for, sum_of_rows


def affinity(
    memory_key: Tensor,
    query_key: Tensor,
    *,
    top_k: int | None = None,
    kernel_sigma: float | None = None,
) -> Tensor:
    """Compute the weight with which each query position reads from each memory position.

    This dense form holds N x M floats and is differentiable; training and correspondence use it.
    `read` multiplies the affinity by values without ever holding the whole matrix.

    Arguments:
        memory_key: (B, CK, ...) with N positions.
        query_key: (B, CK, h, w).
        top_k: for each query position, use only the k memory positions with the highest scores (all
            of them if k exceeds N); None uses all.
        kernel_sigma: before the top k are chosen, weight each memory position by a Gaussian centred
            on the query position that it matches best, with this standard deviation in feature
            cells; None applies no Gaussian.
    Returns:
        (B, N, M), float32 in [0, 1]; sums to 1 over the memory positions.
    """
    keys = memory_key.flatten(2).transpose(1, 2)  # B, N, CK
    query = query_key.flatten(2).transpose(1, 2)  # B, M, CK
    with torch.autocast(query.device.type, enabled=False):
        scores = similarity(query, keys)  # B, M, N
        if kernel_sigma is not None:
            height, width = query_key.shape[-2:]
            centre = scores.argmax(1)  # B, N: the best query position for each memory position
            rows = torch.arange(height * width, device=query.device)
            scores = scores - distances(centre, rows, width) / (2 * kernel_sigma**2)
        if top_k is not None:
            scores = keep_top(scores, top_k)
        return scores.softmax(-1).transpose(1, 2)


def readout(affinity: Tensor, values: Tensor) -> Tensor:
    """Sum the values of the memory for each query position, weighted by the affinity.

    Arguments:
        affinity: (B, N, M).
        values: (B, CV, ...) with N positions.
    Returns:
        (B, CV, M), in the dtype of `values`.
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
    """Read the memory of one object without ever holding the whole N x M affinity matrix.

    The result is that of `readout(affinity(...), ...)`, but the memory is processed in parts, for
    one chunk of the query at a time, so that the extra space needed does not grow with N.

    Arguments:
        keys: (N, CK), one row per memory position, or a list of blocks of such rows.
        values: (N, CV), likewise.
        query_key: (CK, h, w).
        top_k: see `affinity`.
        kernel_sigma: see `affinity`.
    Returns:
        (CV, h, w), float32.
    """
    key_blocks = [keys] if isinstance(keys, Tensor) else keys
    value_blocks = [values] if isinstance(values, Tensor) else values
    height, width = query_key.shape[-2:]
    query = query_key.flatten(1).T.contiguous()  # M, CK
    plan = plan_for(query.device)
    with torch.autocast(query.device.type, enabled=False):
        # 1. Split the memory into parts and the query into chunks.
        parts = [part for block in key_blocks for part in block.split(plan.part)]
        positions = torch.arange(len(query), device=query.device).split(plan.chunk)
        # 2. For kernelized memory, find the query position that each memory position matches best.
        rights: Sequence[Tensor | None] = [None] * len(parts)
        if kernel_sigma is not None:
            centres = torch.cat([best_query(part, query, plan) for part in parts])
            rights = right_factor(centres, width).split([len(part) for part in parts], -1)
        out = []
        for chunk, rows in zip(query.split(plan.chunk), positions, strict=True):
            left = None if kernel_sigma is None else left_factor(rows, width)
            # 3. Compare a chunk of the query with every part. This is a generator, so that the
            #    scores of only one part are held at a time.
            scores = (
                part_scores(chunk, part, left, right, kernel_sigma)
                for part, right in zip(parts, rights, strict=True)
            )  # each (len(chunk), n)
            # 4. Take the softmax over the whole memory or over the top k, and sum the values.
            if top_k is None:
                value_parts = [part for block in value_blocks for part in block.split(plan.part)]
                out.append(weighted_values(scores, value_parts))
            else:
                weights, index = top_of_parts(scores, top_k)
                out.append(sum_of_rows(weights, index, value_blocks, plan.sum_of_block))
    return torch.cat(out).T.reshape(-1, height, width)


def part_scores(
    query: Tensor, keys: Tensor, left: Tensor | None, right: Tensor | None, sigma: float | None
) -> Tensor:
    """Compute the scores of one part of the memory; their softmax is the affinity.

    The Gaussian of kernelized memory is applied here by adding its logarithm: as a factor, it
    would underflow far from the centre and leave all those positions tied at zero.

    Arguments:
        query: (M, CK), a chunk of the query.
        keys: (n, CK), a part of the memory.
        left: (M, 4), the `left_factor` of the chunk; None without kernelized memory.
        right: (4, n), the `right_factor` of the part; None without kernelized memory.
        sigma: standard deviation of the Gaussian, in feature cells; None without kernelized memory.
    Returns:
        (M, n), float32.
    """
    scores = similarity(query, keys)
    if left is None or right is None or sigma is None:
        return scores
    return scores.addmm_(left, right, alpha=-1 / (2 * sigma**2))


def similarity(query: Tensor, keys: Tensor) -> Tensor:
    """Inner products of (..., M, CK) and (..., N, CK), divided by sqrt(CK): (..., M, N)."""
    return (query.float() / math.sqrt(query.shape[-1])) @ keys.float().transpose(-1, -2)


def distances(centre: Tensor, rows: Tensor, width: int) -> Tensor:
    """Squared distances (..., M, N), in feature cells, between two sets of grid positions.

    Positions, `centre` (..., N) and `rows` (M,), are counted row by row in a grid of this width.
    """
    return left_factor(rows, width) @ right_factor(centre, width)


def left_factor(rows: Tensor, width: int) -> Tensor:
    """The left one of two matrices whose product is `distances`: (M, 4).

    (y - y')^2 + (x - x')^2 = (y^2 + x^2) * 1 + 1 * (y'^2 + x'^2) + y * -2y' + x * -2x'

    All terms are integers, so the product is exact.
    """
    y, x = (rows // width).float(), (rows % width).float()
    return torch.stack([y * y + x * x, torch.ones_like(y), y, x], -1)


def right_factor(centre: Tensor, width: int) -> Tensor:
    """The right one of these matrices: (..., 4, N)."""
    y, x = (centre // width).float(), (centre % width).float()
    return torch.stack([torch.ones_like(y), y * y + x * x, -2 * y, -2 * x], -2)


def best_query(keys: Tensor, query: Tensor, plan: Plan) -> Tensor:
    """For each memory position (n, CK), find the most similar query position (M, CK): (n,)."""
    parts = keys.split(plan.chunk * plan.part // len(query) + 1)
    return torch.cat([similarity(part, query).argmax(-1) for part in parts])


def keep_top(scores: Tensor, top_k: int) -> Tensor:
    """Set all but the k largest scores in each row of (..., M, N) to -inf."""
    top, index = scores.topk(min(top_k, scores.shape[-1]), dim=-1)
    return torch.full_like(scores, -torch.inf).scatter(-1, index, top)


def weighted_values(scores: Iterable[Tensor], values: Iterable[Tensor]) -> Tensor:
    """Take the softmax over the scores (M, n) of all parts and sum the values (n, CV): (M, CV)."""
    # 1. The softmax within each part, and the logsumexp of its scores, which weights the part.
    sums, results = [], []
    for part, value in zip(scores, values, strict=True):
        sums.append(part.logsumexp(-1))
        results.append(part.softmax(-1) @ value.float())
    # 2. The softmax over the parts.
    shares = torch.stack(sums).softmax(0)  # parts, M
    weighted = (share[:, None] * result for share, result in zip(shares, results, strict=True))
    return sum(weighted, start=torch.zeros_like(results[0]))


def top_of_parts(scores: Iterable[Tensor], top_k: int) -> tuple[Tensor, Tensor]:
    """Find the k largest scores over all parts (M, n) of the memory.

    Returns their softmax weights (M, k) and their memory positions (M, k).
    """
    # 1. The k largest scores within each part.
    top_scores, positions, start = [], [], 0
    for part in scores:
        score, position = part.topk(min(top_k, part.shape[-1]), dim=-1)
        top_scores.append(score)
        positions.append(position + start)
        start += part.shape[-1]
    # 2. The k largest among those.
    top, index = torch.cat(top_scores, -1), torch.cat(positions, -1)
    top, chosen = top.topk(min(top_k, top.shape[-1]), dim=-1)
    return top.softmax(-1), index.gather(-1, chosen)


def aggregate_logits(prob: Tensor) -> Tensor:
    """Soft aggregation of independent object probabilities, STM (ICCV 2019), section 3.4.

    Arguments:
        prob: (..., K, H, W) in [0, 1].
    Returns:
        Logits (..., K+1, H, W) in float32; channel 0 is the background. Their softmax over the
        channels gives the joint probabilities.
    """
    prob = prob.float()
    background = (1 - prob).prod(-3, keepdim=True)
    return torch.cat([background, prob], -3).clamp(1e-7, 1 - 1e-7).logit()


def aggregate(prob: Tensor) -> Tensor:
    """Turn independent object probabilities into joint ones, which sum to 1 over the channels.

    Arguments:
        prob: (..., K, H, W) in [0, 1].
    Returns:
        (..., K+1, H, W), float32; channel 0 is the background.
    """
    return aggregate_logits(prob).softmax(-3)
