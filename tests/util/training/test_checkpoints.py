"""Checkpoints to resume from: those of the published code, and those of other networks."""

import copy
import re

import pytest
import torch
from torch import nn

from model.model import OptimizationOptions, PropagationModel
from model.network import PropagationNetwork
from tests.helpers.training_batch import make_batch
from util.errors import UserError
from util.training.checkpoints import BINDING, resume

CONFIG = {**dict.fromkeys(BINDING), 'stage': 2, 'iterations': 100}
OPTIONS = OptimizationOptions(lr=1e-4, steps=(2,))
PUBLISHED_ORDER = ('mask_rgb_encoder', 'rgb_encoder', 'kv_m_f16', 'kv_q_f16', 'decoder')


class PublishedNetwork(nn.Module):
    """The parts of a network, registered in the order of the published code."""

    def __init__(self, network):
        super().__init__()
        for name in PUBLISHED_ORDER:
            setattr(self, name, getattr(network, name))


def published_checkpoint(model, iteration):
    """What the published code, with PyTorch 1.7, would have saved of a training."""
    network = PublishedNetwork(model.network)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4, weight_decay=1e-7)
    for parameter in network.parameters():
        moments = model.optimizer.state[parameter]
        optimizer.state[parameter] = {**moments, 'step': int(moments['step'])}
    state = optimizer.state_dict()
    (group,) = state['param_groups']
    names = ('lr', 'betas', 'eps', 'weight_decay', 'amsgrad', 'params')
    state['param_groups'] = [{name: group[name] for name in names} | {'initial_lr': 1e-4}]
    return {
        'it': iteration,
        'network': network.state_dict(),
        'optimizer': state,
        'scheduler': model.scheduler.state_dict(),
    }


@pytest.fixture(scope='module')
def trained(network):
    """A model after one step."""
    model = PropagationModel(copy.deepcopy(network), OPTIONS)
    model.step(make_batch(1), 0)
    return model


def untrained(**network_options):
    return PropagationModel(PropagationNetwork(**network_options), OPTIONS)


def refused(path, state, model, **config):
    """The message about a checkpoint of this content."""
    torch.save(state, path)
    with pytest.raises(UserError) as caught:
        resume(path, model, CONFIG | config)
    message = str(caught.value)
    assert message.startswith(f'{path}: ') and '\n' not in message
    return message.removeprefix(f'{path}: ')


def test_a_published_checkpoint_continues_exactly(trained, tmp_path):
    path, model = tmp_path / 'x_checkpoint.pth', untrained()
    torch.save(published_checkpoint(trained, 1), path)
    assert resume(path, model, CONFIG) == (1, None)
    for (name, ours), theirs in zip(
        model.network.named_parameters(), trained.network.parameters(), strict=True
    ):
        found, expected = model.optimizer.state[ours], trained.optimizer.state[theirs]
        assert torch.equal(ours, theirs), name
        assert all(torch.equal(found[key], expected[key]) for key in expected), name
    continued = copy.deepcopy(trained)
    for iteration in (1, 2):
        found, expected = (m.step(make_batch(1), iteration) for m in (model, continued))
        assert (found['loss'], found['lr']) == (expected['loss'], expected['lr'])
    assert found['lr'] == pytest.approx(1e-5), 'the schedule goes on, too'


def test_a_published_checkpoint_of_another_stage_is_refused(trained, tmp_path):
    state, model = published_checkpoint(trained, 1), untrained(single_object=True)
    message = refused(tmp_path / 'x.pth', state, model, stage=0)
    assert 'mask_rgb_encoder.conv1.weight (64, 5, 7, 7) instead of (64, 4, 7, 7)' in message


def test_a_published_checkpoint_that_is_complete_is_refused(trained, tmp_path):
    message = refused(tmp_path / 'x.pth', published_checkpoint(trained, 100), untrained())
    assert message.startswith('training is already complete (100 iterations)')


def test_moments_of_other_parameters_are_refused(trained, tmp_path):
    """As in a published checkpoint whose entry `it` was renamed by hand."""
    state = published_checkpoint(trained, 1)
    state['iteration'] = state.pop('it')
    message = refused(tmp_path / 'x.pth', state, untrained())
    assert re.search(r'\(exp_avg of rgb_encoder.* is \(64, 5, 7, 7\) instead of \(64, 3', message)


def drop_a_moment(state):
    state['optimizer']['state'].pop(7)


def drop_the_optimizer(state):
    del state['optimizer']


def drop_a_parameter(state):
    state['optimizer']['param_groups'][0]['params'].pop()


def add_a_group(state):
    state['optimizer']['param_groups'] *= 2


@pytest.mark.parametrize(
    'damage', [drop_a_moment, drop_the_optimizer, drop_a_parameter, add_a_group]
)
@pytest.mark.parametrize('kind', ['ours', 'published'])
def test_a_damaged_checkpoint_is_refused_in_one_line(trained, tmp_path, damage, kind):
    state = copy.deepcopy(published_checkpoint(trained, 1))
    if kind == 'ours':
        state = {'iteration': 1, **copy.deepcopy(trained.state_dict())}
    damage(state)
    message = refused(tmp_path / 'x.pth', state, untrained())
    assert message.startswith('not a checkpoint that this training can resume from (')
