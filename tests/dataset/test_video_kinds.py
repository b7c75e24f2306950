"""Video files of many kinds and shapes, whole and truncated."""

from fractions import Fraction

import av
import numpy as np
import pytest

from dataset.sources import open_source
from tests.helpers import stand_in
from tests.helpers.video_files import (
    KINDS,
    cut,
    nearest,
    read,
    with_bytes,
    write_movie,
)
from util.errors import UserError

NUM_FRAMES = 24


@pytest.fixture(scope='module')
def pictures():
    return stand_in.clip(NUM_FRAMES, 48, 64)[0]


@pytest.fixture(scope='module')
def movies(pictures, tmp_path_factory):
    """A folder with a video of each kind."""
    folder = tmp_path_factory.mktemp('movies')
    for name in KINDS:
        write_movie(folder / name, pictures)
    write_movie(folder / 'web.mp4', pictures, 'h264.mp4', muxer={'movflags': 'faststart'})
    return folder


@pytest.mark.parametrize('name', KINDS)
def test_every_kind_of_video_gives_all_its_frames_in_order(movies, pictures, name):
    source = open_source(movies / name)
    assert source.names == [f'{index:05}' for index in range(NUM_FRAMES)]
    assert (source.size, source.fps) == ((48, 64), 25.0)
    assert [nearest(found, pictures) for found in read(source)] == list(range(NUM_FRAMES))


def test_lossless_video_gives_the_exact_pixels(movies, pictures):
    assert np.array_equal(read(open_source(movies / 'ffv1.mkv')), pictures)


def test_selected_frames_are_the_same_as_in_a_full_reading(movies, pictures):
    found = read(open_source(movies / 'ffv1.mkv'), [3, 4, 21])
    assert np.array_equal(found, pictures[[3, 4, 21]])


@pytest.mark.parametrize('name', [*(KINDS.keys() - {'flv1.flv'}), 'web.mp4'])
@pytest.mark.parametrize('share', [0.3, 0.5, 0.95])
def test_a_truncated_file_is_refused_when_it_is_opened(movies, name, share):
    path = cut(movies / name, int(share * (movies / name).stat().st_size))
    with pytest.raises(UserError, match=rf'cut_{name}: cut off; .* bytes are there; get the whole'):
        open_source(path)


def test_a_truncated_packet_is_reported_if_the_container_does_not_state_its_size(movies):
    source = open_source(cut(movies / 'flv1.flv', -30))
    assert 'cut_flv1.flv: damaged, first at frame 23: 1 of 24 frames may' in source.notes[0]
    assert len(read(source)) >= 23


def test_an_avi_may_be_a_few_bytes_shorter_than_stated(movies, tmp_path):
    content = bytearray((movies / 'mjpeg.avi').read_bytes())
    content[4:8] = len(content).to_bytes(
        4, 'little'
    )  # old AVI writers forget to subtract the 8 bytes of the header
    (tmp_path / 'old.avi').write_bytes(content)
    assert len(open_source(tmp_path / 'old.avi').names) == NUM_FRAMES


@pytest.mark.parametrize('name', ['h264.mp4', 'ffv1.mkv', 'mjpeg.avi'])
def test_a_recording_without_stated_sizes_is_read(tmp_path, pictures, name):
    muxer = {'live': '1', 'movflags': 'frag_keyframe+empty_moov', 'write_index': '0'}
    path = write_movie(tmp_path / name, pictures, muxer=muxer)
    if name == 'mjpeg.avi':  # like a file that was never closed
        content = bytearray(path.read_bytes())
        content[4:8] = bytes(4)
        path.write_bytes(content)
    assert len(read(open_source(path))) == NUM_FRAMES


def test_vp8_frames_that_are_only_references_do_not_count(tmp_path, pictures):
    hidden = {5, 17, 20}

    def change(number, packet):
        content = bytearray(packet)
        content[0] &= 0xFF if number not in hidden else 0xEF  # show_frame
        return with_bytes(packet, bytes(content))

    source = open_source(write_movie(tmp_path / 'vp8.webm', pictures, change=change))
    assert len(source.names) == len(read(source)) == NUM_FRAMES - len(hidden)


def test_frames_before_the_start_of_an_edited_mp4_do_not_count(tmp_path, pictures):
    path = write_movie(tmp_path / 'h264.mp4', pictures)
    edited = tmp_path / 'edited.mp4'
    with av.open(str(path)) as whole, av.open(str(edited), 'w') as file:
        stream = file.add_stream_from_template(whole.streams.video[0])
        for packet in whole.demux(video=0):
            if packet.size:
                shift = int(10 / 25 / packet.time_base)
                packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
                packet.stream = stream
                file.mux(packet)
    source = open_source(edited)
    assert len(source.names) == len(read(source)) == NUM_FRAMES - 10


def test_b_frames_that_lost_their_reference_make_the_video_a_little_shorter(tmp_path, pictures):
    seen = []

    def from_second_keyframe(_, packet):
        seen.append(packet.is_keyframe)
        return packet if sum(seen) > 1 else None

    gops = {'x264-params': 'keyint=8:min-keyint=8:open-gop=1:bframes=3:b-adapt=0:scenecut=0'}
    path = write_movie(tmp_path / 'h264.mkv', pictures, change=from_second_keyframe, **gops)
    source = open_source(path)
    num_left = len(read(source))
    assert 0 < len(source.names) - num_left < 8
    assert num_left == NUM_FRAMES - 8


@pytest.mark.parametrize('name', ['ffv1.mkv', 'mpeg4.avi', 'mjpeg.avi', 'vp8.webm', 'vp9.webm'])
def test_odd_sides_are_kept(tmp_path, name):
    pictures = stand_in.clip(5, 63, 95)[0]
    source = open_source(write_movie(tmp_path / name, pictures))
    assert (
        [picture.shape for picture in read(source)] == [(63, 95, 3)] * 5 == [(*source.size, 3)] * 5
    )


@pytest.mark.parametrize(
    'name', ['h264.mp4', 'h264.mkv', 'mpeg4.avi', 'mjpeg.avi', 'vp8.webm', 'vp9.webm']
)
def test_unevenly_timed_frames_are_all_read(tmp_path, pictures, name):
    times = np.cumsum([40, 40, 120, 10, 10, 280, 40, 460] * 3).tolist()
    source = open_source(write_movie(tmp_path / name, pictures, times=times))
    assert len(source.names) == len(read(source)) == NUM_FRAMES


def test_a_clock_is_not_taken_for_the_frame_rate(tmp_path, pictures):
    times = np.cumsum([40, 60] * 12).tolist()
    source = open_source(write_movie(tmp_path / 'mjpeg.avi', pictures, times=times, rate=1000))
    assert source.fps == pytest.approx(20, rel=0.05)


def test_a_single_frame_without_a_frame_rate_is_read(tmp_path, pictures):
    path = write_movie(tmp_path / 'mjpeg.avi', pictures[:1], times=[0], rate=1000)
    assert len(read(open_source(path))) == 1


@pytest.mark.parametrize('rate', [Fraction(24000, 1001), Fraction(30000, 1001), 12.5])
def test_the_frame_rate_is_that_of_the_file(tmp_path, pictures, rate):
    path = write_movie(tmp_path / 'h264.mp4', pictures, rate=Fraction(rate))
    assert open_source(path).fps == pytest.approx(float(rate))
