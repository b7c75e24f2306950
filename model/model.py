"""One training step of the propagation network, and all the state that goes with it.

Legend: B batch, T frames, K objects, H W crop.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel

from model.inference_conv import layout_for
from model.losses import (
    BOOTSTRAP,
    count_labels,
    intersection_and_union,
    kept_fraction,
    propagation_loss,
)
from model.network import PropagationNetwork
from util.tensor import one_hot


class NonFiniteLoss(ArithmeticError):
    """The loss or its gradient is NaN or infinite; the message names the samples."""


@dataclass(frozen=True)
class OptimizationOptions:
    """How the weights are learnt. The defaults are those of MiVOS (CVPR 2021), appendix.

    lr, weight_decay: of Adam.
    steps, gamma: the learning rate is multiplied by gamma at each of these iterations.
    amp: half precision, see `training_dtype`.
    train_bn: BatchNorm normalises by the batch and updates its statistics, for a training from
        scratch; otherwise it stays frozen.
    clip_grad: largest norm of the gradient, None for no limit.
    ema: decay of a moving average of the weights, which then is the result; None for no average.
    key_lr: learning-rate multiplier for the key projections, see `parameter_groups`.
    bootstrap: see `model.losses.kept_fraction`.
    """

    lr: float = 1e-5
    weight_decay: float = 1e-7
    steps: tuple[int, ...] = ()
    gamma: float = 0.1
    amp: bool = False
    train_bn: bool = False
    clip_grad: float | None = None
    ema: float | None = None
    key_lr: float = 1.0
    bootstrap: tuple[int, int] = BOOTSTRAP


class PropagationModel:
    """Network, optimiser, schedule and precision of a training.

    network: already on its device. distributed: average the gradients over the processes of
    torch.distributed.
    """

    def __init__(
        self,
        network: PropagationNetwork,
        options: OptimizationOptions = OptimizationOptions(),
        *,
        distributed: bool = False,
    ) -> None:
        self.network, self.device, self.options = network, network.device, options
        network.set_batch_norm(options.train_bn)
        if self.device.type == 'cuda' and options.amp:
            network.to(memory_format=layout_for(self.device, half=True))
        self.average: AveragedModel | None = None
        if options.ema:
            average = moving_average(options.ema)
            self.average = AveragedModel(network, avg_fn=average, use_buffers=True)
        self.distributed = distributed
        self.ddp_network: nn.Module = network
        if distributed:
            self.ddp_network = DistributedDataParallel(network)
        groups = parameter_groups(network, options.lr, options.key_lr)
        self.optimizer = torch.optim.Adam(groups, lr=options.lr, weight_decay=options.weight_decay)
        self.scheduler = torch.optim.lr_scheduler.MultiStepLR(
            self.optimizer, list(options.steps), options.gamma
        )
        self.dtype = training_dtype(self.device)
        self.scaler = torch.amp.GradScaler(
            self.device.type, enabled=options.amp and self.dtype == torch.float16
        )

    def step(
        self,
        batch: Mapping[str, Any],
        iteration: int,
        stop: Callable[[], bool] = lambda: False,
    ) -> dict[str, Any]:
        """Update the weights once. The device is waited for once, between gradient and update.

        Arguments:
            batch: 'frames' (B, T, 3, H, W) in [0, 1], 'masks' (B, T, H, W) of ids 0..K or VOID,
                'valid' (B, K), 0 where a sample has no such object, and 'name', one per sample.
            iteration: the number of updates before this one.
            stop: whether this process has been asked to stop.
        Returns:
            What to log: 'loss', the mean over all processes; 'p', the fraction of the pixels that
            counted; 'lr'; lists of the pixels in 'intersection' and 'union' of each object with its
            ground truth, summed over all processes; and 'logits' (B, T-1, K+1, H, W) to draw
            pictures from. 'stop': whether any process has been asked to.
        Raises:
            NonFiniteLoss: in all processes; the weights are unchanged.
        """
        frames = batch['frames'].to(self.device, non_blocking=True)
        masks = batch['masks'].to(self.device, non_blocking=True)
        valid = batch['valid'].to(self.device, non_blocking=True)
        # 1. segment frames 1 to T-1, given the masks of frame 0
        fraction = kept_fraction(iteration, self.options.bootstrap)
        ids = torch.arange(1, valid.shape[1] + 1, device=self.device)
        with torch.autocast(self.device.type, dtype=self.dtype, enabled=self.options.amp):
            logits = self.ddp_network(frames, one_hot(masks[:, 0], ids), valid)
            counts = count_labels(batch['masks'][:, 1:], batch['valid'])
            loss = propagation_loss(logits, masks[:, 1:], counts, fraction)
        # 2. compute the gradient
        is_finite = self.backward(loss)
        # 3. measure how good the masks were, and tell the other processes
        counted = intersection_and_union(logits.detach(), masks[:, 1:])
        flags = [(~is_finite).view(1), is_finite.new_full((1,), stop())]
        total, num_bad, num_stops, *pixels = self.sum_over_processes(loss, *flags, *counted)
        if num_bad:
            raise NonFiniteLoss(', '.join(batch['name']))
        # 4. change the weights
        lr = self.scheduler.get_last_lr()[0]
        self.update()
        return {
            'loss': total / (dist.get_world_size() if self.distributed else 1),
            'p': fraction,
            'lr': lr,
            'intersection': pixels[: len(pixels) // 2],
            'union': pixels[len(pixels) // 2 :],
            'logits': logits.detach(),
            'stop': num_stops > 0,
        }

    def backward(self, loss: Tensor) -> Tensor:
        """Compute the gradient, and return, as a tensor (), whether `update` may follow it.

        It may if loss and gradient are finite. A gradient scaler skips steps with an infinite
        gradient by itself, as part of its search for a scale, so then only the loss counts.
        """
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.optimizer)
        limit = self.options.clip_grad or torch.inf
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), limit)
        return loss.isfinite() if self.scaler.is_enabled() else loss.isfinite() & norm.isfinite()

    def update(self) -> None:
        """Take one step down the gradient."""
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.scheduler.step()
        if self.average:
            self.average.update_parameters(self.network)

    def sum_over_processes(self, *values: Tensor) -> list[float]:
        """Sum each number of the tensors over all processes, with one transfer.

        float32 is exact up to 16 million, and 6e-8 of the sum is not too much for beyond.
        """
        sums = torch.cat([value.detach().float().flatten() for value in values])
        if self.distributed:
            dist.all_reduce(sums)
        return sums.tolist()

    @property
    def result(self) -> PropagationNetwork:
        """The network to evaluate and to keep: the moving average if there is one."""
        return cast(PropagationNetwork, self.average.module) if self.average else self.network

    @contextlib.contextmanager
    def evaluating(self) -> Iterator[PropagationNetwork]:
        """Inside the block, the resulting network in evaluation mode; then training can go on."""
        try:
            yield self.result.eval()
        finally:
            self.network.set_batch_norm(self.options.train_bn)

    def state_dict(self) -> dict[str, Any]:
        """Everything that a resumed training needs, in a form that torch.save can write."""
        average = {'average': self.average.state_dict()} if self.average else {}
        return {
            **average,
            'network': self.network.state_dict(),
            'optimizer': self.optimizer.state_dict(),
            'scheduler': self.scheduler.state_dict(),
            'scaler': self.scaler.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave. An average that it lacks begins at its network.

        Raises ValueError if the optimiser's state is not that of the network's parameters.
        """
        self.network.load_state_dict(state['network'])
        self.optimizer.load_state_dict(state['optimizer'])
        self.check_moments()
        self.scheduler.load_state_dict(state['scheduler'])
        if self.average:
            self.average.module.load_state_dict(state['network'])
            if 'average' in state:
                self.average.load_state_dict(state['average'])
        if state.get('scaler'):
            self.scaler.load_state_dict(state['scaler'])

    def check_moments(self) -> None:
        """Raise ValueError if the moments of Adam lack a parameter, or belong to others.

        PyTorch compares only their numbers. Before the first iteration, there are none.
        """
        for name, parameter in self.network.named_parameters() if self.optimizer.state else ():
            for moment in ('exp_avg', 'exp_avg_sq'):
                found = self.optimizer.state[parameter].get(moment)
                if found is None:
                    raise ValueError(f'{moment} of {name} is missing')
                if found.shape != parameter.shape:
                    shapes = f'{tuple(found.shape)} instead of {tuple(parameter.shape)}'
                    raise ValueError(f'{moment} of {name} is {shapes}')


def parameter_groups(network: PropagationNetwork, lr: float, key_lr: float) -> list[dict[str, Any]]:
    """Parameters for the optimiser; the key projections learn at key_lr times the rate lr.

    Each output of a key projection sums 9216 features that are never negative, so at a large
    learning rate Adam's steps, which then all have one sign, move it as a whole. From random
    weights, keys grow within a few hundred steps until each softmax over the memory picks a single
    position, the same for all queries. From there on no gradient reaches them.
    """
    if key_lr == 1:
        return [{'params': list(network.parameters())}]
    keys = [parameter for head in network.key_projections for parameter in head.parameters()]
    others = [p for p in network.parameters() if not any(p is key for key in keys)]
    return [{'params': others}, {'params': keys, 'lr': lr * key_lr}]


def moving_average(decay: float) -> Callable[[Tensor, Tensor, Any], Tensor]:
    """The `avg_fn` of an AveragedModel: (mean so far, new value, number of values) -> new mean.

    The decay rises to its final value, or the random start would count for thousands of steps.
    """

    def average(mean: Tensor, value: Tensor, number: Any) -> Tensor:
        if not value.is_floating_point():
            return value
        # `number` is a device tensor; `.item()` would synchronise once per parameter
        return mean.lerp(value, 1 - ((1 + number) / (10 + number)).clamp(max=decay))

    return average


def training_dtype(device: torch.device) -> torch.dtype:
    """The half precision of `amp`: bfloat16 where the device has it, as it needs no scaler."""
    if device.type == 'cuda' and not torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.float16
    return torch.bfloat16
