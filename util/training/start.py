"""Sets up a training: device, folder, processes, data and network."""

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import fields
from datetime import timedelta
from pathlib import Path

import torch

from dataset.benchmarks import BenchmarkVideo, davis_2017
from dataset.stage_options import StageOptions
from dataset.stages import build_stage
from model.model import OptimizationOptions, PropagationModel
from model.network import PropagationNetwork
from model.pretrained import start_from_imagenet, start_from_network, start_from_scratch
from util import distributed
from util.device import choose_device, configure_torch
from util.errors import naming_options
from util.training.checkpoints import training_folder
from util.training.options import TrainingOptions
from util.training.rescue import rescue
from util.training.training import Training

TIMEOUT = timedelta(minutes=30)  # how long to wait for another process, which may have died


@contextlib.contextmanager
def start_training(options: TrainingOptions) -> Iterator[Training]:
    """Set up a training for the block. If the block fails, a checkpoint is saved."""
    with named_options():
        device = prepare_device(options)
        with (
            training_folder(options.saves, options.id, resumes=bool(options.load_model)) as folder,
            distributed.process_group('nccl' if device.type == 'cuda' else 'gloo', TIMEOUT),
            torch.autograd.set_detect_anomaly(options.debug),
        ):
            training = prepare(options, device, folder)
            with rescue(training), named_options(), training.progress, closing(training.batches):
                yield training
                training.logger.close()


def named_options() -> AbstractContextManager[None]:
    """Make errors about a parameter end with the option of the same name."""
    return naming_options(**{field.name: f'--{field.name}' for field in fields(TrainingOptions)})


def prepare_device(options: TrainingOptions) -> torch.device:
    """Choose the device of this process and set PyTorch up for it."""
    configure_torch()
    device = distributed.own_device(choose_device(options.device))
    if device.type == 'cuda':
        torch.cuda.set_device(device)
    torch.backends.cudnn.benchmark = options.benchmark
    return device


def prepare(options: TrainingOptions, device: torch.device, folder: Path | None) -> Training:
    """Load data and network. Data first, so that its faults show before a download."""
    dataset = build_stage(options.stage, options.select(StageOptions))
    videos = validation_videos(options)
    model = PropagationModel(
        start_network(options).to(device),
        options.select(OptimizationOptions),
        distributed=distributed.world_size() > 1,
    )
    training = Training(options, model, dataset, videos, folder)
    if training.is_main:
        training.announce()
    return training


def validation_videos(options: TrainingOptions) -> list[BenchmarkVideo]:
    """The videos of --validate, if it was given. Raises UserError if the tree is incomplete."""
    if not options.validate:
        return []
    with naming_options(root='--validate'):
        videos = davis_2017(options.validate)
    return [video._replace(short_side=options.validate_size) for video in videos]


def start_network(options: TrainingOptions) -> PropagationNetwork:
    """Create the network to train, from another training, from ImageNet, or at random."""
    torch.manual_seed(options.seed)
    network = PropagationNetwork(single_object=options.stage == 0)
    if options.load_model:
        return network  # its weights will be those of the checkpoint
    if options.load_network:
        with naming_options(model='--load_network'):
            start_from_network(network, options.load_network)
    elif options.pretrained != 'none':
        with naming_options(source='--pretrained', model='--pretrained'):
            start_from_imagenet(network, options.pretrained)
    else:
        start_from_scratch(network)
    return network
