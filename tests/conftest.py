"""Fixtures of all tests: a checkpoint with stand-in weights, and networks that are read from it."""

import os

os.environ['OMP_NUM_THREADS'] = '2'  # before torch: the same sums on every machine
os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')  # several processes may share two cores

import pytest
import torch

from model.network import load_network
from tests.helpers import stand_in

pytest_plugins = ['tests.helpers.loopback']  # the fixture `site`
torch.use_deterministic_algorithms(True)


@pytest.fixture(scope='session')
def checkpoint(tmp_path_factory):
    """A file in the published layout, with stand-in weights."""
    path = tmp_path_factory.mktemp('weights') / 'stand_in.pth'
    torch.save(stand_in.weights(), path)
    return path


@pytest.fixture(scope='session')
def network(checkpoint):
    return load_network(checkpoint)


@pytest.fixture(scope='session')
def prepared(checkpoint):
    """The network made ready for inference, as the programs load it."""
    return load_network(checkpoint, for_inference=True)
