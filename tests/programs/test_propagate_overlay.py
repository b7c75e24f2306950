"""overlay.mp4 of a video file: its times, the shape of its pixels and its sound."""

import shutil

import av
import numpy as np
import pytest

from tests.helpers import stand_in
from tests.helpers.clips import write_clip
from tests.helpers.coarse_network import CoarseNetwork
from tests.helpers.propagate_runs import interrupt, results_of, run
from tests.helpers.video_files import add_sound, frame_times, sound_packets, write_movie

NETWORK = CoarseNetwork()
TIMES = [0, 40, 80, 120, 700, 740, 780, 1000, 1040, 1080]  # ms


@pytest.fixture(scope='module')
def clip(tmp_path_factory):
    """A clip whose video.mp4 has uneven times, wide pixels and sound."""
    folder = write_clip(tmp_path_factory.mktemp('clip'), *stand_in.clip(10, 32, 48))
    images = stand_in.clip(10, 32, 48)[0]
    path = write_movie(folder / 'h264.mp4', images, times=TIMES, pixel_shape=1.5, bf='0')
    add_sound(path).rename(folder / 'video.mp4')
    return folder


@pytest.fixture(scope='module')
def output(clip, tmp_path_factory):
    return run(NETWORK, clip, tmp_path_factory.mktemp('run') / 'out', source='video.mp4')


def test_frames_keep_their_times(output, clip):
    times = [time / 1000 for time in TIMES]
    assert frame_times(output / 'overlay.mp4') == pytest.approx(times, abs=1e-3)
    assert frame_times(clip / 'video.mp4') == pytest.approx(times, abs=1e-3)


def test_pixels_keep_their_shape_and_colours_are_tagged_as_bt709(output):
    with av.open(str(output / 'overlay.mp4')) as file:
        stream = file.streams.video[0]
        codec = stream.codec_context
        assert stream.sample_aspect_ratio == 1.5
        assert (codec.colorspace, codec.color_primaries, codec.color_trc) == (1, 1, 1)


def test_the_sound_is_copied_until_the_last_frame_ends(output, clip):
    whole = sound_packets(clip / 'video.mp4')
    copied = sound_packets(output / 'overlay.mp4')
    assert [content for _, content in copied] == [content for _, content in whole[: len(copied)]]
    found, expected = ([time for time, _ in packets[: len(copied)]] for packets in (copied, whole))
    assert found == pytest.approx(expected, abs=1e-3)
    assert 1.08 <= copied[-1][0] < 1.2 < whole[-1][0]


def test_chosen_frames_keep_their_times_and_the_sound_between_them(clip, tmp_path):
    words = ('--start', '3', '--end', '8', '--stride', '2', '--direction', 'both')
    shutil.copy(clip / 'masks' / '00003.png', clip / 'mask.png')
    output = run(NETWORK, clip, tmp_path / 'out', *words, source='video.mp4', mask='mask.png')
    assert frame_times(output / 'overlay.mp4') == pytest.approx([0, 0.62, 0.88], abs=1e-3)
    whole, copied = sound_packets(clip / 'video.mp4'), sound_packets(output / 'overlay.mp4')
    shifted = {content: time - 0.12 for time, content in whole}
    assert len({content for _, content in copied}) == len(copied) > 30
    for time, content in copied:
        assert time == pytest.approx(shifted[content], abs=1e-3)
        assert -0.03 < time < 1.2


def test_a_resumed_run_writes_the_same_overlay(clip, output, tmp_path):
    interrupt(NETWORK, clip, tmp_path / 'out', 7, source='video.mp4')
    run(NETWORK, clip, tmp_path / 'out', '--resume', source='video.mp4')
    assert results_of(tmp_path / 'out') == results_of(output)


def test_sound_that_does_not_fit_into_an_mp4_is_left_out_with_a_note(clip, tmp_path, capsys):
    images = stand_in.clip(3, 32, 48)[0]
    path = add_sound(write_movie(tmp_path / 'h264.mkv', images), codec='pcm_u8')
    output = run(NETWORK, clip, tmp_path / 'out', source=path)
    assert 'sound_h264.mkv: its sound (pcm_u8) does not fit into an MP4' in capsys.readouterr().out
    assert not sound_packets(output / 'overlay.mp4')


@pytest.mark.parametrize('codec', ['mp3', 'libopus', 'ac3', 'flac', 'pcm_s16le'])
def test_sound_of_many_codecs_is_copied(clip, tmp_path, codec):
    path = add_sound(write_movie(tmp_path / 'h264.mkv', stand_in.clip(10, 32, 48)[0]), codec)
    output = run(NETWORK, clip, tmp_path / 'out', source=path)
    whole, copied = sound_packets(path), sound_packets(output / 'overlay.mp4')
    assert len(copied) >= 5
    for (time, content), (expected_time, expected) in zip(copied, whole, strict=False):
        assert content == expected and time == pytest.approx(expected_time, abs=2e-3)


@pytest.mark.parametrize('kind', ['h264.mkv', 'mpeg4.avi', 'vp9.webm', 'flv1.flv', 'prores.mov'])
def test_even_times_stay_even(clip, tmp_path, kind):
    images = stand_in.clip(6, 32, 48)[0]
    path = write_movie(tmp_path / kind, images, rate=20)
    output = run(NETWORK, clip, tmp_path / 'out', source=path)
    times = frame_times(output / 'overlay.mp4')
    assert np.diff(times) == pytest.approx([0.05] * 5, abs=2e-3)
    assert not sound_packets(output / 'overlay.mp4')
