"""How memory is read on each kind of device: in pieces of which size, and how rows are summed.

Legend: M query positions, n memory positions of a block, CV value channels, k rows to sum.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

# Sums those of the chosen rows that lie in one block; `sum_chosen` explains the arguments.
SumOfBlock = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


class Plan(NamedTuple):
    """How `model.memory.read` goes about its work on one kind of device.

    It computes chunk x part affinities (query x memory positions) at a time. With larger chunks of
    the query, the keys are read fewer times, and a GPU has fewer kernels to launch; smaller ones
    fit a CPU's cache.
    """

    chunk: int
    part: int
    sum_of_block: SumOfBlock


def plan_for(device: torch.device) -> Plan:
    """The plan for a device."""
    return PLANS.get(device.type, OTHER_PLAN)


def sum_of_rows(
    weights: Tensor, index: Tensor, values: Sequence[Tensor], sum_of_block: SumOfBlock
) -> Tensor:
    """Weighted sum of k value rows per query position.

    A matrix product would multiply nearly all rows by zero; this adds only the k rows in question.

    Arguments:
        weights: (M, k).
        index: (M, k), numbers of rows, counted through all blocks.
        values: blocks (n, CV).
        sum_of_block: sums those of the rows that lie in one block; see `Plan`.
    Returns:
        (M, CV).
    """
    out = weights.new_zeros(len(weights), values[0].shape[-1])
    start = 0
    for block in values:
        local = index - start
        here = (local >= 0) & (local < len(block))
        out = out + sum_of_block(block.float(), local, weights, here)
        start += len(block)
    return out


def sum_chosen(block: Tensor, index: Tensor, weights: Tensor, here: Tensor) -> Tensor:
    """Sum the rows of a block (n, CV), touching no others: (M, CV).

    Choosing them makes the host wait for their number, which costs nothing on a CPU alone.

    Arguments:
        block: (n, CV).
        index: (M, k), numbers of rows, counted from the first one of this block.
        weights: (M, k).
        here: (M, k), whether the row lies in this block.
    """
    ends = here.sum(-1).cumsum(0)  # M: end of each query position's rows within this block
    starts = torch.cat([ends.new_zeros(1), ends[:-1]])
    chosen = weights[here]
    return F.embedding_bag(index[here], block, starts, per_sample_weights=chosen, mode='sum')


def sum_weighted(block: Tensor, index: Tensor, weights: Tensor, here: Tensor) -> Tensor:
    """`sum_chosen` in fixed shapes: rows of other blocks count as one of this with weight 0."""
    index, weights = index.clamp(0, len(block) - 1), torch.where(here, weights, 0)
    return F.embedding_bag(index, block, per_sample_weights=weights, mode='sum')


def sum_gathered(block: Tensor, index: Tensor, weights: Tensor, here: Tensor) -> Tensor:
    """`sum_weighted` without embedding_bag, which not every device has; takes more memory."""
    index, weights = index.clamp(0, len(block) - 1), torch.where(here, weights, 0)
    return torch.bmm(weights.unsqueeze(1), block[index]).squeeze(1)


PLANS = {  # by type of device
    'cpu': Plan(256, 16384, sum_chosen),  # 16 MiB of affinities
    'cuda': Plan(4096, 16384, sum_weighted),  # 101 MiB at 480p, where the query is one chunk
}
OTHER_PLAN = Plan(2048, 16384, sum_gathered)  # Apple's GPUs, for example
