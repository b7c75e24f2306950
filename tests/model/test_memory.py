"""Reading from memory and soft aggregation: recorded figures, and the reference implementation."""

import numpy as np
import pytest
import torch

from model import memory, plans
from scripts.benchmarks import reference
from tests.helpers import stand_in
from tests.helpers.operations import Operations

OPTIONS = {
    'softmax': {},
    'top20': {'top_k': 20},
    'km': {'kernel_sigma': 5.6},
    'top20_km': {'top_k': 20, 'kernel_sigma': 5.6},
}
PLANS = {**plans.PLANS, 'other': plans.OTHER_PLAN}  # by the device they are meant for


def golden(name):
    """Recorded inputs and outputs, by name."""
    arrays = np.load(stand_in.GOLDEN / f'{name}.npz')
    return {key: torch.from_numpy(arrays[key]) for key in arrays}


@pytest.mark.parametrize('name', OPTIONS)
def test_affinity_and_readout_give_the_recorded_figures(name):
    recorded = golden('memory_read')
    weights = memory.affinity(recorded['mk'], recorded['qk'], **OPTIONS[name])
    result = memory.readout(weights, recorded['mv']).view_as(recorded[name])
    torch.testing.assert_close(result, recorded[name], atol=1e-5, rtol=0)


@pytest.fixture
def read_as_on(monkeypatch):
    """Makes the CPU read memory in the way meant for another device; fields of Plan may differ."""

    def use(device, **fields):
        monkeypatch.setitem(plans.PLANS, 'cpu', PLANS[device]._replace(**fields))

    return use


@pytest.mark.parametrize('name', OPTIONS)
@pytest.mark.parametrize('device', PLANS)
@pytest.mark.parametrize('chunk, part, block', [(1, 1, 3), (7, 13, 40), (256, 16384, 10**6)])
def test_read_in_parts_gives_the_recorded_figures(name, device, chunk, part, block, read_as_on):
    read_as_on(device, chunk=chunk, part=part)
    recorded = golden('memory_read')
    keys, values = (recorded[k][0].flatten(1).T.split(block) for k in ('mk', 'mv'))
    result = memory.read(keys, values, recorded['qk'][0], **OPTIONS[name])
    torch.testing.assert_close(result[None], recorded[name], atol=1e-5, rtol=0)


@pytest.mark.parametrize('options', OPTIONS.values(), ids=OPTIONS)
def test_read_equals_the_reference_with_more_positions_than_k(options):
    torch.manual_seed(0)
    keys, values = torch.randn(128, 6, 7, 9), torch.randn(512, 6, 7, 9)
    query = torch.randn(128, 7, 9)
    top_k, sigma = options.get('top_k'), options.get('kernel_sigma')
    expected = reference.read(keys, values, query, top_k, sigma)
    result = memory.read(keys.flatten(1).T, values.flatten(1).T, query, **options)
    torch.testing.assert_close(result, expected, atol=1e-5, rtol=0)


def made_up_memory(num_frames, height, width, frames_per_block=8):
    """Blocks of keys and values as a MemoryBank holds them, and a query."""
    torch.manual_seed(0)
    counts = [min(frames_per_block, num_frames - i) for i in range(0, num_frames, frames_per_block)]
    rows = [count * height * width for count in counts]
    keys, values = ([torch.randn(n, channels) for n in rows] for channels in (128, 512))
    return keys, values, torch.randn(128, height, width)


@pytest.mark.parametrize('options', OPTIONS.values(), ids=OPTIONS)
def test_every_device_reads_the_same(options, read_as_on):
    inputs = made_up_memory(20, 6, 9)
    expected = memory.read(*inputs, **options)
    read_as_on('cuda', chunk=plans.PLANS['cpu'].chunk)
    assert torch.equal(memory.read(*inputs, **options), expected)
    read_as_on('other')
    result = memory.read(*inputs, **options)
    torch.testing.assert_close(result, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize('device', ['cuda', 'other'])
@pytest.mark.parametrize('options, most', [({}, 60), ({'kernel_sigma': 5.6}, 90)])
def test_a_gpu_reads_24_frames_at_480p_with_few_kernels_and_without_waiting(
    device, options, most, read_as_on
):
    inputs = made_up_memory(24, 30, 54)
    read_as_on(device)
    with torch.inference_mode(), Operations() as operations:
        memory.read(*inputs, top_k=50, **options)
    assert operations.waits == []
    assert 20 < operations.total <= most, operations.count


def test_waiting_is_noticed():
    """On a CPU, rows are picked by a mask, for whose number of elements a GPU's host would wait."""
    inputs = made_up_memory(10, 3, 4)
    with torch.inference_mode(), Operations() as operations:
        memory.read(*inputs, top_k=5)
    assert 'index' in operations.waits


def test_affinity_sums_to_one_over_memory_and_keeps_k_positions():
    torch.manual_seed(0)
    keys, query = torch.randn(2, 128, 3, 4, 5), torch.randn(2, 128, 4, 5)
    weights = memory.affinity(keys, query, top_k=7)
    assert weights.shape == (2, 60, 20)
    torch.testing.assert_close(weights.sum(1), torch.ones(2, 20))
    assert (weights > 0).sum(1).eq(7).all()


def test_k_beyond_the_size_of_the_memory_takes_all_of_it():
    torch.manual_seed(0)
    keys, query = torch.randn(1, 128, 3, 3), torch.randn(1, 128, 3, 3)
    torch.testing.assert_close(memory.affinity(keys, query, top_k=50), memory.affinity(keys, query))


def test_scores_too_large_for_exp_stay_finite():
    keys, query = 100 * torch.ones(9, 128), 100 * torch.ones(128, 3, 3)
    result = memory.read(keys, torch.ones(9, 4), query, top_k=5, kernel_sigma=0.1)
    torch.testing.assert_close(result, torch.ones(4, 3, 3))


def test_the_read_is_float32_under_autocast():
    torch.manual_seed(0)
    keys, values, query = torch.randn(30, 128), torch.randn(30, 512), torch.randn(128, 3, 3)
    expected = memory.read(keys, values, query, top_k=5)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert torch.equal(memory.read(keys, values, query, top_k=5), expected)


def test_aggregate_gives_the_recorded_figures():
    recorded = golden('aggregate')
    result = memory.aggregate(recorded['prob'].transpose(0, 1)).transpose(0, 1)
    torch.testing.assert_close(result, recorded['with_background'], atol=1e-6, rtol=0)


def test_aggregate_accepts_any_leading_axes_and_sums_to_one():
    torch.manual_seed(0)
    prob = torch.rand(2, 3, 4, 5)
    joint = memory.aggregate(prob)
    torch.testing.assert_close(joint.sum(1), torch.ones(2, 4, 5))
    torch.testing.assert_close(joint[1], reference.aggregate(prob[1]))


def test_aggregate_of_certain_objects_is_finite_in_half_precision():
    joint = memory.aggregate(torch.tensor([0.0, 1.0, 1.0]).half().view(3, 1, 1))
    assert joint.dtype == torch.float32 and joint.isfinite().all()
