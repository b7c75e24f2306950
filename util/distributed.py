"""Several processes, as torchrun starts them: which one is this, which device does it use.

A plain `python program.py` is rank 0 of 1; for that, nothing here needs torch.distributed.
"""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist

from util.errors import UserError
from util.files import exclusive_lock_in, writable_folder

T = TypeVar('T')


def rank() -> int:
    """The number of this process among all, from 0."""
    return int(os.environ.get('RANK', 0))


def local_rank() -> int:
    """The number of this process among those of its machine, from 0."""
    return int(os.environ.get('LOCAL_RANK', 0))


def world_size() -> int:
    """The number of processes."""
    return int(os.environ.get('WORLD_SIZE', 1))


def is_main() -> bool:
    """Whether this is the process that prints and writes for all."""
    return rank() == 0


@contextlib.contextmanager
def process_group(
    backend: str = 'gloo', timeout: timedelta = timedelta(hours=24)
) -> Iterator[None]:
    """Connect to the other processes during the block; does nothing in a single process.

    timeout: how long to wait for another process, which may have died.
    """
    if world_size() == 1:
        yield
        return
    dist.init_process_group(backend, timeout=timeout)
    try:
        yield
    finally:
        dist.destroy_process_group()


@contextlib.contextmanager
def exclusive_folder(path: Path, option: str = '--output') -> Iterator[None]:
    """Create a folder for results and keep other runs out of it during the block.

    The first process does so for all. Raises UserError, which names the option that sets the
    folder, if nothing can be written there or another run uses it.
    """
    if not is_main():
        yield
        return
    with exclusive_lock_in(writable_folder(path, option)):
        yield


def gather(thing: T) -> list[T]:
    """Collect `thing` of every process, in the order of ranks, on all of them."""
    if world_size() == 1:
        return [thing]
    things: list[Any] = [None] * world_size()
    dist.all_gather_object(things, thing)
    return things


def run_on_main(function: Callable[..., T], *args: Any) -> T:
    """Call a function in the first process alone, and return its result in all of them."""
    return cast(T, gather(function(*args) if is_main() else None)[0])


def own_device(device: torch.device) -> torch.device:
    """Give 'cuda' without a number the number of this process's own GPU.

    Other devices are returned as they are. Raises UserError if there are too few GPUs.
    """
    if device.type != 'cuda' or device.index is not None:
        return device
    if local_rank() >= torch.cuda.device_count():
        raise UserError(
            f'{torch.cuda.device_count()} GPUs for a process of local rank {local_rank()}; start '
            'one process per GPU (--nproc_per_node)'
        )
    return torch.device('cuda', local_rank())


def split_by_cost(items: Iterable[T], cost: Callable[[T], float]) -> list[T]:
    """Return this process's share of the items, so that the shares cost about the same.

    The most expensive item goes first, each to the process that has least so far. All processes
    compute the same split, so they need not communicate.
    """
    loads = [0.0] * world_size()
    shares: list[list[T]] = [[] for _ in loads]
    for item in sorted(items, key=cost, reverse=True):
        least = loads.index(min(loads))
        loads[least] += cost(item)
        shares[least].append(item)
    return shares[rank()]
