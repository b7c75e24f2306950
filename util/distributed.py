"""Several processes, as torchrun starts them: who am I, which device is mine, gather and broadcast.

A plain `python program.py` is rank 0 of 1, and nothing here needs torch.distributed then.
"""

import contextlib
import os
from datetime import timedelta

import torch
import torch.distributed as dist

from util.errors import UserError
from util.files import exclusive_lock_in, writable_folder


def rank():
    return int(os.environ.get('RANK', 0))


def local_rank():
    return int(os.environ.get('LOCAL_RANK', 0))


def world_size():
    return int(os.environ.get('WORLD_SIZE', 1))


def is_main():
    return rank() == 0


@contextlib.contextmanager
def process_group(backend='gloo', timeout=timedelta(hours=24)):
    """Join the other processes for the time of `with`; nothing for a single one."""
    if world_size() == 1:
        yield
        return
    dist.init_process_group(backend, timeout=timeout)
    try:
        yield
    finally:
        dist.destroy_process_group()


@contextlib.contextmanager
def exclusive_folder(path, option='--output'):
    """Make a folder for results and keep other runs out; the first process does so for all."""
    if not is_main():
        yield
        return
    with exclusive_lock_in(writable_folder(path, option)):
        yield


def gather(thing):
    """Every process's `thing`, in the order of ranks, on all of them."""
    if world_size() == 1:
        return [thing]
    things = [None] * world_size()
    dist.all_gather_object(things, thing)
    return things


def run_on_main(function, *args):
    """What `function` returns in the first process; it is called there only."""
    return gather(function(*args) if is_main() else None)[0]


def own_device(device):
    """A device without a number becomes this process's own one; UserError if there are too few."""
    if device.type != 'cuda' or device.index is not None:
        return device
    if local_rank() >= torch.cuda.device_count():
        raise UserError(
            f'{torch.cuda.device_count()} GPUs for a process of local rank {local_rank()}; start '
            'one process for each GPU (--nproc_per_node)'
        )
    return torch.device('cuda', local_rank())


def split_by_cost(items, cost):
    """This rank's part of the items: longest first, each to whoever has least so far.

    All ranks compute the same split, without a word.
    """
    loads, parts = [0] * world_size(), [[] for _ in range(world_size())]
    for item in sorted(items, key=cost, reverse=True):
        least = loads.index(min(loads))
        loads[least] += cost(item)
        parts[least].append(item)
    return parts[rank()]
