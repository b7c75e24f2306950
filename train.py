"""Train the propagation network: stage 0 (static images), 1 (BL30K) or 2 (DAVIS, YouTube-VOS).

python train.py --stage 0 --id s0
torchrun --nproc_per_node=2 train.py --stage 2 --load_network saves/s0/s0_300000.pth --id s02
"""

import contextlib
import os
import time
import traceback
from datetime import timedelta
from functools import partial

from util.errors import UserError, entry_point, is_out_of_memory, user_message
from util.training.options import parse
from util.training.stopping import ignore_workers, stop_signal

SCALARS_EVERY, PICTURES_EVERY = 100, 800  # iterations
TIMEOUT = timedelta(minutes=30)  # to wait for another process, which may have ended


@entry_point
def main(argv=None):
    args = parse(__doc__.splitlines()[0], argv)
    if args.local_rank is not None:
        os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    # the network's libraries take seconds to load: not before the arguments are known to be right
    import torch

    from util import distributed
    from util.device import choose_device
    from util.training.checkpoints import own_folder

    device = distributed.own_device(choose_device(args.device))
    if device.type == 'cuda':
        torch.cuda.set_device(device)
    torch.backends.cudnn.benchmark = args.benchmark
    with (
        own_folder(args) as folder,
        distributed.process_group('nccl' if device.type == 'cuda' else 'gloo', TIMEOUT),
        torch.autograd.set_detect_anomaly(args.debug),
    ):
        Training(args, device, folder).run()


class Training:
    """One training on this process. `run` goes from where it stands to the last iteration."""

    def __init__(self, args, device, folder):
        from model.model import PropagationModel
        from util import distributed
        from util.training.checkpoints import Checkpoints, resume
        from util.training.logger import Averages, Logger

        self.args, self.iteration, self.best = args, 0, None
        self.is_sound = True  # whether the weights are those after `iteration` iterations
        self.is_main, self.processes = distributed.is_main(), distributed.world_size()
        # before the network, which may take a download: a mistake is told at once
        self.dataset = open_dataset(args)
        self.validation = validation_set(args) if args.validate else []
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
            bootstrap=args.bootstrap,
            distributed=self.processes > 1,
        )
        if args.load_model:
            self.iteration, self.best = resume(args.load_model, self.model, vars(args))
        self.saved = self.iteration
        self.hook = self.model.optimizer.register_step_pre_hook(self.weights_change)
        self.checkpoints = Checkpoints(folder, args.id, vars(args))
        self.stop = stop_signal(launched=self.processes > 1)
        self.averages = Averages()
        self.logger = Logger(folder and args.log_root / args.id)

    def run(self):
        """Train; what stops it on the way leaves a checkpoint, if it can be written."""
        try:
            self.train()
        except Exception as error:
            sentence = user_message(error)
            if is_out_of_memory(error):
                sentence = (
                    'out of memory: lower --batch_size, --crop or --num_workers, or use --amp'
                )
            traceback.clear_frames(error.__traceback__)  # what they hold may fill the memory
            kept = self.keep()
            if self.stop.is_set() and self.saved == self.iteration:
                raise KeyboardInterrupt from error  # the signal has ended the workers, too
            if sentence is None:
                raise
            raise UserError(f'{sentence}{kept}') from error
        finally:
            self.hook.remove()  # which ties the model to this object, and keeps both in memory

    def keep(self):
        """Save what was learnt since the last checkpoint -> how to go on from there."""
        ignore_workers()
        if self.is_sound and self.iteration > self.saved:
            # the fault that led here is the one to tell
            with contextlib.suppress(OSError, MemoryError, RuntimeError):
                self.save()
        path = self.checkpoints.path
        return f'; go on with --load_model {path}' if path and path.exists() else ''

    def weights_change(self, *_):
        """Called as the optimiser begins: until `step` has counted, a fault leaves them half so."""
        self.is_sound = False

    def train(self):
        """Ctrl-C and SIGTERM end it after the iteration at hand, with a checkpoint."""
        from util.progress import progress_bar

        if self.is_main:
            self.announce()
        batches = self.open_batches()
        with progress_bar(
            self.args.iterations, 'iterations', label=64, hidden=not self.is_main
        ) as progress:
            while self.iteration < self.args.iterations:
                begin = time.perf_counter()
                batch = next(batches)
                waited = time.perf_counter() - begin
                results = self.step(batch)
                seconds = {'time': time.perf_counter() - begin, 'data_time': waited}
                self.report(batch, results, seconds, progress)
                if self.validation and self.is_due(self.args.validate_every):
                    self.validate()
                is_told_to_stop = self.stop.is_set()  # asked once: it may be set in between
                if self.is_due(self.args.save_every) or is_told_to_stop:
                    self.save()
                if is_told_to_stop:
                    raise KeyboardInterrupt
        self.logger.close()

    def save(self):
        self.checkpoints.save(self.model, self.iteration, self.best)
        self.saved = self.iteration

    def step(self, batch):
        from model.model import NonFiniteLoss

        try:
            results = self.model.step(batch, self.iteration)
        except NonFiniteLoss as error:
            self.is_sound = False
            path = self.checkpoints.save_aside(self.model, self.iteration, 'nonfinite')
            saved = f' (state before it: {path})' if path else ''
            raise UserError(
                f'the loss of iteration {self.iteration} is not finite, samples: {error}; lower '
                f'--lr, set --clip_grad or leave out --amp{saved}'
            ) from error
        self.iteration += 1
        self.is_sound = True
        return results

    def is_due(self, every):
        return self.iteration % every == 0 or self.iteration == self.args.iterations

    def report(self, batch, results, seconds, progress):
        from util.training.logger import training_grid

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
        from inference_core import InferenceCore
        from util.training.validation import mean_of

        network = self.model.result.eval()
        new_core = partial(InferenceCore, network, amp=self.args.amp)
        score = mean_of(self.validation, new_core, network.device)
        self.model.network.set_batch_norm(self.args.train_bn)
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
    from model.pretrained import start_from_imagenet, start_from_network, start_from_scratch

    torch.manual_seed(args.seed)
    network = PropagationNetwork(single_object=args.stage == 0)
    if args.load_network:
        start_from_network(network, args.load_network)
    elif args.pretrained != 'none' and not args.load_model:
        start_from_imagenet(network, args.pretrained)
    elif not args.load_model:
        start_from_scratch(network)
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


if __name__ == '__main__':
    main()
