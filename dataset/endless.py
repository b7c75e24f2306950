"""Endless batches of training samples, in an order that depends on seed and position only."""

import gc
import signal
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler, default_collate

from dataset.stages import StageDataset
from util.errors import UserError
from util.parallel import init_worker

SIGNAL_GRACE = 30  # seconds for which a worker outlives a SIGTERM


class EndlessSampler(Sampler):
    """Yields (epoch, index) for ever: a new shuffle each epoch, this process's part of it.

    Every epoch takes whole batches of all processes together, so that N processes with batch B see
    the batches of one process with batch N * B. start: the number of batches to skip, to resume an
    interrupted training.
    """

    def __init__(
        self,
        length: int,
        batch_size: int,
        *,
        rank: int = 0,
        world_size: int = 1,
        seed: int = 0,
        start: int = 0,
    ) -> None:
        self.length, self.batch_size, self.seed, self.start = length, batch_size, seed, start
        self.rank, self.world_size = rank, world_size
        self.batches_per_epoch = max(1, length // (batch_size * world_size))

    def __iter__(self) -> Iterator[tuple[int, int]]:
        epoch, skip = divmod(self.start, self.batches_per_epoch)
        while True:
            order = self.order(epoch)
            for index in order[skip * self.batch_size :]:
                yield epoch, index
            epoch, skip = epoch + 1, 0

    def order(self, epoch: int) -> list[int]:
        """The indices of this process in an epoch."""
        order = np.random.default_rng((self.seed, epoch)).permutation(self.length).tolist()
        total = self.batches_per_epoch * self.batch_size * self.world_size
        order = (order * (total // self.length + 1))[:total]  # a set smaller than a batch repeats
        return order[self.rank :: self.world_size]


class ErrorsAsSamples(Dataset):
    """Gives the error in place of a sample whose files cannot be read.

    An exception that leaves a worker reaches the main process as a text with a traceback, and no
    longer says what was at fault; a returned one arrives intact.
    """

    def __init__(self, dataset: StageDataset) -> None:
        self.dataset = dataset

    def __getitem__(self, key: tuple[int, int]) -> Any:
        try:
            return self.dataset[key]
        except (UserError, OSError, EOFError) as error:
            return error


def collate(samples: list[Any]) -> Any:
    """A batch of samples, or the first error among them."""
    errors = (sample for sample in samples if isinstance(sample, Exception))
    return next(errors, None) or default_collate(samples)


def start_worker(worker: int) -> None:
    """Prepare a worker process, which leaves signals to its parent.

    Ctrl-C reaches all processes, and so may SIGTERM; but the parent still needs samples to complete
    its iteration, since the parents of a training on several GPUs stop after the same one. So the
    first SIGTERM ends a worker only after a while. A parent that exits sends a second one.
    """
    init_worker(worker)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, end_soon)


def end_soon(*_: object) -> None:
    """Handle a worker's first SIGTERM: it ends at the next one, or when SIGNAL_GRACE is over."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if hasattr(signal, 'alarm'):  # not on Windows
        signal.alarm(SIGNAL_GRACE)


def endless_batches(
    dataset: StageDataset,
    sampler: EndlessSampler,
    iterations: int,
    *,
    num_workers: int,
    pin_memory: bool,
) -> Iterator[dict[str, Any]]:
    """Yield batches of `dataset` for ever, made by worker processes.

    Raises UserError or OSError for a sample whose files cannot be read, and RuntimeError when a
    worker dies. iterations: of the whole training, which decides how many epochs it has.
    """
    dataset.num_epochs = -(-iterations // sampler.batches_per_epoch)
    loader = DataLoader(
        ErrorsAsSamples(dataset),
        batch_size=sampler.batch_size,
        sampler=sampler,
        num_workers=num_workers,
        collate_fn=collate,
        pin_memory=pin_memory,
        prefetch_factor=4 if num_workers else None,
        worker_init_fn=start_worker,
        generator=torch.Generator(),  # without it, every start draws from the training's generator
    )
    gc.collect()  # before workers are forked: see `init_worker`
    for batch in naming_dead_workers(loader):
        if isinstance(batch, Exception):
            raise batch
        yield batch


def naming_dead_workers(loader: Iterable) -> Iterator[Any]:
    """Iterate; a worker that dies while it hands over a sample breaks the connection to it."""
    try:
        yield from loader
    except (ConnectionError, FileNotFoundError, EOFError) as error:
        raise RuntimeError('DataLoader worker has ended while it handed over a sample') from error
