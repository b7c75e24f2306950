"""Properties that hold for any video: sizes, ids, probabilities, order, and files.

The search is seeded, so every run of the tests tries the same examples.
"""

import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inference_core import InferenceCore
from model import plans
from tests.helpers.coarse_network import CoarseNetwork
from util.masks import load_mask, save_mask
from util.propagation.journal import Journal
from util.tensor import one_hot, pad, padding, resize, unpad

settings.register_profile('seeded', deadline=None, derandomize=True, max_examples=100)
settings.load_profile('seeded')
NETWORK = CoarseNetwork()
sides = st.integers(1, 200)
seeds = st.integers(0, 2**32 - 1)


@st.composite
def videos(draw, max_side=200, max_frames=5):
    """images (T, 3, H, W) float32, a dict frame -> mask (H, W), and the ids that masks may hold.

    Frames, masks and ids are drawn with NumPy, because hypothesis would mostly choose none.
    """
    height, width = draw(st.integers(1, max_side)), draw(st.integers(1, max_side))
    num_objects, rng = draw(st.integers(0, 12)), np.random.default_rng(draw(seeds))
    num_frames, num_masks = rng.integers(1, max_frames + 1), rng.integers(0, 4)
    images = rng.random((num_frames, 3, height, width), np.float32)
    annotated = rng.permutation(num_frames)[:num_masks].tolist()
    every = draw_ids(rng, num_objects)
    # Each mask holds some of the objects, known ones as well as new ones.
    masks = {t: blobs(rng, height, width, rng.permutation(every)[: 1 + t * 4]) for t in annotated}
    return images, masks, every


def draw_ids(rng, number):
    return (1 + rng.permutation(255)[:number]).tolist()


def blobs(rng, height, width, ids):
    """A mask with a box for each id; later boxes cover earlier ones."""
    mask = np.zeros((height, width), np.uint8)
    for number in ids:
        top, left = rng.integers(0, height), rng.integers(0, width)
        mask[top : top + rng.integers(1, 60), left : left + rng.integers(1, 60)] = number
    return mask


def propagate(images, masks, network=NETWORK, **options):
    """Run a new core over a video; returns the core and the probabilities of each frame."""
    core = InferenceCore(network, **{'mem_every': 2, 'top_k': 20, **options})
    return core, [core.step(image, masks.get(t)) for t, image in enumerate(images)]


@given(videos())
def test_results_have_the_right_sizes_ids_and_probabilities(video):
    images, masks, _ = video
    height, width = images.shape[-2:]
    core = InferenceCore(NETWORK, mem_every=2, top_k=20)
    seen = []
    for t, image in enumerate(images):
        prob = core.step(torch.from_numpy(image), masks.get(t))
        if t in masks:
            seen += [i for i in np.unique(masks[t]).tolist() if i and i not in seen]
        assert core.object_ids == seen
        assert prob.shape == (len(seen) + 1, height, width) and prob.dtype == torch.float32
        assert prob.isfinite().all() and (prob >= 0).all()
        torch.testing.assert_close(prob.sum(0), torch.ones(height, width), atol=1e-5, rtol=0)
        mask = core.to_mask(prob)
        assert mask.shape == (height, width) and mask.dtype == np.uint8
        assert set(np.unique(mask).tolist()) <= {0, *seen}


@settings(max_examples=12)
@given(video=videos(max_side=48, max_frames=3))
def test_the_real_network_takes_any_size_and_any_number_of_objects(network, video):
    images, masks, every = video
    core, probs = propagate(images, masks, network)
    for prob in probs:
        assert prob.shape[-2:] == images.shape[-2:] and prob.isfinite().all()
        torch.testing.assert_close(prob.sum(0), torch.ones(prob.shape[1:]), atol=1e-5, rtol=0)
    assert set(core.object_ids) <= set(every)


@given(videos(max_frames=1))
def test_a_first_mask_comes_back_unchanged(video):
    images, _, every = video
    mask = blobs(np.random.default_rng(0), *images.shape[-2:], every)
    core = InferenceCore(NETWORK)
    np.testing.assert_array_equal(core.to_mask(core.step(images[0], mask)), mask)


@given(videos())
def test_an_annotation_overrides_the_prediction_on_its_pixels(video):
    images, masks, _ = video
    core = InferenceCore(NETWORK, top_k=20)
    for t, image in enumerate(images):
        found = core.to_mask(core.step(image, masks.get(t)))
        if t in masks:
            np.testing.assert_array_equal(found[masks[t] > 0], masks[t][masks[t] > 0])


@given(videos(max_side=80), st.randoms(use_true_random=False))
def test_the_values_and_the_order_of_ids_do_not_matter(video, random):
    """The same objects under other ids, and thus in other channels, get the same probabilities."""
    images, masks, every = video
    others = random.sample(range(1, 256), len(every))
    rename = np.zeros(256, np.uint8)
    rename[every] = others
    core, probs = propagate(images, masks)
    renamed, found = propagate(images, {t: rename[mask] for t, mask in masks.items()})
    assert set(renamed.object_ids) == set(rename[core.object_ids])
    for prob, other in zip(probs, found, strict=True):
        known = len(prob) - 1
        channels = [renamed.object_ids.index(rename[i]) + 1 for i in core.object_ids[:known]]
        torch.testing.assert_close(other[[0, *channels]], prob, atol=1e-4, rtol=0)


@given(
    videos(max_side=80), st.integers(1, 40), st.integers(1, 60), st.booleans(),
    st.sampled_from([*plans.PLANS.values(), plans.OTHER_PLAN]),
)  # fmt: skip
def test_how_the_memory_is_read_does_not_matter(video, chunk, part, use_km, plan):
    images, masks, _ = video
    plan = plan._replace(chunk=chunk, part=part)
    options = {'kernel_sigma': 5.6 if use_km else None, 'mem_every': 1}
    _, expected = propagate(images, masks, **options)
    with mock.patch.dict(plans.PLANS, cpu=plan):
        _, found = propagate(images, masks, **options)
    for one, other in zip(expected, found, strict=True):
        torch.testing.assert_close(other, one, atol=1e-4, rtol=0)


@given(sides, sides, st.sampled_from([1, 8, 16, 32]))
def test_unpad_undoes_pad(height, width, multiple):
    pads = padding(height, width, multiple)
    image = torch.rand(3, height, width)
    padded = pad(image, pads)
    assert all(side % multiple == 0 for side in padded.shape[-2:])
    assert all(0 <= p < multiple for p in pads) and abs(pads[0] - pads[1]) <= 1
    assert torch.equal(unpad(padded, pads), image)
    assert padded.sum().isclose(image.sum())


@given(sides, sides, st.integers(1, 256), st.booleans())
def test_a_mask_survives_the_disk(height, width, number, is_grey):
    rng = np.random.default_rng((height, width))
    mask = rng.permutation(256)[:number][rng.integers(0, number, (height, width))]
    with tempfile.NamedTemporaryFile(suffix='.png') as file:
        save_mask(file.name, mask, **({'palette': None} if is_grey else {}))
        np.testing.assert_array_equal(load_mask(file.name), mask)


@given(videos(max_side=60, max_frames=8), st.integers(1, 8), st.sampled_from([None, 1, 3]))
def test_a_core_restored_from_a_journal_continues_as_if_it_had_not_stopped(video, num_done, cap):
    images, masks, _ = video
    options = {'mem_every': 2, 'top_k': 20, 'max_mem_frames': cap}
    expected = propagate(images, masks, **options)[1]
    with tempfile.TemporaryDirectory() as folder:
        stopped, journal = InferenceCore(NETWORK, **options), Journal(Path(folder))
        for t, image in enumerate(images[:num_done]):
            stopped.step(image, masks.get(t))
            if stopped.last_kept is not None:
                journal.save(stopped.last_kept)
        core = InferenceCore(NETWORK, **options)
        core.restore(Journal(Path(folder)).load())
    for t in range(core.index, len(images)):
        assert torch.equal(core.step(images[t], masks.get(t)), expected[t])


@given(sides, sides, st.integers(0, 12), seeds)
def test_one_hot_and_argmax_undo_each_other(height, width, number, seed):
    rng = np.random.default_rng(seed)
    ids = draw_ids(rng, number)
    mask = blobs(rng, height, width, ids)
    masks = one_hot(torch.from_numpy(mask), ids)
    assert masks.shape == (len(ids), height, width)
    numbers = torch.tensor([0, *ids])
    found = torch.cat([0.5 * torch.ones(1, height, width), masks]).argmax(0)
    assert torch.equal(numbers[found], torch.from_numpy(mask).long())


@given(sides, sides, sides, sides, st.integers(1, 5))
def test_resized_probabilities_still_add_up_to_one(height, width, new_height, new_width, k):
    generator = torch.Generator().manual_seed(height)
    prob = torch.rand(k, height, width, generator=generator).softmax(0)
    scaled = resize(prob, (new_height, new_width))
    assert scaled.shape == (k, new_height, new_width)
    torch.testing.assert_close(scaled.sum(0), torch.ones(new_height, new_width))
