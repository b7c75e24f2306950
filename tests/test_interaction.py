"""InferenceCore: masks that say everything, reference frames, and objects that are removed.

Expected results are computed from the network step by step, without InferenceCore. Frames are
48 x 64 pixels, so that nothing is padded, unless a test says otherwise.
"""

import numpy as np
import pytest
import torch

from inference_core import InferenceCore
from scripts.benchmarks import reference
from tests.helpers import stand_in
from tests.helpers.coarse_network import CoarseNetwork
from util.errors import UserError

IMAGES, MASKS = stand_in.clip(8, 48, 64)
IMAGES = torch.from_numpy(IMAGES).permute(0, 3, 1, 2).float() / 255


def only(number, t):
    """The mask of frame t, with one object."""
    return np.where(MASKS[t] == number, MASKS[t], 0)


def planes(mask, ids):
    return torch.stack([torch.as_tensor(mask == i).float() for i in ids])


@torch.no_grad()
def encode(network, image, masks):
    """The keys and values of a frame for each of its masks (K, H, W), as a list of pairs."""
    keys, values = network.memorize(image[None], masks[None])
    return list(zip(keys[0], values[0], strict=True))


@torch.no_grad()
def segment(network, image, memories, sigma=None):
    """The probabilities (K+1, H, W) of an image; memories: a list of `encode`d frames per object.

    Frames may have different sizes, so each becomes a column of cells.
    """
    query = network.encode_query(image[None])
    logits = []
    for frames in memories:
        keys = torch.cat([key.flatten(1) for key, _ in frames], 1)
        values = torch.cat([value.flatten(1) for _, value in frames], 1)
        readout = reference.read(keys, values, query.key[0], top_k=50, sigma=sigma)
        logits.append(network.decode(query, readout[None, None])[0, 0])
    return reference.aggregate(torch.stack(logits).sigmoid())


def close(prob, expected):
    torch.testing.assert_close(prob, expected, atol=1e-4, rtol=0)


def first_steps(network, num_steps, **options):
    """A core that has followed both objects through the first frames, and its results."""
    core = InferenceCore(network, **options)
    return core, [core.step(IMAGES[t], MASKS[0] if t == 0 else None) for t in range(num_steps)]


def test_an_object_that_a_whole_mask_lacks_is_erased():
    corrected = {}
    for whole in (False, True):
        core, _ = first_steps(CoarseNetwork(), 2)
        prob = core.step(IMAGES[2], only(1, 2), object_ids=[1, 2], whole=whole)
        corrected[whole] = core.to_mask(prob)
        assert core.object_ids == [1, 2]
    assert (corrected[False] == 2).sum() > 0, 'otherwise 0 says nothing'
    assert (corrected[True] == 2).sum() == 0
    np.testing.assert_array_equal(corrected[True], only(1, 2))


@pytest.mark.parametrize('erased', ['one object', 'all objects'])
def test_the_next_frame_reads_that_an_erased_object_was_not_there(network, erased):
    mask = only(1, 2) if erased == 'one object' else 0 * MASKS[2]
    core, _ = first_steps(network, 2)
    assert np.array_equal(core.to_mask(core.step(IMAGES[2], mask, whole=True)), mask)
    first = encode(network, IMAGES[0], planes(MASKS[0], [1, 2]))
    corrected = encode(network, IMAGES[2], planes(mask, [1, 2]))
    memories = list(zip(first, corrected, strict=True))
    close(core.step(IMAGES[3]), segment(network, IMAGES[3], memories))


def test_a_whole_mask_stays_in_memory_even_if_it_is_empty(network):
    core, _ = first_steps(network, 2)
    core.step(IMAGES[2], 0 * MASKS[2], whole=True)
    core.step(IMAGES[3])
    assert (core.last_kept.index, core.last_kept.annotated) == (2, True)


def test_a_whole_mask_may_bring_new_objects(network):
    core = InferenceCore(network)
    core.step(IMAGES[0], only(1, 0), whole=True)
    prob = core.step(IMAGES[1], only(2, 1), whole=True)
    assert core.object_ids == [1, 2] and prob.shape[0] == 3
    np.testing.assert_array_equal(core.to_mask(prob), only(2, 1))


def test_where_nothing_was_propagated_whole_makes_no_difference(network):
    results = [
        InferenceCore(network).step(IMAGES[0], MASKS[0], whole=whole) for whole in (False, True)
    ]
    assert torch.equal(*results)


def test_a_whole_mask_without_objects_before_any_object_is_background(network):
    core = InferenceCore(network)
    assert torch.equal(core.step(IMAGES[0], 0 * MASKS[0], whole=True), torch.ones(1, 48, 64))
    assert core.step(IMAGES[1], MASKS[1]).shape[0] == 3


def test_after_a_reference_the_first_frame_needs_no_mask(network):
    core = InferenceCore(network)
    core.memorize(IMAGES[0], MASKS[0])
    assert core.index == 0 and core.object_ids == [1, 2]
    _, results = first_steps(network, 2)
    assert torch.equal(core.step(IMAGES[1]), results[1]), 'as if frame 0 had been a step'


@pytest.mark.parametrize('sigma', [None, 5.6])
def test_all_references_are_read_by_the_first_step_and_by_later_ones(network, sigma):
    core = InferenceCore(network, kernel_sigma=sigma)
    for t in (0, 5, 7):
        core.memorize(IMAGES[t], MASKS[t])
    references = [encode(network, IMAGES[t], planes(MASKS[t], [1, 2])) for t in (0, 5, 7)]
    prob = core.step(IMAGES[2])
    close(prob, segment(network, IMAGES[2], zip(*references, strict=True), sigma))
    previous = encode(network, IMAGES[2], prob[1:])
    memories = list(zip(*references, previous, strict=True))
    close(core.step(IMAGES[3]), segment(network, IMAGES[3], memories, sigma))


def test_a_reference_may_come_from_a_video_of_another_size(network):
    small, mask = IMAGES[4][:, 16:], MASKS[4][16:]
    assert {*np.unique(mask)} == {0, 1, 2}
    core = InferenceCore(network)
    core.memorize(small, mask)
    core.memorize(IMAGES[0], MASKS[0])
    references = [
        encode(network, small, planes(mask, [1, 2])),
        encode(network, IMAGES[0], planes(MASKS[0], [1, 2])),
    ]
    close(core.step(IMAGES[1]), segment(network, IMAGES[1], zip(*references, strict=True)))


def test_a_reference_is_added_to_the_memory_of_its_objects_only(network):
    core = InferenceCore(network)
    core.memorize(IMAGES[0], only(1, 0))
    core.memorize(IMAGES[4], only(2, 4), object_ids=[7, 2])
    assert core.object_ids == [1, 7, 2]
    (one,) = encode(network, IMAGES[0], planes(only(1, 0), [1]))
    seven, two = encode(network, IMAGES[4], planes(only(2, 4), [7, 2]))
    close(core.step(IMAGES[5]), segment(network, IMAGES[5], [[one], [seven], [two]]))


def test_a_reference_in_the_middle_brings_an_object_but_no_mask_of_the_frame_before(network):
    core = InferenceCore(network)
    prob = core.step(IMAGES[0], only(1, 0))
    core.memorize(IMAGES[6], only(2, 6))
    (first,) = encode(network, IMAGES[0], prob[1:])
    (two,) = encode(network, IMAGES[6], planes(only(2, 6), [2]))
    close(core.step(IMAGES[1]), segment(network, IMAGES[1], [[first], [two]]))


@pytest.mark.parametrize('cap', [1, 2])
def test_capped_memory_never_drops_a_reference(network, cap):
    core = InferenceCore(network, mem_every=1, max_mem_frames=cap)
    for t in (0, 6, 7):
        core.memorize(IMAGES[t], MASKS[t])
    frames = [encode(network, IMAGES[t], planes(MASKS[t], [1, 2])) for t in (0, 6, 7)]
    for t in range(1, 6):
        prob = core.step(IMAGES[t])
        close(prob, segment(network, IMAGES[t], zip(*frames, strict=True)))
        frames = [*frames[:3], *[*frames[3:], encode(network, IMAGES[t], prob[1:])][-cap:]]


def test_references_in_half_precision_stay_close(network):
    results = []
    for amp in (False, True):
        core = InferenceCore(network, amp=amp)
        core.memorize(IMAGES[0], MASKS[0])
        results.append(core.step(IMAGES[1]))
    assert not torch.equal(*results)
    assert (results[0] - results[1]).abs().mean() < 0.05


@pytest.mark.parametrize('cap', [None, 2])
def test_with_its_references_a_restored_core_continues_as_if_it_had_not_stopped(network, cap):
    def new_core():
        core = InferenceCore(network, mem_every=2, max_mem_frames=cap)
        core.memorize(IMAGES[7], only(1, 7))
        core.memorize(IMAGES[5], MASKS[5])
        return core

    core, kept, results = new_core(), [], []
    for image in IMAGES:
        results.append(core.step(image))
        kept += [core.last_kept] if core.last_kept else []
    again = new_core()
    again.restore(kept[:-1])
    assert again.index == 5 and again.object_ids == core.object_ids
    for t in range(5, 8):
        assert torch.equal(again.step(IMAGES[t]), results[t])


def test_references_that_say_nothing_or_do_not_fit_are_refused(network):
    core = InferenceCore(network)
    with pytest.raises(UserError, match='the mask of the reference frame shows no object; draw'):
        core.memorize(IMAGES[0], 0 * MASKS[0])
    with pytest.raises(UserError, match='the mask of the reference frame must be an integer array'):
        core.memorize(IMAGES[0], MASKS[0][:, :32])
    with pytest.raises(UserError, match='the reference frame: an image must be uint8'):
        core.memorize(IMAGES[0] * 255, MASKS[0])
    assert core.object_ids == [] and core.step(IMAGES[0]).shape[0] == 1


def test_a_removed_object_is_gone_at_the_next_step(network):
    core, _ = first_steps(network, 1)
    core.remove([1])
    alone = InferenceCore(network)
    alone.step(IMAGES[0], only(2, 0))
    for t in (1, 2, 3):
        prob = core.step(IMAGES[t])
        close(prob, alone.step(IMAGES[t]))
        assert {*np.unique(core.to_mask(prob))} <= {0, 2}
    assert core.object_ids == [2]


def test_frames_that_were_memorised_before_a_removal_stay_in_memory(network):
    core, results = first_steps(network, 4)
    core.remove([2])
    first, _ = encode(network, IMAGES[0], planes(MASKS[0], [1, 2]))
    (previous,) = encode(network, IMAGES[3], results[3][1:2])
    close(core.step(IMAGES[4]), segment(network, IMAGES[4], [[first, previous]]))


def test_the_id_of_a_removed_object_may_be_that_of_a_new_one(network):
    core, _ = first_steps(network, 4)
    core.remove([1])
    prob = core.step(IMAGES[4], only(1, 4))
    assert core.object_ids == [2, 1] and core.to_mask(prob)[MASKS[4] == 1].tolist().count(1)
    two, one = encode(network, IMAGES[4], prob[1:])
    first = encode(network, IMAGES[0], planes(MASKS[0], [1, 2]))[1]
    close(core.step(IMAGES[5]), segment(network, IMAGES[5], [[first, two], [one]]))


def test_without_objects_everything_is_background_again(network):
    core, _ = first_steps(network, 2)
    core.remove([2, 1])
    assert torch.equal(core.step(IMAGES[2]), torch.ones(1, 48, 64))
    assert core.last_kept is None
    prob = core.step(IMAGES[3], MASKS[3])
    np.testing.assert_array_equal(core.to_mask(prob), MASKS[3])
    assert core.step(IMAGES[4]).shape[0] == 3


def test_removing_an_object_frees_its_references(network):
    core = InferenceCore(network)
    core.memorize(IMAGES[0], MASKS[0])
    core.remove([1])
    _, two = encode(network, IMAGES[0], planes(MASKS[0], [1, 2]))
    close(core.step(IMAGES[1]), segment(network, IMAGES[1], [[two]]))


def test_an_unknown_object_cannot_be_removed(network):
    core, _ = first_steps(network, 1)
    with pytest.raises(UserError, match=r'object 3 is not one of the objects \[1, 2\]'):
        core.remove([1, 3])
    assert core.object_ids == [1, 2]
