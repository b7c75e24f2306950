"""propagate.py with a camera: how its clip ends, and what needs a recorded video."""

import shutil

import av
import cv2
import pytest

from inference_core import InferenceCore
from tests.helpers.clips import frame_names, make_clip
from tests.helpers.coarse_network import CoarseNetwork
from tests.helpers.propagate_runs import (
    arguments,
    assert_same_masks,
    call,
    error_line,
    masks_in,
    record_progress,
    report_of,
    run,
)

NETWORK = CoarseNetwork()


@pytest.fixture
def clip(tmp_path):
    return make_clip(tmp_path / 'clip')


class Camera:
    """Replaces cv2.VideoCapture: plays images, and then returns what `at_end` returns."""

    def __init__(self, images, at_end):
        self.images, self.at_end = iter(images), at_end

    def __call__(self, number):
        assert number == 0
        return self

    def get(self, _):
        return 12.0

    def grab(self):
        return next(self.images, None) is not None

    def read(self):
        for image in self.images:
            return True, cv2.imread(str(image))
        return self.at_end()


def nothing_more():
    return False, None


def press_ctrl_c():
    raise KeyboardInterrupt


def words(clip, *options, **files):
    return ['0', *arguments(clip, clip.parent / 'out', *options, **files)[1:]]


def run_camera(clip, monkeypatch, *options, at_end=nothing_more, **files):
    """Run propagate.py while camera 0 plays the clip; returns the output folder."""
    images = sorted((clip / 'images').iterdir())
    # one more picture at the beginning, from which the program takes the size
    monkeypatch.setattr('cv2.VideoCapture', Camera([images[0], *images], at_end))
    call(NETWORK, words(clip, *options, **files))
    return clip.parent / 'out'


@pytest.mark.parametrize('at_end', [nothing_more, press_ctrl_c])
def test_the_clip_of_a_camera_ends_by_itself_or_with_ctrl_c(clip, tmp_path, monkeypatch, at_end):
    output = run_camera(clip, monkeypatch, at_end=at_end)
    assert_same_masks(masks_in(output), masks_in(run(NETWORK, clip, tmp_path / 'folder')))
    assert report_of(output)['frames'] == 8
    with av.open(str(output / 'overlay.mp4')) as container:
        assert container.streams.video[0].average_rate == 12


def test_ctrl_c_during_inference_ends_the_clip_of_a_camera(clip, monkeypatch):
    """Most of the time is spent there, not in waiting for the camera."""
    step = InferenceCore.step

    def interrupted_step(core, *args, **options):
        return press_ctrl_c() if core.index == 4 else step(core, *args, **options)

    monkeypatch.setattr(InferenceCore, 'step', interrupted_step)
    output = run_camera(clip, monkeypatch)
    assert list(masks_in(output)) == frame_names(range(4))
    assert report_of(output)['frames'] == 4
    assert (output / 'overlay.mp4').exists()


def test_the_clip_of_a_camera_ends_at_the_requested_frame(clip, monkeypatch):
    progress = record_progress(monkeypatch)
    output = run_camera(clip, monkeypatch, '--end', 3)
    assert list(masks_in(output)) == frame_names(range(3))
    assert '3 of 3 frames' in progress.getvalue()


def test_start_and_stride_skip_frames_of_a_camera(clip, tmp_path, monkeypatch):
    options = ['--start', 1, '--stride', 3]
    shutil.copy(clip / 'masks' / '00001.png', clip / 'mask.png')
    masks = masks_in(run_camera(clip, monkeypatch, *options, mask='mask.png'))
    assert list(masks) == frame_names([1, 4, 7])
    folder = run(NETWORK, clip, tmp_path / 'folder', *options, mask='mask.png')
    assert_same_masks(masks, masks_in(folder))


@pytest.mark.parametrize('stride', [1, 3])
def test_progress_of_a_camera_without_an_end_shows_no_total(clip, monkeypatch, stride):
    progress = record_progress(monkeypatch)
    run_camera(clip, monkeypatch, '--stride', stride)
    assert 'frames' in progress.getvalue() and ' of ' not in progress.getvalue()


REFUSED = [  # number of pictures from the camera, the mask, options, part of the message
    (0, 'masks/00000.png', '', 'camera 0: delivers no image; is it connected and not in use?'),
    (1, 'masks/00000.png', '', 'no frames in the selected range'),
    (9, 'masks', '', 'masks: for a camera, give a single mask'),
    (9, 'masks/00000.png', '--direction both', '--direction both: not available for a camera'),
    (9, 'masks/00000.png', '--resume', '--resume: not available for a camera'),
    (9, 'masks/00000.png', '--references', '--references: not available for a camera'),
]


@pytest.mark.parametrize('num_pictures, mask, options, message', REFUSED)
def test_what_a_camera_cannot_do_is_refused(
    clip, tmp_path, capsys, monkeypatch, num_pictures, mask, options, message
):
    images = sorted((clip / 'images').iterdir()) * 2
    monkeypatch.setattr('cv2.VideoCapture', Camera(images[:num_pictures], nothing_more))
    assert message in error_line(NETWORK, capsys, words(clip, *options.split(), mask=mask))
    assert not list((tmp_path / 'out').rglob('*'))
