"""Space-time memory: affinity, reading, soft aggregation. Functions without parameters.

Legend: B batch (videos or objects), CK key channels, CV value channels, N memory positions
(frames x h x w, any layout), h w the query's feature grid, M = h*w. All arithmetic is float32,
also under autocast. MiVOS (CVPR 2021), section 3.2 (top-k) and appendix; STM (ICCV 2019), section
3.2 (the read); Seong et al., ECCV 2020, section 4.2 (kernelized memory).
"""

import math

import torch
import torch.nn.functional as F

# `read` holds CHUNK x PART affinities at once: 16 MiB of float32. Larger chunks of the query read
# the keys less often, smaller parts stay in the cache.
CHUNK, PART = 256, 16384


def affinity(memory_key, query_key, *, top_k=None, kernel_sigma=None):
    """How much each query position takes from each memory position; sums to 1 over memory.

    memory_key (B, CK, ...) with N positions, query_key (B, CK, h, w) -> (B, N, M) in [0, 1].
    top_k: keep only the k largest of each query position (k is clamped to N).
    kernel_sigma: weight each memory position by a Gaussian (in feature cells) around the query
    position that it matches best, before the top k are taken.

    This is the dense form, for training and correspondence: it holds N x M floats and gradients
    flow through it. `read` gives the product with values without ever holding that matrix.
    """
    keys = memory_key.flatten(2).transpose(1, 2)  # B, N, CK
    query = query_key.flatten(2).transpose(1, 2)  # B, M, CK
    with torch.autocast(query.device.type, enabled=False):
        scores = similarity(query, keys)  # B, M, N
        if kernel_sigma is not None:
            height, width = query_key.shape[-2:]
            centre = scores.argmax(1)  # B, N
            rows = torch.arange(height * width, device=query.device)
            scores = scores - distances(centre, rows, width) / (2 * kernel_sigma**2)
        if top_k is not None:
            scores = keep_top(scores, top_k)
        return scores.softmax(-1).transpose(1, 2)


def readout(affinity, values):
    """affinity (B, N, M), values (B, CV, ...) with N positions -> (B, CV, M), in values' dtype."""
    return values.flatten(2) @ affinity.to(values.dtype)


def read(keys, values, query_key, *, top_k=None, kernel_sigma=None):
    """What `readout(affinity(..))` computes for one object, without ever holding the N x M matrix.

    keys (N, CK), values (N, CV): positions as rows, or lists of such blocks, which together are the
    memory; query_key (CK, h, w) -> (CV, h, w). Works through parts of the memory for some query
    positions at a time, so that the room it needs does not grow with N.
    """
    keys, values = ([x] if torch.is_tensor(x) else x for x in (keys, values))
    height, width = query_key.shape[-2:]
    query = query_key.flatten(1).T  # M, CK
    with torch.autocast(query.device.type, enabled=False):
        parts = [part for block in keys for part in block.split(PART)]
        chunks = torch.arange(len(query), device=query.device).split(CHUNK)
        centres = [None] * len(parts)
        if kernel_sigma is not None:
            centres = [best_query(part, query) for part in parts]
        out = []
        for rows in chunks:
            scores = (
                part_scores(query[rows], part, rows, centre, width, kernel_sigma)
                for part, centre in zip(parts, centres, strict=True)
            )  # rows, n each
            if top_k is None:
                out.append(weighted_values(scores, [v for x in values for v in x.split(PART)]))
            else:
                out.append(sum_of_rows(*top_of_parts(scores, top_k), values))
    return torch.cat(out).T.reshape(-1, height, width)


def part_scores(query, keys, rows, centre, width, sigma):
    """query (M, CK) at the positions `rows`, a part of the keys (n, CK) -> (M, n).

    The kernel's weight is added as a logarithm, so that positions far from their centre do not
    underflow to ties at zero.
    """
    scores = similarity(query, keys)
    if centre is None:
        return scores
    return scores.addmm_(*distance_factors(centre, rows, width), alpha=-1 / (2 * sigma**2))


def similarity(query, keys):
    """(..., M, CK), (..., N, CK) -> scaled inner products (..., M, N)."""
    return (query.float() / math.sqrt(query.shape[-1])) @ keys.float().transpose(-1, -2)


def distances(centre, rows, width):
    """Squared, in feature cells: centre (..., N) and rows (M,), positions -> (..., M, N)."""
    left, right = distance_factors(centre, rows, width)
    return left @ right


def distance_factors(centre, rows, width):
    """Two factors (M, 4), (..., 4, N) whose product is `distances`: whole numbers, so exact."""
    y, x = (rows // width).float(), (rows % width).float()
    left = torch.stack([y * y + x * x, torch.ones_like(y), y, x], -1)
    y, x = (centre // width).float(), (centre % width).float()
    return left, torch.stack([torch.ones_like(y), y * y + x * x, -2 * y, -2 * x], -2)


def best_query(keys, query):
    """For every memory position (n, CK) the query position (M, CK) it is most similar to: (n,)."""
    parts = keys.split(CHUNK * PART // len(query) + 1)
    return torch.cat([similarity(part, query).argmax(-1) for part in parts])


def keep_top(scores, top_k):
    """(..., M, N): all but the top_k largest of each row become -inf."""
    top, index = scores.topk(min(top_k, scores.shape[-1]), dim=-1)
    return torch.full_like(scores, -torch.inf).scatter(-1, index, top)


def weighted_values(scores, values):
    """Softmax over all of the memory's parts (M, n), applied to their values (n, CV) -> (M, CV)."""
    sums, results = [], []
    for part, value in zip(scores, values, strict=True):
        sums.append(part.logsumexp(-1))
        results.append(part.softmax(-1) @ value.float())
    shares = torch.stack(sums).softmax(0)  # parts, M
    return sum(share[:, None] * result for share, result in zip(shares, results, strict=True))


def top_of_parts(scores, top_k):
    """The top_k largest over parts (M, n) of the memory -> weights, positions (M, k).

    Each part's own largest first, then the largest of these.
    """
    top, index, start = [], [], 0
    for part in scores:
        score, position = part.topk(min(top_k, part.shape[-1]), dim=-1)
        top.append(score)
        index.append(position + start)
        start += part.shape[-1]
    top, index = torch.cat(top, -1), torch.cat(index, -1)
    top, chosen = top.topk(min(top_k, top.shape[-1]), dim=-1)
    return top.softmax(-1), index.gather(-1, chosen)


def sum_of_rows(weights, index, values):
    """weights, index (M, k) into the rows of blocks of values (n, CV) -> (M, CV).

    k rows a position, instead of a product with a matrix that is zero nearly everywhere.
    """
    out, start = 0, 0
    for block in values:
        here = (index >= start) & (index < start + len(block))
        ends = here.sum(-1).cumsum(0)  # of each position's rows in this block
        out = out + F.embedding_bag(
            index[here] - start,
            block.float(),
            torch.cat([ends.new_zeros(1), ends[:-1]]),
            per_sample_weights=weights[here],
            mode='sum',
        )
        start += len(block)
    return out


def aggregate_logits(prob):
    """Soft aggregation: independent object probabilities -> logits over background and objects.

    prob (..., K, H, W) in [0, 1] -> (..., K+1, H, W), channel 0 the background; their softmax over
    the channels is the joint probability. STM (ICCV 2019), section 3.4.
    """
    prob = prob.float()
    background = (1 - prob).prod(-3, keepdim=True)
    return torch.cat([background, prob], -3).clamp(1e-7, 1 - 1e-7).logit()


def aggregate(prob):
    """prob (..., K, H, W) in [0, 1] -> joint probability (..., K+1, H, W), sums to 1, float32."""
    return aggregate_logits(prob).softmax(-3)
