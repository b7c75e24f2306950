import copy
import itertools

import numpy as np
import pytest
import torch

from model.losses import kept_fraction
from model.model import NonFiniteLoss, PropagationModel
from model.network import PropagationNetwork
from scripts.benchmarks import reference as reference
from tests.helpers import stand_in


def make_batch(samples=2, objects=2, size=48, seed=0):
    """Two boxes that move; the second sample lacks object 2."""
    frames, masks = [], []
    for number in range(samples):
        images, mask = stand_in.clip(3, size, size, seed + number)
        frames.append(torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255)
        masks.append(torch.from_numpy(mask).long())
    masks, valid = torch.stack(masks), torch.ones(samples, objects)
    valid[1:, 1:] = 0
    masks = torch.where(masks > valid.sum(1).long()[:, None, None, None], 0, masks)
    names = [f'sample {number}' for number in range(samples)]
    return {'frames': torch.stack(frames), 'masks': masks, 'valid': valid, 'name': names}


@pytest.fixture
def trainee(network):
    return copy.deepcopy(network)


@pytest.mark.parametrize('iteration, p', [(0, 1), (20_001, 0.999983), (45_001, 0.574983)])
@pytest.mark.parametrize('objects', [1, 2])
def test_a_step_equals_the_plain_twin(trainee, iteration, p, objects):
    assert_step_equals_twin(trainee, iteration, p, make_batch(objects=objects))


def test_a_step_late_in_training_equals_the_plain_twin(trainee):
    assert_step_equals_twin(trainee, 80_001, 0.15, make_batch())


def assert_step_equals_twin(network, iteration, p, batch):
    twin = copy.deepcopy(network)
    loss, fraction = reference.training_loss(
        twin, batch['frames'], batch['masks'], batch['valid'], iteration
    )
    loss.backward()
    results = PropagationModel(network).step(batch, iteration)
    assert results['p'] == pytest.approx(fraction) == pytest.approx(p)
    assert results['loss'] == pytest.approx(loss.item(), rel=1e-4)
    for (name, parameter), (_, expected) in zip(
        network.named_parameters(), twin.named_parameters(), strict=True
    ):
        # in float32, through a hundred layers; a bias of the keys has no gradient at all
        difference = (parameter.grad - expected.grad).norm()
        assert difference < 5e-3 * expected.grad.norm() + 1e-8, name


def test_gradient_flows_through_the_predicted_mask(trainee):
    """The loss of frame 2 alone reaches the first frame's decoding through the memorised mask."""
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


def test_learning_rate_falls_at_its_steps():
    model = PropagationModel(PropagationNetwork(), lr=1e-5, steps=[2, 4], gamma=0.1)
    rates = []
    for _ in range(5):
        rates.append(model.scheduler.get_last_lr()[0])
        model.optimizer.step()
        model.scheduler.step()
    assert rates == pytest.approx([1e-5, 1e-5, 1e-6, 1e-6, 1e-7])


def test_iou_counts_pixels(trainee):
    results = PropagationModel(trainee).step(make_batch(), 0)
    masks = make_batch()['masks'][:, 1:]
    predicted = results['logits'].argmax(2)
    for number in (1, 2):
        a, b = predicted == number, masks == number
        assert results['intersection'][number - 1] == (a & b).sum()
        assert results['union'][number - 1] == (a | b).sum()


def test_batch_norm_is_frozen_unless_it_is_to_learn(trainee):
    name = 'rgb_encoder.bn1.running_mean'
    before = trainee.state_dict()[name].clone()
    PropagationModel(trainee).step(make_batch(1), 0)
    assert torch.equal(trainee.state_dict()[name], before)
    PropagationModel(trainee, train_bn=True).step(make_batch(1), 0)
    assert not torch.equal(trainee.state_dict()[name], before)


def test_half_precision_gives_about_the_same_loss(trainee):
    full = PropagationModel(copy.deepcopy(trainee)).step(make_batch(), 0)
    half = PropagationModel(trainee, amp=True).step(make_batch(), 0)
    assert half['loss'] == pytest.approx(full['loss'], rel=0.05)


def test_a_loss_that_is_not_finite_names_the_samples_and_changes_nothing(trainee):
    batch = make_batch()
    batch['frames'][0, 1, 0, 0, 0] = float('nan')
    before = copy.deepcopy(trainee.state_dict())
    with pytest.raises(NonFiniteLoss, match='sample 0, sample 1'):
        PropagationModel(trainee).step(batch, 0)
    assert all(torch.equal(a, before[name]) for name, a in trainee.state_dict().items())


def test_a_gradient_that_is_not_finite_changes_nothing_either(trainee):
    model = PropagationModel(trainee)
    before = trainee.decoder.pred.bias.clone()
    trainee.decoder.pred.bias.register_hook(lambda gradient: gradient * torch.nan)
    with pytest.raises(NonFiniteLoss):
        model.step(make_batch(1), 0)
    assert torch.equal(trainee.decoder.pred.bias, before)


def test_what_one_process_finds_stops_all_of_them(trainee, monkeypatch):
    model = PropagationModel(trainee)
    model.distributed = True
    asked = []

    def another_says_no(finite, op):
        asked.append((finite.item(), op))
        finite.zero_()

    monkeypatch.setattr('torch.distributed.all_reduce', another_says_no)
    before = trainee.decoder.pred.bias.clone()
    with pytest.raises(NonFiniteLoss):
        model.step(make_batch(1), 0)
    assert asked == [(1, torch.distributed.ReduceOp.MIN)]
    assert torch.equal(trainee.decoder.pred.bias, before)


def test_thirty_steps_on_one_sample_overfit():
    torch.manual_seed(0)
    network = PropagationNetwork()
    model = PropagationModel(network, lr=1e-4, train_bn=True, clip_grad=1)
    losses = [model.step(make_batch(1), 0)['loss'] for _ in range(30)]
    assert losses[0] > 5 * losses[-1], losses


def test_gradients_can_be_clipped(trainee):
    model = PropagationModel(trainee, clip_grad=0.5)
    model.step(make_batch(), 0)
    norms = [parameter.grad.norm() for parameter in trainee.parameters()]
    assert float(torch.stack(norms).norm()) == pytest.approx(0.5, rel=1e-3)


def test_endless_sampler_splits_whole_batches_and_goes_on_where_it_stopped():
    from dataset.endless import EndlessSampler

    def take(count, **options):
        return list(itertools.islice(EndlessSampler(11, **options), count))

    whole = take(30, batch_size=4)
    parts = [take(15, batch_size=2, rank=rank, world_size=2) for rank in (0, 1)]
    assert [key for pair in zip(*parts, strict=True) for key in pair] == whole
    assert [epoch for epoch, _ in whole] == list(np.repeat(range(4), 8))[:30]
    assert len(set(whole[:8])) == 8 and whole[:8] != whole[8:16]
    assert take(10, batch_size=4, start=5) == whole[20:30]
    assert len(take(20, batch_size=16)) == 20, 'a set smaller than a batch repeats'
