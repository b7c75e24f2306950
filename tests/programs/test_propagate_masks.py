"""propagate.py --whole_masks and --references: what masks say, and when they are in memory."""

import numpy as np
import pytest
import torch
from PIL import Image

from inference_core import InferenceCore
from tests.helpers.clips import draw_masks, frame_names, make_clip, make_video
from tests.helpers.coarse_network import CoarseNetwork
from tests.helpers.propagate_runs import arguments, assert_same_masks, error_line, masks_in, run
from util.masks import load_mask

NETWORK = CoarseNetwork()
REFERENCES = {2: [1], 5: [1, 2], 6: [2]}


@pytest.fixture(scope='module')
def clip(tmp_path_factory):
    """Eight frames of 48 x 32 pixels.

    whole/ has both objects on frame 1, object 1 on frame 3, and nothing on frame 5. some/ has the
    masks of REFERENCES.
    """
    folder = make_clip(tmp_path_factory.mktemp('clip') / 'clip')
    draw_masks(folder / 'whole', {1: [1, 2], 3: [1], 5: []})
    draw_masks(folder / 'some', REFERENCES)
    return folder


def image(clip, t):
    return torch.from_numpy(np.array(Image.open(clip / f'images/{t:05}.png'))).permute(2, 0, 1)


def steps(core, clip, frames, folder=None, **options):
    """The masks of these frames by name, in chronological order; the core gets those in folder."""
    masks = {}
    for t in frames:
        path = None if folder is None else clip / folder / f'{t:05}.png'
        mask = load_mask(path) if path is not None and path.exists() else None
        masks[f'{t:05}'] = core.to_mask(core.step(image(clip, t), mask, **options))
    return dict(sorted(masks.items()))


def test_a_whole_mask_is_the_result_of_its_frame(network, clip, tmp_path):
    masks = masks_in(run(network, clip, tmp_path / 'out', '--whole_masks', mask='whole', size=16))
    assert list(masks) == frame_names(range(1, 8))
    for path in (clip / 'whole').iterdir():
        np.testing.assert_array_equal(masks[path.stem], load_mask(path))


def test_without_whole_masks_an_object_that_a_mask_lacks_stays_and_an_empty_mask_says_nothing(
    clip, tmp_path, capsys
):
    masks = masks_in(run(NETWORK, clip, tmp_path / 'out', mask='whole'))
    assert (masks['00003'] == 2).any() and masks['00005'].any()
    assert '00005.png: no object in the mask, so it is ignored' in capsys.readouterr().out
    run(NETWORK, clip, tmp_path / 'whole', '--whole_masks', mask='whole')
    assert 'ignored' not in capsys.readouterr().out


def test_whole_masks_equal_steps_with_whole(network, clip, tmp_path):
    output = run(network, clip, tmp_path / 'out', '--whole_masks', mask='whole')
    expected = steps(InferenceCore(network), clip, range(1, 8), 'whole', whole=True)
    assert_same_masks(masks_in(output), expected)


def test_whole_masks_hold_in_both_directions(clip, tmp_path):
    options = ('--whole_masks', '--direction', 'both')
    masks = masks_in(run(NETWORK, clip, tmp_path / 'out', *options, mask='whole'))
    assert list(masks) == frame_names(range(8))
    for path in (clip / 'whole').iterdir():
        np.testing.assert_array_equal(masks[path.stem], load_mask(path))


def with_references(network, clip, folder='some', ids=None):
    core = InferenceCore(network)
    for path in sorted((clip / folder).iterdir()):
        core.memorize(image(clip, int(path.stem)), load_mask(path), ids)
    return core


@pytest.mark.parametrize('direction', ['forward', 'backward'])
def test_references_are_in_memory_from_the_start_and_every_frame_is_segmented(
    network, clip, tmp_path, direction
):
    options = ('--references', '--direction', direction)
    masks = masks_in(run(network, clip, tmp_path / 'out', *options, mask='some'))
    frames = range(8) if direction == 'forward' else range(8)[::-1]
    expected = steps(with_references(network, clip), clip, frames, 'some')
    assert_same_masks(masks, expected)


def test_in_both_directions_the_passes_begin_at_the_first_and_the_last_reference(clip, tmp_path):
    options = ('--references', '--direction', 'both')
    masks = masks_in(run(NETWORK, clip, tmp_path / 'out', *options, mask='some'))
    forward = steps(with_references(NETWORK, clip), clip, range(2, 8), 'some')
    backward = steps(with_references(NETWORK, clip), clip, range(7)[::-1], 'some')
    before = {name: backward[name] for name in frame_names(range(2))}
    assert_same_masks(masks, {**before, **forward})


def test_a_whole_reference_says_which_objects_are_not_there(network, clip, tmp_path):
    options = ('--references', '--whole_masks')
    masks = masks_in(run(network, clip, tmp_path / 'out', *options, mask='whole'))
    core = with_references(network, clip, 'whole', ids=[1, 2])
    assert_same_masks(masks, steps(core, clip, range(8), 'whole', whole=True))


def test_references_of_a_video_give_the_masks_of_its_frames(network, clip, tmp_path):
    video = make_video(clip, tmp_path / 'clip.mkv')
    options = ('--references', '--direction', 'both')
    of_video = run(network, clip, tmp_path / 'video', *options, source=video, mask='some')
    of_frames = run(network, clip, tmp_path / 'frames', *options, mask='some')
    assert_same_masks(masks_in(of_video), masks_in(of_frames))


def test_a_single_reference_can_be_followed_backward(clip, tmp_path):
    options = ('--references', '--direction', 'backward')
    masks = masks_in(run(NETWORK, clip, tmp_path / 'out', *options))
    assert list(masks) == frame_names(range(8)) and masks['00007'].any()


def test_a_reference_that_cannot_be_read_is_reported(clip, tmp_path, capsys):
    broken = make_clip(tmp_path / 'clip')
    draw_masks(broken / 'some', REFERENCES)
    path = broken / 'images' / '00005.png'
    path.write_bytes(path.read_bytes()[:200])
    words = arguments(broken, tmp_path / 'out', '--references', mask='some')
    assert '00005.png: cannot be read' in error_line(NETWORK, capsys, words)
