import numpy as np
import pytest
import torch

from inference_core import InferenceCore
from model.bank import ObjectMemory
from scripts.benchmarks import reference as reference
from tests.helpers import stand_in
from util.errors import UserError
from util.tensor import padding, unpad


def frames(num_frames=8, height=48, width=64):
    images, masks = stand_in.clip(num_frames, height, width)
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255, masks


def run(core, images, annotations):
    """-> list of probabilities, one per image; annotations: dict frame -> mask."""
    return [core.step(image, annotations.get(t)) for t, image in enumerate(images)]


def test_recorded_figures_are_reproduced(network):
    recorded = np.load(stand_in.GOLDEN / 'inference.npz')
    core = InferenceCore(network, top_k=int(recorded['top_k']), mem_every=int(recorded['mem_freq']))
    for t, image in enumerate(recorded['images']):
        mask = recorded['first_mask'] if t == 0 else None
        prob = core.step(torch.from_numpy(image).permute(2, 0, 1), mask)
        expected = unpad(torch.from_numpy(recorded['prob'][:, t]), padding(70, 100, 16))
        torch.testing.assert_close(prob, expected, atol=1e-4, rtol=0)
        assert (prob.argmax(0) == expected.argmax(0)).float().mean() >= 0.999


@pytest.mark.parametrize('options', [{}, {'top_k': None}, {'sigma': 5.6}, {'mem_every': 1}])
def test_late_objects_and_gaps_in_ids_equal_the_plain_twin(network, options):
    images, masks = frames()
    annotations = {1: 9 * (masks[1] == 2), 4: 4 * (masks[4] == 1)}
    ids, expected = reference.propagate(network, images, annotations, **{'mem_every': 2, **options})
    options = {'mem_every': 2, **options}
    if 'sigma' in options:
        options['kernel_sigma'] = options.pop('sigma')
    core = InferenceCore(network, **options)
    results = run(core, images, annotations)
    assert ids == core.object_ids == [9, 4]
    for prob, plain in zip(results[1:], expected, strict=True):
        torch.testing.assert_close(prob, plain, atol=1e-4, rtol=0)


def test_a_late_object_leaves_earlier_frames_unchanged(network):
    images, masks = frames(6)
    early = {0: (masks[0] == 1).astype(np.uint8)}
    without = run(InferenceCore(network), images, early)
    late = run(InferenceCore(network), images, {**early, 4: 2 * (masks[4] == 2)})
    for t in range(4):
        assert torch.equal(without[t], late[t])
    assert late[4].shape[0] == 3


def test_a_mask_comes_back_where_it_was_drawn(network):
    images, masks = frames(4)
    core = InferenceCore(network)
    annotations = {0: masks[0], 3: 7 * (masks[3] == 2)}
    results = run(core, images, annotations)
    assert (core.to_mask(results[3])[masks[3] == 2] == 7).all()
    core = InferenceCore(network)
    assert np.array_equal(core.to_mask(core.step(images[0], masks[0])), masks[0])


def test_a_known_id_is_corrected_and_keeps_its_channel(network):
    images, masks = frames(4)
    core = InferenceCore(network)
    results = run(core, images, {0: masks[0], 2: (masks[2] == 1).astype(np.uint8)})
    assert core.object_ids == [1, 2]
    corrected = core.to_mask(results[2])
    assert np.array_equal(corrected == 1, masks[2] == 1), 'nothing of it is left elsewhere'


def test_a_listed_id_without_a_pixel_is_absent_but_known(network):
    images, masks = frames(2)
    core = InferenceCore(network)
    core.step(images[0], (masks[0] == 1).astype(np.uint8), object_ids=[1, 5])
    prob = core.step(images[1])
    assert core.object_ids == [1, 5] and prob.shape[0] == 3


def test_of_a_known_id_that_is_listed_without_a_pixel_nothing_is_said(network):
    images, masks = frames(4)
    second = (masks[2] == 2).astype(np.uint8) * 2
    results = []
    for ids in (None, [1, 2]):
        core = InferenceCore(network)
        core.step(images[0], (masks[0] == 1).astype(np.uint8))
        core.step(images[1])
        results.append(core.step(images[2], second, object_ids=ids))
    assert torch.equal(*results)


def test_an_empty_mask_says_nothing(network):
    images, masks = frames(4)
    with_empty = run(InferenceCore(network), images, {0: masks[0], 2: 0 * masks[2]})
    without = run(InferenceCore(network), images, {0: masks[0]})
    assert all(torch.equal(a, b) for a, b in zip(with_empty, without, strict=True))


def test_before_the_first_object_all_is_background(network):
    images, masks = frames(3)
    core = InferenceCore(network)
    assert torch.equal(core.step(images[0]), torch.ones(1, 48, 64))
    assert not core.to_mask(core.step(images[1])).any()
    assert core.step(images[2], masks[2]).shape[0] == 3


def test_the_last_frame_is_never_memorised(network, monkeypatch):
    images, masks = frames(4)
    calls = []
    memorize = network.memorize
    monkeypatch.setattr(network, 'memorize', lambda *a: calls.append(1) or memorize(*a))
    run(InferenceCore(network), images, {0: masks[0]})
    assert len(calls) == 3


def test_order_of_ids_does_not_matter(network):
    images, masks = frames(4)
    swapped = np.array([0, 2, 1])[masks[0]]
    one = run(InferenceCore(network), images, {0: masks[0]})
    two = run(InferenceCore(network), images, {0: swapped})
    for a, b in zip(one, two, strict=True):
        torch.testing.assert_close(a, b[[0, 2, 1]], atol=1e-5, rtol=0)


def test_bytes_and_floats_are_the_same_picture(network):
    images, masks = frames(2)
    floats = run(InferenceCore(network), images, {0: masks[0]})
    pictures = (images * 255).round().to(torch.uint8)
    assert torch.equal(run(InferenceCore(network), pictures, {0: masks[0]})[1], floats[1])


def test_results_can_be_scaled_up(network):
    images, masks = frames(2)
    core = InferenceCore(network)
    prob = core.step(images[0], masks[0] * 100)
    large = core.to_mask(prob, (96, 128))
    assert large.shape == (96, 128) and large.dtype == np.uint8
    assert set(np.unique(large)) == {0, 100, 200}


def test_half_precision_stays_close(network):
    images, masks = frames(4)
    full = run(InferenceCore(network), images, {0: masks[0]})
    half = run(InferenceCore(network, amp=True), images, {0: masks[0]})
    assert half[3].dtype == torch.float32
    assert (full[3] - half[3]).abs().mean() < 0.05


@pytest.mark.parametrize('cap', [None, 1, 2])
def test_restored_core_goes_on_as_if_it_had_not_stopped(network, cap):
    images, masks = frames(12)
    annotations = {0: (masks[0] == 1).astype(np.uint8), 5: 2 * (masks[5] == 2)}
    core = InferenceCore(network, mem_every=2, max_mem_frames=cap)
    records, results = [], []
    for t, image in enumerate(images):
        results.append(core.step(image, annotations.get(t)))
        if core.last_kept and t < 11:
            records.append(core.last_kept)
    again = InferenceCore(network, mem_every=2, max_mem_frames=cap)
    again.restore(records)
    assert again.index == records[-1].index + 1 == 10
    for t in range(again.index, 12):
        assert torch.equal(again.step(images[t], annotations.get(t)), results[t])


def remembered(memory):
    """Which frames a memory holds, told by the constant that each was written with."""
    held = [block[:, 0] for block in memory.rows(memory.keys)]
    return sorted(torch.cat(held).int().tolist())


def write(memory, frame, **kind):
    value = torch.full((2, 1, 1), float(frame))
    memory.write(value, value, **kind)


def test_capped_memory_drops_the_oldest_but_never_an_annotated_frame():
    memory = ObjectMemory(max_frames=3)
    write(memory, 0, keep=True, annotated=True)
    for frame in (5, 10, 15):
        write(memory, frame, keep=True, annotated=False)
    assert remembered(memory) == [0, 10, 15]
    write(memory, 16, keep=False, annotated=False)
    assert remembered(memory) == [0, 10, 15, 16]
    write(memory, 17, keep=True, annotated=True)
    assert remembered(memory) == [0, 15, 17]
    for frame in (18, 19, 20):
        write(memory, frame, keep=True, annotated=True)
    assert remembered(memory) == [0, 17, 18, 19, 20]
    write(memory, 25, keep=True, annotated=False)
    assert remembered(memory) == [0, 17, 18, 19, 20, 25], 'as the previous frame only'
    write(memory, 26, keep=False, annotated=False)
    assert remembered(memory) == [0, 17, 18, 19, 20, 26]
    assert len(memory.keys) == 1, 'blocks of 8 frames'


def test_a_cap_that_is_never_reached_changes_nothing(network):
    images, masks = frames(6)
    free = run(InferenceCore(network, mem_every=2), images, {0: masks[0]})
    capped = run(InferenceCore(network, mem_every=2, max_mem_frames=3), images, {0: masks[0]})
    assert all(torch.equal(a, b) for a, b in zip(free, capped, strict=True))


@pytest.mark.parametrize(
    'options, words',
    [
        ({'mem_every': 0}, 'mem_every must be a whole number of at least 1, not 0'),
        ({'top_k': -3}, 'top_k must be'),
        ({'max_mem_frames': 0}, 'max_mem_frames must be'),
        ({'mem_every': 2.5}, 'not 2.5'),
        ({'kernel_sigma': 0}, 'kernel_sigma must be greater than 0'),
    ],
)
def test_impossible_options_are_refused(network, options, words):
    with pytest.raises(UserError, match=words):
        InferenceCore(network, **options)


def test_frames_and_masks_that_do_not_fit_are_refused(network):
    images, masks = frames(2)
    core = InferenceCore(network)
    with pytest.raises(UserError, match=r'of size 64x48, not .* of shape \(48, 32\)'):
        core.step(images[0], masks[0][:, :32])
    core = InferenceCore(network)
    core.step(images[0], masks[0])
    with pytest.raises(UserError, match='frame 1 is 32x48, the frames before it are 64x48'):
        core.step(images[1][..., :32])
    for mask in (masks[0].astype(int) * 200, -masks[0].astype(int)):
        with pytest.raises(UserError, match=r'1\.\.255'):
            InferenceCore(network).step(images[0], mask)
    with pytest.raises(UserError, match='object_ids'):
        InferenceCore(network).step(images[0], masks[0], object_ids=[1])
