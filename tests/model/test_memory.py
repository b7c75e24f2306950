"""Reading from memory and soft aggregation: recorded figures, and the reference implementation."""

import numpy as np
import pytest
import torch

from model import memory
from scripts.benchmarks import reference
from tests.helpers import stand_in

OPTIONS = {
    'softmax': {},
    'top20': {'top_k': 20},
    'km': {'kernel_sigma': 5.6},
    'top20_km': {'top_k': 20, 'kernel_sigma': 5.6},
}


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


@pytest.mark.parametrize('name', OPTIONS)
@pytest.mark.parametrize('chunk, part, block', [(1, 1, 3), (7, 13, 40), (256, 16384, 10**6)])
def test_read_in_parts_gives_the_recorded_figures(name, chunk, part, block, monkeypatch):
    monkeypatch.setattr(memory, 'CHUNK', chunk)
    monkeypatch.setattr(memory, 'PART', part)
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
