"""One training step of the propagation network, and all the state that goes with it.

Legend: B batch, T frames, K objects, H W crop.
"""

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel

from model.losses import BOOTSTRAP, intersection_and_union, kept_fraction, propagation_loss


class NonFiniteLoss(ArithmeticError):
    """The loss is NaN or infinite; its message names the samples."""


class PropagationModel:
    """Network, optimiser, schedule and precision. MiVOS (CVPR 2021), appendix (training).

    network: on its device already. train_bn: BatchNorm normalises by the batch and updates its
    statistics (for training from scratch); otherwise it stays frozen. amp: bfloat16 where the
    device has it, else float16 with a gradient scaler. clip_grad: largest norm of the gradient,
    None for no limit. ema: decay of a moving average of the weights, which then is the result of
    the training; None for none. key_lr: see `parameter_groups`. bootstrap: see `kept_fraction`.
    distributed: average gradients over torch.distributed's processes.
    """

    def __init__(
        self,
        network,
        *,
        lr=1e-5,
        weight_decay=1e-7,
        steps=(),
        gamma=0.1,
        amp=False,
        train_bn=False,
        clip_grad=None,
        ema=None,
        key_lr=1.0,
        bootstrap=BOOTSTRAP,
        distributed=False,
    ):
        self.network, self.device = network, network.device
        self.amp, self.clip_grad, self.bootstrap = amp, clip_grad, bootstrap
        network.set_batch_norm(train_bn)
        self.average = (
            AveragedModel(network, avg_fn=moving_average(ema), use_buffers=True) if ema else None
        )
        self.rollout, self.distributed = network, distributed
        if distributed:
            self.rollout = DistributedDataParallel(network, broadcast_buffers=train_bn)
        groups = parameter_groups(network, lr, key_lr)
        self.optimizer = torch.optim.Adam(groups, lr=lr, weight_decay=weight_decay)
        self.scheduler = torch.optim.lr_scheduler.MultiStepLR(self.optimizer, list(steps), gamma)
        self.dtype = training_dtype(self.device)
        self.scaler = torch.amp.GradScaler(
            self.device.type, enabled=amp and self.dtype == torch.float16
        )

    def step(self, batch, iteration):
        """One update -> what to log: loss, p, lr, and per object intersection and union.

        batch: frames (B, T, 3, H, W) in [0, 1], masks (B, T, H, W) of 0..K, valid (B, K), and the
        samples' names. 'logits' (B, T-1, K+1, H, W) is there to draw pictures from.
        """
        frames = batch['frames'].to(self.device, non_blocking=True)
        masks = batch['masks'].to(self.device, non_blocking=True)
        valid = batch['valid'].to(self.device, non_blocking=True)
        fraction = kept_fraction(iteration, self.bootstrap)
        with torch.autocast(self.device.type, dtype=self.dtype, enabled=self.amp):
            logits = self.rollout(frames, split_objects(masks[:, 0], valid.shape[1]), valid)
            loss = propagation_loss(logits, masks[:, 1:], valid, fraction)
        lr = self.scheduler.get_last_lr()[0]
        if not self.backward_and_step(loss):
            raise NonFiniteLoss(', '.join(batch['name']))
        intersection, union = intersection_and_union(logits.detach(), masks[:, 1:])
        return {
            'loss': loss.item(),
            'p': fraction,
            'lr': lr,
            'intersection': intersection.tolist(),
            'union': union.tolist(),
            'logits': logits.detach(),
        }

    def backward_and_step(self, loss):
        """One step down the gradient -> False, and no step, if loss or gradient is not finite.

        All processes come to one verdict. Where the gradient scaler skips steps of infinite
        gradients itself, which is no fault, only the loss is looked at.
        """
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.optimizer)
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), self.clip_grad or torch.inf)
        finite = loss.isfinite() if self.scaler.is_enabled() else loss.isfinite() & norm.isfinite()
        finite = finite.float()
        if self.distributed:
            dist.all_reduce(finite, dist.ReduceOp.MIN)
        if not finite:
            return False
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.scheduler.step()
        if self.average:
            self.average.update_parameters(self.network)
        return True

    @property
    def result(self):
        """The network to evaluate and to keep: the moving average if there is one."""
        return self.average.module if self.average else self.network

    def state_dict(self):
        average = {'average': self.average.state_dict()} if self.average else {}
        return {
            **average,
            'network': self.network.state_dict(),
            'optimizer': self.optimizer.state_dict(),
            'scheduler': self.scheduler.state_dict(),
            'scaler': self.scaler.state_dict(),
        }

    def load_state_dict(self, state):
        self.network.load_state_dict(state['network'])
        self.optimizer.load_state_dict(state['optimizer'])
        self.scheduler.load_state_dict(state['scheduler'])
        if self.average:  # of a checkpoint without one: it begins here
            self.average.module.load_state_dict(state['network'])
            if 'average' in state:
                self.average.load_state_dict(state['average'])
        if state.get('scaler'):
            self.scaler.load_state_dict(state['scaler'])


def parameter_groups(network, lr, key_lr):
    """The key projections learn at key_lr times the learning rate of the others.

    Each of their outputs sums 9216 features that are never negative, so that at a large learning
    rate Adam's steps, all of one sign, move it as a whole. From random weights keys thus grow
    within a few hundred steps until each softmax over the memory picks a single position, the same
    for all queries; from there on no gradient reaches them.
    """
    heads = (network.kv_m_f16, network.kv_q_f16)
    keys = [parameter for head in heads for parameter in head.key_proj.parameters()]
    if key_lr == 1:
        return network.parameters()
    others = [p for p in network.parameters() if not any(p is key for key in keys)]
    return [{'params': others}, {'params': keys, 'lr': lr * key_lr}]


def moving_average(decay):
    """-> the mean so far, the new value, their number -> the new mean, for `AveragedModel`.

    The decay grows towards its final value, or the random start would weigh for thousands of steps.
    """

    def average(mean, value, number):
        if not value.is_floating_point():
            return value
        # `number` lies on the device: asking for it would wait for the device, tensor by tensor
        return mean.lerp(value, 1 - ((1 + number) / (10 + number)).clamp(max=decay))

    return average


def split_objects(mask, num_objects):
    """Index mask (B, H, W) of 0..K -> float32 (B, K, H, W)."""
    ids = torch.arange(1, num_objects + 1, device=mask.device).view(1, -1, 1, 1)
    return (mask.unsqueeze(1) == ids).float()


def training_dtype(device):
    """The half precision of `amp`: bfloat16 needs no gradient scaler, where there is one."""
    if device.type == 'cuda' and not torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.float16
    return torch.bfloat16
