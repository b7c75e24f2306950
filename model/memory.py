"""Space-time memory: affinity, reading, soft aggregation. Functions without parameters.

Legend: B batch (videos or objects), CK key channels, CV value channels, N memory positions
(frames x h x w, any layout), h w the query's feature grid, M = h*w. All arithmetic is float32,
also under autocast. MiVOS (CVPR 2021), section 3.2 (top-k) and appendix; STM (ICCV 2019), section
3.2 (the read); Seong et al., ECCV 2020, section 4.2 (kernelized memory).
"""

import math

import torch
import torch.nn.functional as F

CHUNK_ELEMENTS = 4 << 20  # affinities held at once by `read`: 16 MiB of float32


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
            scores = scores + log_kernel(centre, rows, width, kernel_sigma)
        if top_k is not None:
            scores = keep_top(scores, top_k)
        return scores.softmax(-1).transpose(1, 2)


def readout(affinity, values):
    """affinity (B, N, M), values (B, CV, ...) with N positions -> (B, CV, M), in values' dtype."""
    return values.flatten(2) @ affinity.to(values.dtype)


def read(keys, values, query_key, *, top_k=None, kernel_sigma=None):
    """What `readout(affinity(..))` computes for one object, without ever holding the N x M matrix.

    keys (N, CK), values (N, CV): positions as rows, the layout of the memory bank;
    query_key (CK, h, w) -> (CV, h, w). Works through the query positions in chunks, so that the
    memory it needs does not grow with N.
    """
    height, width = query_key.shape[-2:]
    query = query_key.flatten(1).T  # M, CK
    # a chunk holds its scores (rows x N) and, on the way, the value rows it sums (rows x k x CV)
    per_row = max(len(keys), values.shape[1] * min(top_k or 0, len(keys)))
    chunks = torch.arange(len(query), device=query.device).split(max(1, CHUNK_ELEMENTS // per_row))
    with torch.autocast(query.device.type, enabled=False):
        centre = best_query(keys, query, chunks) if kernel_sigma is not None else None
        out = []
        for rows in chunks:
            scores = similarity(query[rows], keys)  # rows, N
            if centre is not None:
                scores += log_kernel(centre, rows, width, kernel_sigma)
            out.append(weighted_values(scores, values, top_k))
    return torch.cat(out).T.reshape(-1, height, width)


def similarity(query, keys):
    """(..., M, CK), (..., N, CK) -> scaled inner products (..., M, N)."""
    return (query.float() / math.sqrt(query.shape[-1])) @ keys.float().transpose(-1, -2)


def log_kernel(centre, rows, width, sigma):
    """Log of the Gaussian weight: centre (..., N) query positions, rows (M,) -> (..., M, N).

    Kept as a logarithm so that positions far from their centre do not underflow to ties at zero.
    """
    centre, rows = centre.unsqueeze(-2), rows.unsqueeze(-1)
    dy = rows // width - centre // width  # ..., M, N
    dx = rows % width - centre % width
    return (dy**2 + dx**2) / (-2 * sigma**2)


def best_query(keys, query, chunks):
    """For every memory position the query position of its largest similarity: (N,)."""
    best = keys.new_full((len(keys),), -torch.inf, dtype=torch.float32)
    centre = torch.zeros_like(best, dtype=torch.long)
    for rows in chunks:
        score, row = similarity(query[rows], keys).max(0)  # N
        centre = torch.where(score > best, rows[row], centre)
        best = torch.maximum(best, score)
    return centre


def keep_top(scores, top_k):
    """(..., M, N): all but the top_k largest of each row become -inf."""
    top, index = scores.topk(min(top_k, scores.shape[-1]), dim=-1)
    return torch.full_like(scores, -torch.inf).scatter(-1, index, top)


def weighted_values(scores, values, top_k):
    """Softmax over (the top_k of) scores (M, N), applied to values (N, CV) -> (M, CV)."""
    if top_k is None:
        return scores.softmax(-1) @ values.float()
    top, index = scores.topk(min(top_k, scores.shape[-1]), dim=-1)
    # a sum of k rows, instead of a product with a matrix that is zero nearly everywhere
    weights = top.softmax(-1)
    return F.embedding_bag(index, values.float(), per_sample_weights=weights, mode='sum')


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
