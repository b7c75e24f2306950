"""Train the propagation network: stage 0 (static images), 1 (BL30K) or 2 (DAVIS, YouTube-VOS).

python train.py --stage 0 --id s0
torchrun --nproc_per_node=2 train.py --stage 2 --load_network saves/s0/s0_300000.pth --id s02
"""

import itertools
import os
import signal
import tempfile
import threading
import time
from pathlib import Path

from util.errors import UserError, entry_point
from util.hyper_para import parse

SCALARS_EVERY, PICTURES_EVERY = 100, 800  # iterations


@entry_point
def main(argv=None):
    args = parse(__doc__.splitlines()[0], argv)
    if args.local_rank is not None:
        os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    # the network's libraries take seconds to load: not before the arguments are known to be right
    import torch

    from util import distributed
    from util.run_info import choose_device

    device = distributed.own_device(choose_device(args.device))
    if device.type == 'cuda':
        torch.cuda.set_device(device)
    torch.backends.cudnn.benchmark = args.benchmark
    with (
        distributed.process_group('nccl' if device.type == 'cuda' else 'gloo'),
        torch.autograd.set_detect_anomaly(args.debug),
    ):
        Training(args, device).run()


class Training:
    """One training on this process. `run` goes from where it stands to the last iteration."""

    def __init__(self, args, device):
        from model.model import PropagationModel
        from util import distributed
        from util.checkpoints import Checkpoints, resume
        from util.logger import Averages, Logger

        self.args, self.iteration, self.best = args, 0, None
        self.is_main, self.processes = distributed.is_main(), distributed.world_size()
        self.model = PropagationModel(
            start_network(args).to(device),
            lr=args.lr,
            weight_decay=args.weight_decay,
            steps=args.steps,
            gamma=args.gamma,
            amp=args.amp,
            train_bn=args.train_bn,
            clip_grad=args.clip_grad,
            ema=args.ema,
            key_lr=args.key_lr,
            distributed=self.processes > 1,
        )
        if args.load_model:
            self.iteration, self.best = resume(args.load_model, self.model, vars(args))
        self.dataset = open_dataset(args)
        self.validation = validation_set(args) if args.validate else []
        writes = self.is_main and args.id != 'NULL'
        folder = args.saves / args.id if writes else None
        if writes and not args.load_model and (folder / f'{args.id}_checkpoint.pth').exists():
            raise UserError(
                f'{folder}: holds a training of this --id; go on with it (--load_model) or choose '
                'another --id'
            )
        self.checkpoints = Checkpoints(folder, args.id, vars(args))
        self.averages = Averages()
        self.logger = Logger(args.log_root / args.id if writes else None)

    def run(self):
        """Train; Ctrl-C and SIGTERM end it after the iteration at hand, with a checkpoint."""
        from util.progress import progress_bar

        if self.is_main:
            self.announce()
        batches = self.open_batches()
        stop = stop_signal()
        with progress_bar(
            self.args.iterations, 'iterations', label=64, hidden=not self.is_main
        ) as progress:
            while self.iteration < self.args.iterations:
                begin = time.perf_counter()
                batch = self.or_save(next, batches)
                waited = time.perf_counter() - begin
                results = self.step(batch)
                seconds = {'time': time.perf_counter() - begin, 'data_time': waited}
                self.report(batch, results, seconds, progress)
                if self.validation and self.is_due(self.args.validate_every):
                    self.or_save(self.validate)
                if self.is_due(self.args.save_every) or stop.is_set():
                    self.save()
                if stop.is_set():
                    raise KeyboardInterrupt
        self.logger.close()

    def or_save(self, function, *args):
        """Call it; if a file cannot be read, keep what was learnt so far."""
        try:
            return function(*args)
        except UserError:
            self.save()
            raise

    def save(self):
        self.checkpoints.save(self.model, self.iteration, self.best)

    def step(self, batch):
        from model.model import NonFiniteLoss

        try:
            results = self.model.step(batch, self.iteration)
        except NonFiniteLoss as error:
            path = self.checkpoints.save_aside(self.model, self.iteration, 'nonfinite')
            raise UserError(
                f'the loss of iteration {self.iteration} is not finite, samples: {error}; lower '
                f'--lr or set --clip_grad{f" (state before it: {path})" if path else ""}'
            ) from error
        self.iteration += 1
        return results

    def is_due(self, every):
        return self.iteration % every == 0 or self.iteration == self.args.iterations

    def report(self, batch, results, seconds, progress):
        from util.logger import training_grid

        if not self.is_main:
            return
        self.averages.add(results, **seconds)
        progress.update(self.iteration, label=self.averages.line(results['lr']))
        if self.is_due(1 if self.args.debug else SCALARS_EVERY):
            means = self.averages.take()
            waiting = means.pop('data_time') / means['time']
            means |= {'p': results['p'], 'lr': results['lr'], 'waiting_for_data': waiting}
            self.logger.scalars(means, self.iteration)
        if self.is_due(PICTURES_EVERY):
            grid = training_grid(batch, results['logits'])
            self.logger.picture('image, prediction, truth', grid, self.iteration)

    def announce(self):
        args = self.args
        print(
            f'effective batch {args.batch_size * self.processes}: {self.processes} processes with '
            f'{args.batch_size} samples each, on {self.model.device}'
        )
        for count in self.dataset.counts:
            print(count)
        if args.id == 'NULL':
            print('--id NULL: nothing is saved')
        if self.iteration:
            print(f'going on after iteration {self.iteration} of {args.load_model}')

    def open_batches(self):
        from dataset.endless import EndlessSampler, endless_batches
        from util import distributed

        sampler = EndlessSampler(
            len(self.dataset),
            self.args.batch_size,
            rank=distributed.rank(),
            world_size=self.processes,
            seed=self.args.seed,
            start=self.iteration,
        )
        return endless_batches(
            self.dataset,
            sampler,
            self.args.iterations,
            num_workers=self.args.num_workers,
            pin_memory=self.model.device.type == 'cuda',
        )

    def validate(self):
        """J&F on --validate; the best network so far is kept as ID_best.pth."""
        score = validate(self.model.result, self.validation, self.args.amp)
        self.model.set_batch_norm(self.args.train_bn)
        if not self.is_main:
            return
        values = {'val_J&F': score.jf, 'val_J': score.j, 'val_F': score.f}
        self.logger.scalars(values, self.iteration)
        if self.best is None or score.jf > self.best:
            self.best = score.jf
            self.checkpoints.save_network(self.model, 'best')


def start_network(args):
    """The network to start from: another training's, ImageNet's trunks, or random weights."""
    import torch

    from model.network import PropagationNetwork
    from model.pretrained import start_from_imagenet, start_from_network, start_from_nothing

    torch.manual_seed(args.seed)
    network = PropagationNetwork(single_object=args.stage == 0)
    if args.load_network:
        start_from_network(network, args.load_network)
    elif args.pretrained != 'none' and not args.load_model:
        start_from_imagenet(network, args.pretrained)
    elif not args.load_model:
        start_from_nothing(network)
    return network


def open_dataset(args):
    from dataset.stages import build_stage

    names = ('static_root', 'bl_root', 'yv_root', 'davis_root', 'vos_root')
    names += ('crop', 'short_side', 'paste', 'seed')
    return build_stage(args.stage, **{name: getattr(args, name) for name in names})


def validation_set(args):
    """The sequences of --validate; what the tree lacks is told before the training."""
    from dataset.benchmarks import davis_2017

    return [s._replace(short_side=args.validate_size) for s in davis_2017(args.validate)]


def validate(network, sequences, amp):
    """Mean J&F over the objects of all sequences, as InferenceCore segments them."""
    from inference_core import InferenceCore
    from util import distributed
    from util.evaluation import num_frames, segment
    from util.run_info import Stopwatch
    from util.scores import mean_score, score_video

    network.eval()
    scores = []
    with tempfile.TemporaryDirectory() as folder:
        for sequence in distributed.share(sequences, cost=num_frames):
            core = InferenceCore(network, amp=amp)
            segment(sequence, core, Stopwatch(network.device), Path(folder))
            scores += score_video(sequence.truth, Path(folder) / sequence.name).values()
    return mean_score(itertools.chain(*distributed.gather(scores)))


def stop_signal():
    """An Event that Ctrl-C and SIGTERM set; a second Ctrl-C interrupts at once."""
    event = threading.Event()

    def stop(number, _):
        event.set()
        signal.signal(number, signal.default_int_handler)

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop)
    return event


if __name__ == '__main__':
    main()
