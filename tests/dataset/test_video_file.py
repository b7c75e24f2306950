"""What a video file says about its pictures: colours, orientation, streams, depth, damage."""

import av
import cv2
import numpy as np
import pytest

from dataset.sources import open_source
from tests.helpers import stand_in
from tests.helpers.ffmpeg import ffmpeg, frames_of_ffmpeg, needs_ffmpeg
from tests.helpers.video_files import read, rotation, set_display_matrix, write_movie

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
