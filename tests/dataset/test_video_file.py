"""What a video file says about its pictures: colours, orientation, streams, depth, damage."""

import av
import numpy as np
import pytest

from dataset.sources import open_source
from tests.helpers.ffmpeg import frames_of_ffmpeg, needs_ffmpeg
from tests.helpers.video_files import read

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
