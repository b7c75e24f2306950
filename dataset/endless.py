"""Training samples without an end, in an order that depends on seed and position only."""

import gc
import re

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from util.errors import UserError
from util.parallel import init_worker


class EndlessSampler(Sampler):
    """Yields (epoch, index) for ever: a new shuffle each epoch, this process's part of it.

    Every epoch takes whole batches of all processes together, so that N processes with batch B see
    the batches of one process with batch N * B. start: the number of batches to skip, to go on
    with an interrupted training.
    """

    def __init__(self, length, batch_size, *, rank=0, world_size=1, seed=0, start=0):
        self.length, self.batch_size, self.seed, self.start = length, batch_size, seed, start
        self.rank, self.world_size = rank, world_size
        self.batches_per_epoch = max(1, length // (batch_size * world_size))

    def __iter__(self):
        epoch, skip = divmod(self.start, self.batches_per_epoch)
        while True:
            order = self.order(epoch)
            for index in order[skip * self.batch_size :]:
                yield epoch, index
            epoch, skip = epoch + 1, 0

    def order(self, epoch):
        order = np.random.default_rng((self.seed, epoch)).permutation(self.length).tolist()
        total = self.batches_per_epoch * self.batch_size * self.world_size
        order = (order * (total // self.length + 1))[:total]  # a set smaller than a batch repeats
        return order[self.rank :: self.world_size]


class EpochView(Dataset):
    """A dataset with `set_epoch(epoch, num_epochs)`, addressed by (epoch, index).

    So its workers live through all epochs, and still draw what belongs to each.
    """

    def __init__(self, dataset, num_epochs):
        self.dataset, self.num_epochs = dataset, num_epochs

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, key):
        epoch, index = key
        self.dataset.set_epoch(epoch, self.num_epochs)
        return self.dataset[index]


def endless_batches(dataset, sampler, iterations, *, num_workers, pin_memory):
    """Yields batches of `dataset` (see dataset.stages) for ever, made by worker processes.

    Raises UserError if a sample's files cannot be read.
    """
    loader = DataLoader(
        EpochView(dataset, num_epochs=-(-iterations // sampler.batches_per_epoch)),
        batch_size=sampler.batch_size,
        sampler=sampler,
        num_workers=num_workers,
        pin_memory=pin_memory,
        prefetch_factor=4 if num_workers else None,
        worker_init_fn=init_worker,
        generator=torch.Generator(),  # else it draws from that of the training, at each start
    )
    gc.collect()  # for the workers: see `init_worker`
    try:
        yield from loader
    except (UserError, OSError, EOFError) as error:
        if not num_workers:
            raise
        raise as_told(error) from error


def as_told(error):
    """What a loader with workers raises -> what it means."""
    if isinstance(error, EOFError) or getattr(error, 'errno', None) is not None:  # raised here
        if isinstance(error, (ConnectionError, FileNotFoundError, EOFError)):
            return RuntimeError('DataLoader worker has ended while it handed over a sample')
        return OSError(error.errno, error.strerror, error.filename)
    sentence = str(error).strip().splitlines()[-1]  # before it, the traceback of the worker
    return UserError(re.sub(r'^[\w.]*Error: ', '', sentence))
