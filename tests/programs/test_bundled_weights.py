"""What only a training from nothing needs: weights to start from, an average to end with."""

import copy

import torch

from model.memory import affinity
from model.model import PropagationModel
from model.network import PropagationNetwork
from model.pretrained import start_from_scratch
from tests.model.test_training_step import make_batch


def largest_share(network):
    """Of what a query position takes from one memory position, on average; BatchNorm learning."""
    batch = make_batch(size=96)
    PropagationModel(network, train_bn=True)
    masks = (batch['masks'][:, :1] == 1).float()
    with torch.no_grad():
        keys, _ = network.memorize(batch['frames'][:, 0], masks)
        query = network.encode_query(batch['frames'][:, 1])
        return affinity(keys[:, 0], query.key).amax(1).mean().item()


def test_training_from_nothing_starts_with_all_of_the_memory_in_view():
    torch.manual_seed(0)
    network = PropagationNetwork()
    start_from_scratch(network)
    assert largest_share(network) < 0.06, 'of 36 positions'


def test_the_key_projections_have_a_learning_rate_of_their_own(network):
    start = copy.deepcopy(network)
    model = PropagationModel(copy.deepcopy(network), lr=1e-3, key_lr=0.1)
    model.step(make_batch(), 0)
    for name, parameter in model.network.named_parameters():
        moved = (parameter - start.get_parameter(name)).abs().max().item()
        # Adam's first step is the learning rate; it is less where there is no gradient
        most = 1e-4 if '.key_proj.' in name else 1e-3
        assert moved <= 1.01 * most, name
        assert moved > 0.9 * most or '.bias' in name, name


def test_the_result_is_the_moving_average_of_the_weights(network):
    torch.manual_seed(0)
    model = PropagationModel(copy.deepcopy(network), lr=1e-2, train_bn=True, ema=0.5)
    name = 'decoder.pred.weight'
    history = []
    for _ in range(4):
        model.step(make_batch(), 0)
        history.append(model.network.state_dict()[name].clone())
    mean = history[0]
    for number, weight in enumerate(history[1:], 1):
        decay = min(0.5, (1 + number) / (10 + number))
        mean = decay * mean + (1 - decay) * weight
    torch.testing.assert_close(model.result.state_dict()[name], mean)
    assert model.result.state_dict().keys() == model.network.state_dict().keys()
    buffers = dict(model.result.named_buffers())
    assert buffers['rgb_encoder.bn1.num_batches_tracked'] == 8  # two queries a step


def test_without_an_average_the_result_is_the_network(network):
    model = PropagationModel(copy.deepcopy(network))
    assert model.result is model.network and 'average' not in model.state_dict()
