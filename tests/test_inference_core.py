"""InferenceCore against the reference implementation, and what callers may rely on."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from dataset.video import open_video
from inference_core import InferenceCore, load_for_inference, segment_frames
from model.bank import ObjectMemory
from scripts.benchmarks import reference
from tests.helpers import stand_in
from tests.helpers.clips import draw_masks, make_clip
from util.errors import UserError
from util.run_info import Stopwatch
from util.tensor import padding, unpad


def frames(num_frames=8, height=48, width=64):
    images, masks = stand_in.clip(num_frames, height, width)
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255, masks


def run(core, images, annotations):
    """The probabilities of each image. annotations: masks by frame number."""
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
def test_late_objects_and_gaps_in_ids_equal_the_reference_implementation(network, options):
    images, masks = frames()
    annotations = {1: 9 * (masks[1] == 2), 4: 4 * (masks[4] == 1)}
    ids, expected = reference.propagate(network, images, annotations, **{'mem_every': 2, **options})
    options = {'mem_every': 2, **options}
    if 'sigma' in options:
        options['kernel_sigma'] = options.pop('sigma')
    core = InferenceCore(network, **options)
    results = run(core, images, annotations)
    assert ids == core.object_ids == [9, 4]
    for prob, reference_prob in zip(results[1:], expected, strict=True):
        torch.testing.assert_close(prob, reference_prob, atol=1e-4, rtol=0)


def test_a_late_object_leaves_earlier_frames_unchanged(network):
    images, masks = frames(6)
    early = {0: (masks[0] == 1).astype(np.uint8)}
    without = run(InferenceCore(network), images, early)
    late = run(InferenceCore(network), images, {**early, 4: 2 * (masks[4] == 2)})
    for t in range(4):
        assert torch.equal(without[t], late[t])
    assert late[4].shape[0] == 3


def test_the_result_shows_a_mask_where_it_was_drawn(network):
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
    assert np.array_equal(corrected == 1, masks[2] == 1), 'and nothing of it is left elsewhere'


def test_a_new_id_without_pixels_is_known_from_then_on(network):
    images, masks = frames(2)
    core = InferenceCore(network)
    core.step(images[0], (masks[0] == 1).astype(np.uint8), object_ids=[1, 5])
    prob = core.step(images[1])
    assert core.object_ids == [1, 5] and prob.shape[0] == 3


def test_a_known_id_without_pixels_is_left_unchanged(network):
    images, masks = frames(4)
    second = (masks[2] == 2).astype(np.uint8) * 2
    results = []
    for ids in (None, [1, 2]):
        core = InferenceCore(network)
        core.step(images[0], (masks[0] == 1).astype(np.uint8))
        core.step(images[1])
        results.append(core.step(images[2], second, object_ids=ids))
    assert torch.equal(*results)


def test_an_empty_mask_is_memorised_for_good_as_published(network):
    images, masks = frames()
    annotations = {0: masks[0], 3: 0 * masks[3]}
    options = {'mem_every': 4, 'top_k': None}
    _, expected = reference.propagate(network, images, annotations, **options)
    core, kept = InferenceCore(network, **options), []
    for t, image in enumerate(images):
        prob = core.step(image, annotations.get(t))
        torch.testing.assert_close(prob, expected[t], atol=1e-4, rtol=0)
        kept += [core.last_kept.index] if core.last_kept else []
    assert kept == [0, 3], 'and the next one would be 7'
    without = run(InferenceCore(network, **options), images, {0: masks[0]})
    assert not torch.equal(without[-1], prob)


def test_an_empty_mask_before_the_first_object_says_nothing(network):
    images, masks = frames(4)
    with_empty = run(InferenceCore(network), images, {0: 0 * masks[0], 1: masks[1]})
    without = run(InferenceCore(network), images, {1: masks[1]})
    assert all(torch.equal(a, b) for a, b in zip(with_empty, without, strict=True))


def test_before_the_first_object_everything_is_background(network):
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


def test_the_order_of_ids_does_not_matter(network):
    images, masks = frames(4)
    swapped = np.array([0, 2, 1])[masks[0]]
    one = run(InferenceCore(network), images, {0: masks[0]})
    two = run(InferenceCore(network), images, {0: swapped})
    for a, b in zip(one, two, strict=True):
        torch.testing.assert_close(a, b[[0, 2, 1]], atol=1e-5, rtol=0)


def test_uint8_and_float_images_give_the_same_result(network):
    images, masks = frames(2)
    floats = run(InferenceCore(network), images, {0: masks[0]})
    uint8 = (images * 255).round().to(torch.uint8)
    assert torch.equal(run(InferenceCore(network), uint8, {0: masks[0]})[1], floats[1])


def test_masks_can_be_made_at_a_larger_size(network):
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
def test_a_restored_core_continues_as_if_it_had_not_stopped(network, cap):
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
    """The numbers of the frames in a memory that `write` has filled."""
    held = [block[:, 0] for block in memory.rows(memory.keys)]
    return sorted(torch.cat(held).int().tolist())


def write(memory, frame, **kind):
    """Write a frame whose keys and values all equal its number."""
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
    assert remembered(memory) == [0, 17, 18, 19, 20, 25], 'only as the previous frame'
    write(memory, 26, keep=False, annotated=False)
    assert remembered(memory) == [0, 17, 18, 19, 20, 26]
    assert len(memory.keys) == 1, 'one block holds 8 frames'


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
    with pytest.raises(UserError, match='frame 1: 32x48, but the first frame is 64x48; all frames'):
        core.step(images[1][..., :32])
    for mask in (masks[0].astype(int) * 200, -masks[0].astype(int)):
        with pytest.raises(UserError, match=r'1\.\.255'):
            InferenceCore(network).step(images[0], mask)
    with pytest.raises(UserError, match='object_ids'):
        InferenceCore(network).step(images[0], masks[0], object_ids=[1])


IMAGES_IN_ANOTHER_RANGE = {
    'float32 from 0 to 255': lambda image: image * 255,
    'float16 from 0 to 255': lambda image: (image * 255).half(),
    'float64 from 0 to 4095': lambda image: image.double() * 4095,
    'float32 from -1 to 1': lambda image: image * 2 - 1,
    'float32 from -2.118 to 2.249': lambda image: (image - 0.485) / 0.229,
    'float32 from nan to nan': lambda image: image / 0 * 0,
    'int64': lambda image: (image * 255).long(),
    'bool': lambda image: image > 0.5,
}


@pytest.mark.parametrize('found', IMAGES_IN_ANOTHER_RANGE)
def test_images_in_another_range_are_refused(network, found):
    image = torch.linspace(0, 1, 3 * 32 * 48).view(3, 32, 48)
    core = InferenceCore(network)
    core.step(image)
    words = rf'frame 1: an image must be uint8, or float in \[0, 1\], not {found}; divide'
    with pytest.raises(UserError, match=words):
        core.step(IMAGES_IN_ANOTHER_RANGE[found](image))


def test_overshoot_of_bicubic_scaling_is_accepted(network):
    cells = torch.tensor([[0.0, 1.0], [1.0, 0.0]]).repeat(8, 12).expand(1, 3, -1, -1)
    image = F.interpolate(cells, (48, 72), mode='bicubic', align_corners=False)[0]
    assert image.max() > 1.2 and image.min() < -0.2
    InferenceCore(network).step(image)


@pytest.mark.parametrize('size', [(48, 64), (45, 60)])
def test_results_may_be_changed_in_place(network, size):
    """Whether or not the frames need padding: no result shares memory with the core."""
    images, masks = frames(6, *size)
    annotations = {0: (masks[0] == 1).astype(np.uint8), 3: 2 * (masks[3] == 2)}
    expected = run(InferenceCore(network, mem_every=2), images, annotations)
    core = InferenceCore(network, mem_every=2)
    for t, image in enumerate(images):
        prob = core.step(image, annotations.get(t))
        assert torch.equal(prob, expected[t])
        prob.fill_(0.5)


@pytest.fixture
def video(tmp_path):
    """Eight frames of 48 x 32 pixels; objects 1 and 2 are drawn on the frames 1 and 4."""
    masks = draw_masks(tmp_path / 'masks', {1: [1], 4: [2]})
    return open_video(make_clip(tmp_path / 'clip') / 'images', masks, short_side=24)


def test_segment_frames_gives_what_steps_give(network, video):
    core = InferenceCore(network, mem_every=2)
    expected = []
    for frame in video:
        prob = core.step(frame.image, frame.mask, frame.object_ids)
        expected.append(core.to_mask(prob, frame.picture.shape[:2]))
    watch = Stopwatch(network.device)
    found = list(segment_frames(InferenceCore(network, mem_every=2), video, watch))
    assert [frame.index for frame, _ in found] == list(range(1, 8))
    for (_, mask), expected_mask in zip(found, expected, strict=True):
        assert mask.dtype == np.uint8 and mask.shape == (32, 48)
        assert np.array_equal(mask, expected_mask)
    assert watch.laps == 7 and watch.seconds > 0


def test_segment_frames_takes_any_frames(network, video):
    expected = [mask for _, mask in segment_frames(InferenceCore(network), video)]
    found = [mask for _, mask in segment_frames(InferenceCore(network), iter(list(video)[:3]))]
    assert np.array_equal(found, expected[:3])


def test_without_a_path_published_weights_are_loaded_else_the_bundled_ones(tmp_path, monkeypatch):
    published, bundled = tmp_path / 'published.pth', tmp_path / 'bundled.pth'
    monkeypatch.setattr('util.options.PUBLISHED_WEIGHTS', published)
    monkeypatch.setattr('util.options.BUNDLED_WEIGHTS', bundled)
    loaded = []
    monkeypatch.setattr('inference_core.load_network', lambda *args, **options: loaded.append(args))
    for path in (bundled, published):
        path.touch()
        load_for_inference(device='cpu')
    load_for_inference(tmp_path / 'other.pth', torch.device('cpu'))
    cpu = torch.device('cpu')
    assert loaded == [(bundled, cpu), (published, cpu), (tmp_path / 'other.pth', cpu)]


def test_without_any_weights_the_error_names_the_published_ones(tmp_path, monkeypatch):
    for name in ('PUBLISHED_WEIGHTS', 'BUNDLED_WEIGHTS'):
        monkeypatch.setattr(f'util.options.{name}', tmp_path / f'{name}.pth')
    with pytest.raises(UserError, match=r'PUBLISHED_WEIGHTS\.pth: no such checkpoint'):
        load_for_inference(device='cpu')


def test_the_network_is_ready_for_inference_and_refuses_stage_0(checkpoint, prepared, tmp_path):
    network = load_for_inference(checkpoint, 'cpu')
    assert network.state_dict().keys() == prepared.state_dict().keys()
    weights = stand_in.weights()
    name = 'mask_rgb_encoder.conv1.weight'
    torch.save({**weights, name: weights[name][:, :4].clone()}, tmp_path / 'stage_0.pth')
    with pytest.raises(UserError, match='single-object'):
        load_for_inference(tmp_path / 'stage_0.pth', 'cpu')


GLOBAL_STATE = """
import importlib, pkgutil, sys
import torch
from PIL import Image

def state():
    backends = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    return torch.get_num_threads(), *backends, Image.MAX_IMAGE_PIXELS

torch.set_num_threads(1)  # values that a program of ours would change
torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
Image.MAX_IMAGE_PIXELS = 12345
before = state()
for name in ('inference_core', 'model', 'dataset', 'util'):
    module = importlib.import_module(name)
    if name != 'inference_core':
        for found in pkgutil.walk_packages(module.__path__, f'{name}.'):
            importlib.import_module(found.name)
assert state() == before == (1, True, True, 12345), state()
network = sys.modules['inference_core'].load_for_inference(sys.argv[1], 'cpu')
core = sys.modules['inference_core'].InferenceCore(network)
core.step(torch.zeros(3, 32, 48), torch.ones(32, 48, dtype=torch.uint8))
core.step(torch.zeros(3, 32, 48))
assert state() == before, state()
from util.device import configure_torch
configure_torch()
assert state() == (2, False, False, None), state()
"""


def test_importing_the_library_or_loading_a_network_changes_no_global_state(checkpoint):
    """Only `configure_torch` does, which programs call."""
    command = [sys.executable, '-c', GLOBAL_STATE, checkpoint]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
