"""propagate.py --direction: forward, backward and both, from masks of several frames."""

import numpy as np
import pytest

from tests.helpers.clips import draw_masks, frame_names, make_clip, make_video
from tests.helpers.propagate_runs import assert_same_masks, masks_in, run
from util.masks import load_mask


@pytest.fixture(scope='module')
def clip(tmp_path_factory):
    """Eight frames of 48 x 32 pixels; late/ has object 1 on frame 2 and object 2 on frame 5."""
    folder = make_clip(tmp_path_factory.mktemp('clip') / 'clip')
    draw_masks(folder / 'late', {2: [1], 5: [2]})
    return folder


@pytest.fixture(scope='module')
def late(network, clip, tmp_path_factory):
    """The results of each direction, from the masks in late/."""
    folder = tmp_path_factory.mktemp('late')
    return {
        way: masks_in(run(network, clip, folder / way, '--direction', way, mask='late'))
        for way in ('forward', 'backward', 'both')
    }


def test_forward_starts_at_the_first_annotated_frame(late):
    assert list(late['forward']) == frame_names(range(2, 8))
    assert not any((mask == 2).any() for name, mask in late['forward'].items() if name < '00005')


def test_backward_starts_at_the_last_annotated_frame(late):
    assert list(late['backward']) == frame_names(range(6))
    assert (late['backward']['00000'] == 2).any()


def test_backward_is_forward_through_the_reversed_clip(network, clip, late, tmp_path):
    turned = {f'{i:05}': f'{7 - i:05}' for i in range(8)}
    for folder in ('images', 'late'):
        (tmp_path / folder).mkdir()
        for path in (clip / folder).iterdir():
            (tmp_path / folder / f'{turned[path.stem]}.png').write_bytes(path.read_bytes())
    forward = masks_in(run(network, tmp_path, tmp_path / 'out', mask='late'))
    assert_same_masks({turned[name]: forward[name] for name in reversed(forward)}, late['backward'])


def test_both_takes_the_forward_masks_and_fills_gaps_from_backward(late):
    assert list(late['both']) == frame_names(range(8))
    for name, mask in late['both'].items():
        forward, backward = late['forward'].get(name), late['backward'].get(name)
        if forward is None:
            expected = backward
        elif name < '00005':  # before object 2 is drawn, the forward pass does not know it
            expected = np.where((forward == 0) & (backward == 2), 2, forward)
        else:
            expected = forward
        np.testing.assert_array_equal(mask, expected, err_msg=name)
    assert (late['both']['00003'] == 2).any(), (
        'an object that is drawn late is followed backward, too'
    )


@pytest.mark.parametrize('direction', ['backward', 'both'])
def test_a_video_gives_the_same_backward_masks_as_its_frames(
    network, clip, late, tmp_path, direction
):
    video = make_video(clip, tmp_path / 'clip.mkv')
    options = ('--direction', direction)
    output = run(network, clip, tmp_path / 'out', *options, source=video, mask='late')
    assert_same_masks(masks_in(output), late[direction])
    assert not (output / '.unfinished').exists(), 'unpacked frames are removed'


@pytest.mark.parametrize('direction', ['forward', 'backward', 'both'])
def test_masks_of_annotated_frames_are_as_drawn_when_the_network_sees_another_size(
    network, clip, tmp_path, direction
):
    masks = draw_masks(tmp_path / 'masks', {0: [1, 2], 4: [1, 2], 6: [1, 2]})
    output = run(network, clip, tmp_path / 'out', '--direction', direction, mask=masks, size=16)
    for path in masks.iterdir():
        np.testing.assert_array_equal(masks_in(output)[path.stem], load_mask(path))


def test_an_object_that_a_later_mask_does_not_mention_continues(network, clip, tmp_path):
    masks = draw_masks(tmp_path / 'masks', {0: [1], 4: [2]})
    mask = masks_in(run(network, clip, tmp_path / 'out', mask=masks, size=16))['00004']
    np.testing.assert_array_equal(mask == 2, load_mask(masks / '00004.png') == 2)
    assert (mask == 1).any()
