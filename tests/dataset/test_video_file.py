"""What a video file says about its pictures: colours, orientation, streams, depth, damage."""

import re

import av
import cv2
import numpy as np
import pytest

from dataset.sources import open_source
from tests.helpers import stand_in
from tests.helpers.ffmpeg import ffmpeg, frames_of_ffmpeg, needs_ffmpeg
from tests.helpers.video_files import (
    KINDS,
    read,
    rotation,
    set_display_matrix,
    with_bytes,
    write_movie,
)
from util.errors import UserError

# Luma weights of red and blue, and the number by which a file names them.
COLOUR_SPACES = {
    'BT.709': (0.2126, 0.0722, 1),
    'BT.601, 625 lines': (0.299, 0.114, 5),
    'BT.601, 525 lines': (0.299, 0.114, 6),
    'SMPTE 240M': (0.212, 0.087, 7),
    'BT.2020': (0.2627, 0.0593, 9),
    'not stated': (0.299, 0.114, 2),  # FFmpeg then takes BT.601
}
COLOURS = np.array(
    [(200, 40, 40), (40, 180, 60), (40, 60, 220), (230, 220, 40), (30, 200, 210), (128, 128, 128),
     (255, 255, 255), (0, 0, 0)], np.uint8
)  # fmt: skip


def write_colours(path, weights, *, full_range):
    """A video of stripes in COLOURS, 16 pixels wide, whose luma and chroma are computed here."""
    red, blue, number = weights
    rgb = COLOURS.astype(float)
    luma = rgb @ [red, 1 - red - blue, blue]
    chroma = (rgb[:, 2] - luma) / (2 - 2 * blue), (rgb[:, 0] - luma) / (2 - 2 * red)
    if not full_range:
        luma, chroma = 16 + luma * 219 / 255, [c * 224 / 255 for c in chroma]
    values = np.stack([luma, *(128 + c for c in chroma)]).clip(0, 255).round().astype(np.uint8)
    planes = np.repeat(values, 16, 1)[:, None].repeat(32, 1)  # 3, H, W
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(planes), format='yuv444p')
    frame.colorspace, frame.color_range = number, 2 if full_range else 1
    with av.open(str(path), 'w') as file:
        stream = file.add_stream('libx264', rate=25, options={'qp': '0'})  # lossless
        stream.height, stream.width, stream.pix_fmt = *planes.shape[1:], 'yuv444p'
        stream.codec_context.colorspace = number
        stream.codec_context.color_range = frame.color_range
        file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


@pytest.fixture(params=[False, True], ids=['limited range', 'full range'])
def full_range(request):
    return request.param


@pytest.mark.parametrize('name', COLOUR_SPACES)
def test_colours_are_converted_as_the_file_says(tmp_path, name, full_range):
    path = write_colours(tmp_path / 'h264.mp4', COLOUR_SPACES[name], full_range=full_range)
    found = read(open_source(path))[0][16, 8::16]
    assert np.abs(found.astype(int) - COLOURS).max() <= 3


@needs_ffmpeg
@pytest.mark.parametrize('name', COLOUR_SPACES)
def test_colours_are_those_of_ffmpeg(tmp_path, name, full_range):
    path = write_colours(tmp_path / 'h264.mp4', COLOUR_SPACES[name], full_range=full_range)
    found, expected = read(open_source(path))[0], frames_of_ffmpeg(path)[0]
    assert np.abs(found.astype(int) - expected).max() <= 1


@pytest.fixture(scope='module')
def pictures():
    return stand_in.clip(8, 48, 64)[0]


# The display matrices (a, b, c, d) of a picture turned clockwise, and of its mirror image.
TURNED = {degrees: rotation(degrees) for degrees in (0, 90, 180, 270)}
MIRRORED = {degrees: rotation(degrees, mirrored=True) for degrees in (0, 90, 180, 270)}


def write_oriented(path, pictures, matrix):
    """A video of three frames with a display matrix."""
    set_display_matrix(write_movie(path, pictures[:3], 'h264.mp4'), matrix)
    return path


@pytest.mark.parametrize('degrees', TURNED)
@pytest.mark.parametrize('mirrored', [False, True])
@pytest.mark.parametrize('slant', [0, 1, -40])
def test_pictures_are_mirrored_and_turned_as_the_file_says(
    tmp_path, pictures, degrees, mirrored, slant
):
    """Angles are rounded to quarter turns."""
    expected = read(open_source(write_oriented(tmp_path / 'v.mp4', pictures, TURNED[0])))[0]
    expected = np.rot90(expected[:, ::-1] if mirrored else expected, -degrees // 90)
    matrix = rotation(degrees + slant, mirrored=mirrored)
    source = open_source(write_oriented(tmp_path / 'v.mp4', pictures, matrix))
    assert source.size == expected.shape[:2]
    assert np.array_equal(read(source)[0], expected)


@pytest.mark.parametrize('degrees', TURNED)
def test_pictures_are_turned_as_in_opencv(tmp_path, pictures, degrees):
    path = write_oriented(tmp_path / 'v.mp4', pictures, TURNED[degrees])
    expected = cv2.cvtColor(cv2.VideoCapture(str(path)).read()[1], cv2.COLOR_BGR2RGB)
    assert np.abs(read(open_source(path))[0].astype(int) - expected).mean() < 2


@needs_ffmpeg
@pytest.mark.parametrize('matrix', [*TURNED.values(), *MIRRORED.values(), (2, 0, 0, -2)])
@pytest.mark.parametrize('suffix', ['mp4', 'mov', 'mkv'])
def test_pictures_are_mirrored_and_turned_as_in_ffmpeg(tmp_path, pictures, matrix, suffix):
    path = write_oriented(tmp_path / 'v.mp4', pictures, matrix)
    copied = tmp_path / f'copied.{suffix}'
    ffmpeg('-i', path, '-c', 'copy', copied)
    assert_as_in_ffmpeg(copied)


@needs_ffmpeg
@pytest.mark.parametrize('flags', ['rotate=90', 'rotate=90:flip=horizontal', 'flip=vertical'])
def test_an_orientation_stated_in_the_first_frame_holds_for_all(tmp_path, pictures, flags):
    path = write_movie(tmp_path / 'h264.mkv', pictures[:3])
    turned = tmp_path / 'turned.mkv'
    ffmpeg('-i', path, '-c', 'copy', '-bsf:v', f'h264_metadata=display_orientation=insert:{flags}',
           turned)  # fmt: skip
    assert_as_in_ffmpeg(turned)


def assert_as_in_ffmpeg(path):
    """Our reading of a video gives the frames that ffmpeg gives, but for rounding."""
    source, expected = open_source(path), frames_of_ffmpeg(path)
    found = read(source)
    assert source.size == expected[0].shape[:2] and len(found) == len(expected) > 0
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.shape == theirs.shape
        assert np.abs(ours.astype(int) - theirs).mean() < 2


@needs_ffmpeg
@pytest.mark.parametrize(
    'pix_fmt', ['gray10le', 'gray12le', 'gray16le', 'yuv422p10le', 'yuv444p12le', 'rgb48le']
)
def test_video_of_more_than_8_bits_keeps_its_range_as_in_ffmpeg(tmp_path, pictures, pix_fmt):
    path = write_movie(tmp_path / 'ffv1.mkv', pictures[:3])
    ffmpeg('-i', path, '-c:v', 'ffv1', '-pix_fmt', pix_fmt, tmp_path / 'deep.mkv')
    assert_as_in_ffmpeg(tmp_path / 'deep.mkv')


def write_streams(path, sizes, default=None):
    """A video with a stream of each size (height, width), in that order; one is the default."""
    with av.open(str(path), 'w') as file:
        streams = []
        for number, (height, width) in enumerate(sizes):
            stream = file.add_stream('mpeg4', rate=25)
            stream.height, stream.width, stream.pix_fmt = height, width, 'yuv420p'
            chosen = av.stream.Disposition.default if number == default else 0
            stream.disposition = av.stream.Disposition(chosen)
            streams.append(stream)
        for stream in streams:
            grey = np.full((stream.height, stream.width, 3), 100, np.uint8)
            for _ in range(3):
                file.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format='rgb24')))
            file.mux(stream.encode())
    return path


SMALL, LARGE = (32, 48), (64, 80)


@needs_ffmpeg
@pytest.mark.parametrize('suffix', ['mkv', 'mp4', 'ts'])
@pytest.mark.parametrize('sizes', [(SMALL, LARGE), (LARGE, SMALL), (SMALL, LARGE, SMALL)])
@pytest.mark.parametrize('default', [None, 0, 1])
def test_the_default_stream_is_read_as_in_ffmpeg(tmp_path, suffix, sizes, default):
    path = write_streams(tmp_path / f'v.{suffix}', sizes, default)
    assert_as_in_ffmpeg(path)
    height, width = open_source(path).size
    (note,) = open_source(path).notes
    assert f'{len(sizes)} video streams; number ' in note
    assert note.endswith(f' ({width}x{height} pixels) is read')


def test_one_stream_needs_no_note(tmp_path):
    assert not open_source(write_streams(tmp_path / 'v.mkv', [SMALL])).notes


@pytest.fixture(scope='module', params=['libx264', 'mpeg2video', 'libx265'])
def recording(request, tmp_path_factory):
    """The bytes of a transport stream of 24 frames, with a keyframe every 8."""
    options = {'g': '8'} if request.param != 'libx265' else {'x265-params': 'keyint=8:log-level=0'}
    path = tmp_path_factory.mktemp('recording') / f'{request.param}.ts'
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(KINDS, path.name, (request.param, 'yuv420p', options))
        write_movie(path, stand_in.clip(24, 48, 64)[0])
    return path.read_bytes()


def lose_packets(path, recording, share, count=3):
    """Write a transport stream that lacks some of its packets, each of 188 bytes."""
    at = int(share * (len(recording) // 188)) * 188
    path.write_bytes(recording[:at] + recording[at + count * 188 :])
    return path


def test_a_whole_recording_needs_no_note(tmp_path, recording):
    source = open_source(lose_packets(tmp_path / 'v.ts', recording, 0.5, count=0))
    assert len(read(source)) == len(source.names) == 24 and not source.notes


@needs_ffmpeg
@pytest.mark.parametrize('share', [0.25, 0.4, 0.5, 0.6, 0.75, 0.9])
def test_what_is_left_of_a_recording_that_lost_packets_is_read_as_in_ffmpeg(
    tmp_path, recording, share
):
    path = lose_packets(tmp_path / 'v.ts', recording, share)
    source, expected = open_source(path), frames_of_ffmpeg(path)
    found = read(source)
    assert len(found) == len(expected) >= 18
    assert np.abs(np.array(found).astype(int) - expected).mean() < 2
    assert 'v.ts: damaged, first at frame' in source.notes[0]
    if len(found) < len(source.names):
        assert f'only {len(found)} of {len(source.names)} frames can be' in source.notes[1]


def test_lost_frames_are_counted_by_the_gap_in_their_times(tmp_path):
    """A PES packet without its start is no frame; the one before it is flagged as damaged."""
    path = tmp_path / 'v.ts'
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(KINDS, 'v.ts', ('mpeg2video', 'yuv420p', {'g': '1'}))
        write_movie(path, stand_in.clip(24, 48, 64)[0])
    content = path.read_bytes()
    starts = [
        at
        for at in range(0, len(content), 188)
        if content[at + 1] & 0x40 and content[at + 1] & 0x1F == 1
    ]  # video, a frame begins
    path.write_bytes(content[: starts[9] + 188] + content[starts[12] + 188 :])
    source = open_source(path)
    assert len(read(source)) == len(source.names) == 21
    words = r'first at frame [89]: 1 of 21 frames may look wrong, and about 3 are missing; stop'
    assert re.search(words, source.notes[0])


@pytest.mark.parametrize('damaged', [[0], [7], [7, 8, 15]])
def test_frames_that_cannot_be_decoded_are_left_out_with_a_note(tmp_path, damaged):
    pictures = stand_in.clip(24, 48, 64)[0]

    def change(number, packet):
        return with_bytes(packet, bytes(packet)[:200]) if number in damaged else packet

    path = write_movie(tmp_path / 'ffv1.mkv', pictures, change=change, g='1')
    source = open_source(path)
    found = read(source)
    left = np.delete(pictures, damaged, 0)
    assert np.array_equal(found, left)
    *notes, last = source.notes
    assert last == f'{path}: only {len(left)} of 24 frames can be decoded'
    (note,) = notes
    assert f'damaged after {damaged[0]} frames; frames that cannot be decoded' in note


def test_frames_before_the_damage_are_read_without_a_note(tmp_path):
    pictures = stand_in.clip(24, 48, 64)[0]

    def change(number, packet):
        return with_bytes(packet, bytes(packet)[:200]) if number >= 18 else packet

    source = open_source(write_movie(tmp_path / 'ffv1.mkv', pictures, change=change, g='1'))
    assert np.array_equal(read(source, range(12)), pictures[:12])
    assert not source.notes


def test_a_video_of_which_less_than_three_quarters_can_be_decoded_is_refused(tmp_path):
    def change(number, packet):
        return with_bytes(packet, bytes(packet)[:200]) if number % 3 else packet

    pictures = stand_in.clip(24, 48, 64)[0]
    source = open_source(write_movie(tmp_path / 'ffv1.mkv', pictures, change=change, g='1'))
    with pytest.raises(UserError, match='only 8 of 24 frames can be decoded; get the whole file'):
        read(source)
