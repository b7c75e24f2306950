"""One training step: equal to the reference implementation, and safe from losses like NaN."""

import contextlib
import copy

import pytest
import torch
from torch import nn

from model.losses import kept_fraction
from model.model import NonFiniteLoss, OptimizationOptions, PropagationModel
from model.network import PropagationNetwork
from scripts.benchmarks import reference
from tests.helpers.training_batch import make_batch


@pytest.fixture
def trainee(network):
    """A copy of the network, which a test may change."""
    return copy.deepcopy(network)


@pytest.mark.parametrize('iteration, p', [(0, 1), (20_001, 0.999983), (45_001, 0.574983)])
@pytest.mark.parametrize('num_objects', [1, 2])
def test_a_step_equals_the_reference(trainee, iteration, p, num_objects):
    assert_step_equals_reference(trainee, iteration, p, make_batch(num_objects=num_objects))


def test_a_step_late_in_training_equals_the_reference(trainee):
    assert_step_equals_reference(trainee, 80_001, 0.15, make_batch())


def assert_step_equals_reference(network, iteration, p, batch):
    other = copy.deepcopy(network)
    loss, fraction = reference.training_loss(
        other, batch['frames'], batch['masks'], batch['valid'], iteration
    )
    loss.backward()
    results = PropagationModel(network).step(batch, iteration)
    assert results['p'] == pytest.approx(fraction) == pytest.approx(p)
    assert results['loss'] == pytest.approx(loss.item(), rel=1e-4)
    for (name, parameter), (_, expected) in zip(
        network.named_parameters(), other.named_parameters(), strict=True
    ):
        # float32 errors through a hundred layers; the keys' biases have no gradient at all
        difference = (parameter.grad - expected.grad).norm()
        assert difference < 5e-3 * expected.grad.norm() + 1e-8, name


def test_gradient_flows_through_the_predicted_mask(trainee):
    """The loss of frame 2 alone reaches frame 1 and the given masks, through memorised masks."""
    batch = make_batch(1)
    frames = batch['frames'].requires_grad_()
    masks = torch.stack([batch['masks'][:, 0] == 1, batch['masks'][:, 0] == 2], 1).float()
    logits = trainee(frames, masks.requires_grad_(), batch['valid'])
    logits[:, 1].sum().backward()
    assert frames.grad[:, 1].abs().sum() > 0 and masks.grad.abs().sum() > 0


def test_kept_fraction_by_hand():
    expected = {0: 1, 19_999: 1, 20_000: 1, 45_000: 0.575, 70_000: 0.15, 10**6: 0.15}
    for iteration, fraction in expected.items():
        assert kept_fraction(iteration) == fraction, iteration
    sooner = [kept_fraction(iteration, (10, 20)) for iteration in (10, 15, 20)]
    assert sooner == [1, 0.575, 0.15]


def test_the_learning_rate_falls_at_its_steps():
    options = OptimizationOptions(lr=1e-5, steps=(2, 4), gamma=0.1)
    model = PropagationModel(PropagationNetwork(), options)
    rates = []
    for _ in range(5):
        rates.append(model.scheduler.get_last_lr()[0])
        model.optimizer.step()
        model.scheduler.step()
    assert rates == pytest.approx([1e-5, 1e-5, 1e-6, 1e-6, 1e-7])


def test_intersection_and_union_count_pixels(trainee):
    results = PropagationModel(trainee).step(make_batch(), 0)
    masks = make_batch()['masks'][:, 1:]
    predicted = results['logits'].argmax(2)
    for number in (1, 2):
        a, b = predicted == number, masks == number
        assert results['intersection'][number - 1] == (a & b).sum()
        assert results['union'][number - 1] == (a | b).sum()


def test_batch_norm_learns_only_if_asked_to(trainee):
    name = 'rgb_encoder.bn1.running_mean'
    before = trainee.state_dict()[name].clone()
    PropagationModel(trainee).step(make_batch(1), 0)
    assert torch.equal(trainee.state_dict()[name], before)
    PropagationModel(trainee, OptimizationOptions(train_bn=True)).step(make_batch(1), 0)
    assert not torch.equal(trainee.state_dict()[name], before)


def training_modes_of_batch_norm(network):
    modules = network.modules()
    return [m.training for m in modules if isinstance(m, nn.BatchNorm2d)]


@pytest.mark.parametrize('ema', [None, 0.5])
def test_batch_norm_learns_again_after_an_evaluation(trainee, ema):
    """Also where the evaluation fails."""
    model = PropagationModel(trainee, OptimizationOptions(train_bn=True, ema=ema))
    with pytest.raises(KeyError), model.evaluating() as network:
        assert network is model.result
        assert not network.training and not any(training_modes_of_batch_norm(network))
        raise KeyError
    assert all(training_modes_of_batch_norm(trainee))


def test_batch_norm_stays_frozen_after_an_evaluation(trainee):
    model = PropagationModel(trainee)
    with model.evaluating():
        pass
    assert not any(training_modes_of_batch_norm(trainee))


def test_half_precision_gives_about_the_same_loss(trainee):
    full = PropagationModel(copy.deepcopy(trainee)).step(make_batch(), 0)
    half = PropagationModel(trainee, OptimizationOptions(amp=True)).step(make_batch(), 0)
    assert half['loss'] == pytest.approx(full['loss'], rel=0.05)


def test_a_loss_that_is_not_finite_names_the_samples_and_changes_nothing(trainee):
    batch = make_batch()
    batch['frames'][0, 1, 0, 0, 0] = float('nan')
    before = copy.deepcopy(trainee.state_dict())
    with pytest.raises(NonFiniteLoss, match='sample 0, sample 1'):
        PropagationModel(trainee).step(batch, 0)
    assert all(torch.equal(a, before[name]) for name, a in trainee.state_dict().items())


def test_a_gradient_that_is_not_finite_changes_nothing(trainee):
    model = PropagationModel(trainee)
    before = trainee.decoder.pred.bias.clone()
    trainee.decoder.pred.bias.register_hook(lambda gradient: gradient * torch.nan)
    with pytest.raises(NonFiniteLoss):
        model.step(make_batch(1), 0)
    assert torch.equal(trainee.decoder.pred.bias, before)


def test_a_loss_that_is_not_finite_in_one_process_stops_all_of_them(trainee, monkeypatch):
    model = one_of_two(trainee, monkeypatch, [torch.nan, 1, 0, 3, 4, 5, 6])
    before = trainee.decoder.pred.bias.clone()
    with pytest.raises(NonFiniteLoss):
        model.step(make_batch(1), 0)
    assert torch.equal(trainee.decoder.pred.bias, before)


def one_of_two(network, monkeypatch, others):
    """A model whose all_reduce adds what another process would have sent, and may run once."""
    model = PropagationModel(network)
    model.distributed = True
    others = iter([torch.tensor(others, dtype=torch.float32)])
    monkeypatch.setattr('torch.distributed.all_reduce', lambda sums: sums.add_(next(others)))
    monkeypatch.setattr('torch.distributed.get_world_size', lambda: 2)
    return model


def test_loss_and_pixels_are_those_of_all_processes(trainee, monkeypatch):
    alone = PropagationModel(copy.deepcopy(trainee)).step(make_batch(), 0)
    both = one_of_two(trainee, monkeypatch, [0.5, 0, 0, 1, 2, 3, 4]).step(make_batch(), 0)
    assert both['loss'] == pytest.approx((alone['loss'] + 0.5) / 2)
    assert both['intersection'] == [pixels + n for n, pixels in enumerate(alone['intersection'], 1)]
    assert both['union'] == [pixels + n for n, pixels in enumerate(alone['union'], 3)]
    assert not alone['stop'] and not both['stop']


def test_a_process_stops_when_any_is_asked_to(trainee, monkeypatch):
    elsewhere = one_of_two(copy.deepcopy(trainee), monkeypatch, [0, 0, 1, 0, 0, 0, 0])
    assert elsewhere.step(make_batch(1), 0)['stop']
    here = one_of_two(trainee, monkeypatch, [0] * 7)
    assert here.step(make_batch(1), 0, lambda: True)['stop']


def test_nothing_waits_for_the_device_between_forward_and_backward(trainee, monkeypatch):
    """On the meta device, every number that is read from a tensor raises an error.

    The first one that a step reads is the vector of results, when each parameter has its gradient.
    """
    monkeypatch.setattr('torch.autocast', lambda *_, **__: contextlib.nullcontext())
    model = PropagationModel(trainee.to('meta'))
    read = []
    monkeypatch.setattr(
        PropagationModel,
        'sum_over_processes',
        lambda _, *values: read.append([value.device.type for value in values]) or [0.0] * 7,
    )
    with pytest.raises((NotImplementedError, RuntimeError), match='meta'):
        trainee.decoder.pred.bias.tolist()
    results = model.step(make_batch(), 80_000)
    assert read == [['meta'] * 5] and results['logits'].device.type == 'meta'
    assert all(parameter.grad is not None for parameter in trainee.parameters())


def test_thirty_steps_on_one_sample_overfit():
    torch.manual_seed(0)
    network = PropagationNetwork()
    model = PropagationModel(network, OptimizationOptions(lr=1e-4, train_bn=True, clip_grad=1))
    losses = [model.step(make_batch(1), 0)['loss'] for _ in range(30)]
    assert losses[0] > 5 * losses[-1], losses


def test_gradients_can_be_clipped(trainee):
    model = PropagationModel(trainee, OptimizationOptions(clip_grad=0.5))
    model.step(make_batch(), 0)
    norms = [parameter.grad.norm() for parameter in trainee.parameters()]
    assert float(torch.stack(norms).norm()) == pytest.approx(0.5, rel=1e-3)
