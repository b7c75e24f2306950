"""Overlay, overlay video and contact sheet."""

from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from tests.helpers import stand_in
from tests.helpers.ffmpeg import frames_of_ffmpeg, needs_ffmpeg
from tests.helpers.video_files import frame_times
from util.masks import DAVIS_PALETTE
from util.visualize import ContactSheet, OverlayVideo, VideoFormat, overlay


def write_video(path, images, masks, fps=25.0):
    """Write an overlay video and return its path."""
    with OverlayVideo(path, VideoFormat(images[0].shape[:2], fps)) as video:
        for image, mask in zip(images, masks, strict=True):
            video.add(overlay(image, mask))
    return path


def decode(path):
    """The stream of a video and its frames, uint8 (H, W, 3)."""
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        frames = [frame.to_ndarray(format='rgb24') for frame in file.decode(stream)]
        return stream, frames


def test_an_overlay_tints_and_outlines_objects_and_leaves_the_rest():
    picture = np.full((20, 30, 3), 100, np.uint8)
    mask = np.zeros((20, 30), np.uint8)
    mask[5:15, 5:20], mask[5:15, 20:25] = 1, 255
    shown = overlay(picture, mask)
    assert np.array_equal(shown[mask == 0], picture[mask == 0])
    assert shown[10, 12].tolist() == [114, 50, 50]  # half of (128, 0, 0)
    for row, column in ((5, 12), (10, 5), (10, 19), (10, 20)):
        expected = np.minimum(DAVIS_PALETTE[mask[row, column]].astype(int) + 90, 255)
        assert shown[row, column].tolist() == expected.tolist()


def test_the_overlay_of_an_empty_mask_is_the_picture():
    picture = stand_in.clip(1)[0][0]
    assert np.array_equal(overlay(picture, np.zeros((70, 100), np.uint8)), picture)


@pytest.mark.parametrize('size', [(48, 64), (47, 64), (48, 63), (47, 63)])
def test_the_video_shows_every_overlay_and_pads_odd_sides(tmp_path, size):
    images, masks = stand_in.clip(7, *size)
    stream, frames = decode(write_video(tmp_path / 'overlay.mp4', images, masks))
    assert stream.codec_context.name == 'h264' and stream.codec_context.pix_fmt == 'yuv420p'
    assert len(frames) == 7
    for image, mask, found in zip(images, masks, frames, strict=True):
        assert found.shape == (48, 64, 3)
        error = np.abs(found[: size[0], : size[1]].astype(int) - overlay(image, mask))
        assert error.mean() < 12, 'compression and colour at half resolution change little'


@pytest.mark.parametrize(
    'fps, rate',
    [
        (23.976, Fraction(24000, 1001)),
        (24000 / 1001, Fraction(24000, 1001)),
        (25.0, Fraction(25)),
        (29.97, Fraction(30000, 1001)),
        (12.5, Fraction(25, 2)),
        (59.94, Fraction(60000, 1001)),
        (25 / 7, Fraction(25, 7)),
        (15.6904, Fraction(15.6904)),
    ],
)
def test_the_video_runs_at_the_rate_of_its_input(tmp_path, fps, rate):
    images, masks = stand_in.clip(5, 48, 64)
    stream, frames = decode(write_video(tmp_path / 'overlay.mp4', images, masks, fps))
    assert float(stream.average_rate) == pytest.approx(float(rate), rel=1e-4)
    assert len(frames) == 5


def test_the_index_comes_first_so_that_browsers_need_not_load_the_whole_file(tmp_path):
    images, masks = stand_in.clip(3, 48, 64)
    content = write_video(tmp_path / 'overlay.mp4', images, masks).read_bytes()
    assert 0 < content.index(b'moov') < content.index(b'mdat')


@needs_ffmpeg
def test_ffmpeg_shows_the_colours_of_the_pictures(tmp_path):
    colours = [(200, 40, 40), (40, 180, 60), (40, 60, 220), (230, 220, 40), (128, 128, 128)]
    picture = np.array(colours, np.uint8).repeat(16, 0)[None].repeat(64, 0)
    with OverlayVideo(tmp_path / 'overlay.mp4', VideoFormat((64, 80), 25.0)) as video:
        for _ in range(3):
            video.add(picture)
    for found in (decode(tmp_path / 'overlay.mp4')[1], frames_of_ffmpeg(tmp_path / 'overlay.mp4')):
        assert len(found) == 3
        assert np.abs(found[2][32, 8::16].astype(int) - colours).max() <= 4


@pytest.mark.parametrize(
    'times, written',
    [
        ([5, 5.04, 9], [0, 0.04, 4]),
        ([5, 5, 4], [0, 0.001, 0.002]),  # they never go back
        ([None, None, None], [0, 0.04, 0.08]),
        ([5, None, 5.1], [0, 0.04, 0.1]),
    ],
)
def test_pictures_are_shown_at_their_times(tmp_path, times, written):
    video = VideoFormat((32, 48), 25.0, time_base=Fraction(1, 1000))
    with OverlayVideo(tmp_path / 'overlay.mp4', video) as overlay_video:
        for time in times:
            time = None if time is None else Fraction(time).limit_denominator(1000)
            overlay_video.add(np.zeros((32, 48, 3), np.uint8), time)
    assert frame_times(tmp_path / 'overlay.mp4') == pytest.approx(written, abs=1e-6)


def numbered(number, height=36, width=64):
    """A picture whose colour encodes its number."""
    return np.full(
        (height, width, 3), (number // 100 * 20 + 5, number % 100 * 2 + 5, 128), np.uint8
    )


def tiles(path, height=184, width=324, columns=4):
    """The numbers of the pictures on a sheet, row by row; see `numbered`."""
    sheet = np.asarray(Image.open(path)).astype(int)
    numbers = []
    for top in range(0, sheet.shape[0], height):
        for left in range(0, sheet.shape[1], width):
            red, green, blue = sheet[top + 20, left + 20]
            if blue == 128:
                numbers.append((red - 5) // 20 * 100 + (green - 5) // 2)
    return numbers


@pytest.mark.parametrize('num_pictures', [1, 2, 5, 11, 12, 13, 23, 24, 25, 40, 100, 1000])
def test_a_sheet_spreads_a_dozen_pictures_evenly(tmp_path, num_pictures):
    sheet = ContactSheet()
    for number in range(num_pictures):
        sheet.add(numbered(number), f'{number:05}')
    sheet.save(tmp_path / 'sheet.png')
    numbers = tiles(tmp_path / 'sheet.png')
    assert len(numbers) == min(12, num_pictures)
    assert numbers[0] == 0
    assert numbers[-1] >= 0.9 * (num_pictures - 1)
    gaps = np.diff(numbers)
    if len(gaps):
        assert gaps.min() > 0 and gaps.max() <= 2 * gaps.min()


def test_a_sheet_keeps_few_pictures_in_memory():
    sheet = ContactSheet()
    for number in range(500):
        sheet.add(numbered(number % 250), 'name')
        assert len(sheet.pictures) <= 24


@pytest.mark.parametrize('size', [(1, 500), (60, 20), (3, 3)])
def test_pictures_of_any_shape_make_a_sheet(tmp_path, size):
    sheet = ContactSheet()
    sheet.add(np.zeros((*size, 3), np.uint8), 'a long name of a frame')
    sheet.save(tmp_path / 'sheet.png')
    with Image.open(tmp_path / 'sheet.png') as image:
        assert image.width == 324
