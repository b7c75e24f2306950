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
import torch.nn.functional as F
from torch import Tensor

# `read` computes CHUNK x PART affinities (query x memory positions) at a time: 16 MiB of float32.
# Larger chunks of the query read the keys fewer times; smaller parts of the memory fit the cache.
CHUNK, PART = 256, 16384


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
    query = query_key.flatten(1).T  # M, CK
    with torch.autocast(query.device.type, enabled=False):
        # 1. Split the memory into parts and the query into chunks.
        parts = [part for block in key_blocks for part in block.split(PART)]
        chunks = torch.arange(len(query), device=query.device).split(CHUNK)
        # 2. For kernelized memory, find the query position that each memory position matches best.
        centres = [None if kernel_sigma is None else best_query(part, query) for part in parts]
        out = []
        for rows in chunks:
            # 3. Compare a chunk of the query with every part. This is a generator, so that the
            #    scores of only one part are held at a time.
            scores = (
                part_scores(query[rows], part, rows, centre, width, kernel_sigma)
                for part, centre in zip(parts, centres, strict=True)
            )  # each (len(rows), n)
            # 4. Take the softmax over the whole memory or over the top k, and sum the values.
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
    """Compute the scores of one part of the memory; their softmax is the affinity.

    The Gaussian of kernelized memory is applied here by adding its logarithm: as a factor, it
    would underflow far from the centre and leave all those positions tied at zero.

    Arguments:
        query: (M, CK), a chunk of the query.
        keys: (n, CK), a part of the memory.
        rows: (M,), the positions in the feature grid that the chunk covers.
        centre: (n,), see `best_query`; None without kernelized memory.
        width: width of the feature grid.
        sigma: standard deviation of the Gaussian, in feature cells; None without kernelized memory.
    Returns:
        (M, n), float32.
    """
    scores = similarity(query, keys)
    if centre is None or sigma is None:
        return scores
    return scores.addmm_(*distance_factors(centre, rows, width), alpha=-1 / (2 * sigma**2))


def similarity(query: Tensor, keys: Tensor) -> Tensor:
    """Inner products of (..., M, CK) and (..., N, CK), divided by sqrt(CK): (..., M, N)."""
    return (query.float() / math.sqrt(query.shape[-1])) @ keys.float().transpose(-1, -2)


def distances(centre: Tensor, rows: Tensor, width: int) -> Tensor:
    """Squared distances (..., M, N), in feature cells, between two sets of grid positions.

    Positions, `centre` (..., N) and `rows` (M,), are counted row by row in a grid of this width.
    """
    left, right = distance_factors(centre, rows, width)
    return left @ right


def distance_factors(centre: Tensor, rows: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Factorise `distances` into a matrix product of (M, 4) and (..., 4, N).

    (y - y')^2 + (x - x')^2 = (y^2 + x^2) * 1 + 1 * (y'^2 + x'^2) + y * -2y' + x * -2x'

    All terms are integers, so the product is exact.
    """
    y, x = (rows // width).float(), (rows % width).float()
    left = torch.stack([y * y + x * x, torch.ones_like(y), y, x], -1)
    y, x = (centre // width).float(), (centre % width).float()
    return left, torch.stack([torch.ones_like(y), y * y + x * x, -2 * y, -2 * x], -2)


def best_query(keys: Tensor, query: Tensor) -> Tensor:
    """For each memory position (n, CK), find the most similar query position (M, CK): (n,)."""
    parts = keys.split(CHUNK * PART // len(query) + 1)
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


def sum_of_rows(weights: Tensor, index: Tensor, values: Sequence[Tensor]) -> Tensor:
    """Weighted sum of k value rows per query position.

    A matrix product would multiply nearly all rows by zero; this adds up only the k chosen rows.

    Arguments:
        weights: (M, k).
        index: (M, k), row numbers, counted across all blocks.
        values: blocks (n, CV).
    Returns:
        (M, CV).
    """
    out = weights.new_zeros(len(weights), values[0].shape[-1])
    start = 0
    for block in values:
        here = (index >= start) & (index < start + len(block))
        ends = here.sum(-1).cumsum(0)  # M: end of each query position's rows within this block
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
