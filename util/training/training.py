"""The state of a training run in this process, and the steps that the loop in train.py calls."""

import time
from collections.abc import Generator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from dataset.benchmarks import BenchmarkVideo
from dataset.endless import EndlessSampler, endless_batches
from dataset.stages import StageDataset
from inference_core import InferenceCore
from model.model import PropagationModel
from util import distributed
from util.evaluation.run import mean_of
from util.progress import progress_bar
from util.training.checkpoints import Checkpoints, resume
from util.training.logger import Averages, Logger, training_grid
from util.training.options import TrainingOptions
from util.training.stopping import stop_signal

SCALARS_EVERY, PICTURES_EVERY = 100, 800  # iterations


class Training:
    """A training run: its state, and the steps of an iteration.

    Arguments:
        options: the options of train.py. With --load_model, that checkpoint is resumed.
        model: the network and its optimiser, already on their device.
        dataset: the training set.
        videos: the validation videos; an empty list switches validation off.
        folder: where checkpoints are saved; None writes no files.
    Attributes:
        iteration: number of completed iterations, including those before resuming.
        best: best validation score (J&F) so far; None before the first validation.
        saved: value of `iteration` at the latest checkpoint.
        stopping: whether any process had been asked to stop by the latest iteration.
    """

    def __init__(
        self,
        options: TrainingOptions,
        model: PropagationModel,
        dataset: StageDataset,
        videos: Sequence[BenchmarkVideo],
        folder: Path | None,
    ) -> None:
        self.options, self.model, self.dataset, self.videos = options, model, dataset, videos
        self.is_main, self.num_processes = distributed.is_main(), distributed.world_size()
        self.iteration = 0
        self.best: float | None = None
        config = {**vars(options), 'processes': self.num_processes}
        if options.load_model:
            self.iteration, self.best = resume(options.load_model, model, config)
        self.saved = self.iteration
        self.stopping = False
        self.checkpoints = Checkpoints(folder, options.id, config)
        self.stop = stop_signal(launched=self.num_processes > 1)
        self.averages = Averages()
        self.logger = Logger(options.log_root / options.id if folder else None)
        self.progress = progress_bar(
            options.iterations, 'iterations', label=64, hidden=not self.is_main
        )
        self.batches = self.open_batches()

    def open_batches(self) -> Generator[dict[str, Any], None, None]:
        """Yield batches without end, starting with that of the current iteration."""
        sampler = EndlessSampler(
            len(self.dataset),
            self.options.batch_size,
            rank=distributed.rank(),
            world_size=self.num_processes,
            seed=self.options.seed,
            start=self.iteration,
        )
        yield from endless_batches(
            self.dataset,
            sampler,
            self.options.iterations,
            num_workers=self.options.num_workers,
            pin_memory=self.model.device.type == 'cuda',
        )

    def announce(self) -> None:
        """Print the batch size, the composition of the training set and where training starts."""
        options = self.options
        processes = 'process' if self.num_processes == 1 else 'processes'
        samples = 'sample' if options.batch_size == 1 else 'samples'
        each = '' if self.num_processes == 1 else ' each'
        print(
            f'effective batch {options.batch_size * self.num_processes}: {self.num_processes} '
            f'{processes} with {options.batch_size} {samples}{each}, on {self.model.device}'
        )
        for count in self.dataset.counts:
            print(count)
        if options.id == 'NULL':
            print('--id NULL: nothing is saved')
        if self.iteration:
            print(f'resuming after iteration {self.iteration} of {options.load_model}')

    def is_due(self, every: int) -> bool:
        """Whether a task that runs every so many iterations, and after the last one, is due."""
        return self.iteration % every == 0 or self.iteration == self.options.iterations

    def next_batch(self) -> dict[str, Any]:
        """Wait for the next batch; `PropagationModel.step` documents its contents."""
        self.begin = time.perf_counter()
        batch = next(self.batches)
        self.waited = time.perf_counter() - self.begin
        return batch

    def step(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """Update the weights, and return the results of `PropagationModel.step`."""
        results = self.model.step(batch, self.iteration, self.stop.is_set)
        self.iteration += 1
        self.stopping = results['stop']
        return results

    def report(self, batch: Mapping[str, Any], results: Mapping[str, Any]) -> None:
        """Show running means in the progress bar; at intervals, log them and images."""
        if not self.is_main:
            return
        seconds = time.perf_counter() - self.begin
        self.averages.add(results, time=seconds, data_time=self.waited)
        self.progress.update(self.iteration, label=self.averages.line(results['lr']))
        if self.is_due(1 if self.options.debug else SCALARS_EVERY):
            means = self.averages.take()
            waiting = means.pop('data_time') / means['time']
            means |= {'p': results['p'], 'lr': results['lr'], 'waiting_for_data': waiting}
            self.logger.scalars(means, self.iteration)
        if self.is_due(PICTURES_EVERY):
            grid = training_grid(batch, results['logits'])
            self.logger.picture('image, prediction, ground truth', grid, self.iteration)

    def validate(self) -> None:
        """Log validation J&F, and save the network as ID_best.pth if it is the best so far."""
        with self.model.evaluating() as network:
            new_core = partial(InferenceCore, network, amp=self.options.amp)
            score = mean_of(self.videos, new_core, network.device)
        if not self.is_main:
            return
        values = {'val_J&F': score.jf, 'val_J': score.j, 'val_F': score.f}
        self.logger.scalars(values, self.iteration)
        if self.best is None or score.jf > self.best:
            self.best = score.jf
            self.checkpoints.save_network(self.model, 'best')

    def save(self) -> None:
        """Save a checkpoint to resume from and, separately, the weights of the network alone."""
        self.checkpoints.save(self.model, self.iteration, self.best)
        self.saved = self.iteration

    def stop_if_asked(self) -> None:
        """If Ctrl-C or SIGTERM has asked for it, save a checkpoint and raise KeyboardInterrupt.

        All processes do so after the same iteration, whichever of them the signal reached.
        """
        if self.stopping:
            if self.saved < self.iteration:
                distributed.run_on_main(self.save)  # the others wait, or torchrun would not
            raise KeyboardInterrupt
