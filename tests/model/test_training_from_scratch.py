"""What only a training from scratch needs: weights to start from, an average to end with."""

import copy

import torch

from model.memory import affinity
from model.model import OptimizationOptions, PropagationModel
from model.network import PropagationNetwork
from model.pretrained import start_from_scratch
from tests.helpers.training_batch import make_batch


def mean_of_largest_weights(network):
    """How much a query position takes from the memory position that it takes most from.

    This is the mean over all query positions, while BatchNorm learns.
    """
    batch = make_batch(size=96)
    PropagationModel(network, OptimizationOptions(train_bn=True))
    masks = (batch['masks'][:, :1] == 1).float()
    with torch.no_grad():
        keys, _ = network.memorize(batch['frames'][:, 0], masks)
        query = network.encode_query(batch['frames'][:, 1])
        return affinity(keys[:, 0], query.key).amax(1).mean().item()


def test_a_training_from_scratch_starts_by_reading_from_all_of_the_memory():
    torch.manual_seed(0)
    network = PropagationNetwork()
    start_from_scratch(network)
    assert mean_of_largest_weights(network) < 0.06, '1/36 would be equal weights'


def test_the_key_projections_have_their_own_learning_rate(network):
    start = copy.deepcopy(network)
    options = OptimizationOptions(lr=1e-3, key_lr=0.1)
    model = PropagationModel(copy.deepcopy(network), options)
    model.step(make_batch(), 0)
    for name, parameter in model.network.named_parameters():
        moved = (parameter - start.get_parameter(name)).abs().max().item()
        # Adam's first step equals the learning rate, or less where there is no gradient
        most = 1e-4 if '.key_proj.' in name else 1e-3
        assert moved <= 1.01 * most, name
        assert moved > 0.9 * most or '.bias' in name, name


def test_the_result_is_the_moving_average_of_the_weights(network):
    torch.manual_seed(0)
    options = OptimizationOptions(lr=1e-2, train_bn=True, ema=0.5)
    model = PropagationModel(copy.deepcopy(network), options)
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
    assert buffers['rgb_encoder.bn1.num_batches_tracked'] == 8, 'two queries per step'


def test_without_an_average_the_result_is_the_network(network):
    model = PropagationModel(copy.deepcopy(network))
    assert model.result is model.network and 'average' not in model.state_dict()
