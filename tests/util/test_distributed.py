"""Several processes on one machine: which GPU each one uses."""

import pytest
import torch

from util import distributed
from util.errors import UserError


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 2)
    return lambda rank: monkeypatch.setenv('LOCAL_RANK', str(rank))


def test_each_process_has_its_own_gpu(two_gpus):
    two_gpus(1)
    assert distributed.own_device(torch.device('cuda')) == torch.device('cuda:1')
    assert distributed.own_device(torch.device('cuda:0')) == torch.device('cuda:0')
    assert distributed.own_device(torch.device('cpu')) == torch.device('cpu')


def test_more_processes_than_gpus_are_refused(two_gpus):
    two_gpus(2)
    with pytest.raises(UserError, match=r'2 GPUs for a process of local rank 2.*nproc_per_node'):
        distributed.own_device(torch.device('cuda'))
