"""Sources of frames: folders of images, damaged videos, unpacked videos and cameras."""

import wave

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from dataset.sources import open_source, unpack
from tests.helpers import stand_in
from tests.helpers.video_files import read, with_bytes, write_movie
from util.errors import UserError

NUM_FRAMES = 24


@pytest.fixture(scope='module')
def pictures():
    return stand_in.clip(NUM_FRAMES, 48, 64)[0]


@pytest.fixture(scope='module')
def movie(pictures, tmp_path_factory):
    """A lossless video."""
    return write_movie(tmp_path_factory.mktemp('movie') / 'ffv1.mkv', pictures)


@pytest.fixture
def folder(tmp_path, pictures):
    """A folder of images. The names below are in natural order, which compares numbers by value."""
    names = ['1.png', '2.JPG', '10.bmp', '20.jfif', '21.tif', '22.TIFF', '23.ppm', 'a1b2.webp']
    names += ['a1b10.png', 'shot (3).jpeg', 'ünï².png']
    for name, picture in zip(names, pictures, strict=False):
        Image.fromarray(picture).save(tmp_path / name, quality=95)
    (tmp_path / '.hidden.png').write_bytes(b'')
    (tmp_path / 'notes.txt').write_text('no image')
    return tmp_path


def test_a_folder_gives_its_images_in_natural_order(folder, pictures):
    source = open_source(folder)
    assert source.names[:7] == ['1', '2', '10', '20', '21', '22', '23']
    assert source.names[7:] == ['a1b2', 'a1b10', 'shot (3)', 'ünï²']
    assert source.notes == [f'{folder}: left out, as they are not read: notes.txt (1 .txt in all)']
    assert (source.size, source.fps) == ((48, 64), 24.0)
    for found, picture in zip(read(source), pictures, strict=False):
        assert np.abs(found.astype(int) - picture).mean() < 12
    assert np.array_equal(read(source, [8, 4, 0]), pictures[[8, 4, 0]])


def test_two_images_of_one_name_are_refused(folder):
    Image.new('RGB', (64, 48)).save(folder / '10.png')
    with pytest.raises(
        UserError, match=r'10\.(png|bmp) and 10\.(png|bmp) have the same name; remove'
    ):
        open_source(folder)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(UserError, match='no images in it'):
        open_source(tmp_path)


def test_an_image_of_another_size_is_refused_when_the_folder_is_opened(folder):
    Image.new('RGB', (64, 47)).save(folder / '3.png')
    with pytest.raises(UserError, match=r'3\.png: 64x47, but the first frame is 64x48; all frames'):
        open_source(folder)


def test_an_unreadable_image_is_refused_when_the_folder_is_opened(folder):
    (folder / '3.png').write_bytes(b'no image')
    with pytest.raises(UserError, match=r'3\.png: cannot be read as an image \(unknown format'):
        open_source(folder)


@pytest.mark.parametrize('name', ['1.png', '2.JPG', 'a1b2.webp'])
def test_a_truncated_image_is_refused_with_its_name(folder, name):
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match=rf'{name}: cannot be read as an image \(.*get it again'):
        read(open_source(folder))


def test_a_change_of_size_within_a_video_is_refused_with_the_frame(tmp_path, pictures):
    small = write_movie(tmp_path / 'mjpeg.avi', pictures[:, :32])
    with av.open(str(small)) as file:
        packets = [bytes(packet) for packet in file.demux(video=0) if packet.size]

    def change(number, packet):
        return with_bytes(packet, packets[number]) if number >= 7 else packet

    mixed = write_movie(tmp_path / 'mixed.avi', pictures, 'mjpeg.avi', change=change)
    words = r'mixed\.avi, frame 7: 64x32, but the first frame is 64x48; all frames .* one size'
    with pytest.raises(UserError, match=words):
        read(open_source(mixed))


def test_a_video_that_is_damaged_from_some_frame_on_is_refused_at_its_end(tmp_path, pictures):
    def change(number, packet):
        return with_bytes(packet, bytes(packet)[: packet.size // 2]) if number >= 7 else packet

    path = write_movie(tmp_path / 'ffv1.mkv', pictures, change=change)
    source = open_source(path)
    with pytest.raises(UserError, match=r'ffv1\.mkv: only 7 of 24 frames can be decoded; get the'):
        read(source)
    assert np.array_equal(read(source, range(7)), pictures[:7])


def test_a_video_with_far_fewer_frames_than_packets_is_refused(movie):
    source = open_source(movie)
    source.names += [f'{index:05}' for index in range(NUM_FRAMES, NUM_FRAMES + 17)]
    with pytest.raises(UserError, match='only 24 of 41 frames can be decoded; get the whole file'):
        read(source)


@pytest.mark.parametrize('content', [b'', b'no video at all', b'\x1a\x45\xdf\xa3', b'RIFF'])
def test_a_file_of_another_kind_is_refused(tmp_path, content):
    path = tmp_path / 'clip.mp4'
    path.write_bytes(content)
    with pytest.raises(
        UserError, match=r'clip\.mp4: cannot be read as a video \(.*\); get the whole'
    ):
        open_source(path)


def test_a_sound_file_is_refused(tmp_path):
    with wave.open(str(tmp_path / 'sound.wav'), 'w') as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(8000))
    with pytest.raises(UserError, match=r'sound\.wav: holds no video stream'):
        open_source(tmp_path / 'sound.wav')


def test_a_missing_input_is_refused():
    with pytest.raises(UserError, match=r'nowhere\.mp4: no such file or folder; give a video'):
        open_source('nowhere.mp4')


def test_unpacked_frames_can_be_read_in_any_order(movie, pictures, tmp_path):
    source = unpack(open_source(movie), range(2, 20, 3), tmp_path / 'frames')
    assert (len(source.names), source.fps, source.size) == (NUM_FRAMES, 25.0, (48, 64))
    assert np.array_equal(read(source, [17, 2, 8]), pictures[[17, 2, 8]])


def test_unpacking_continues_where_it_stopped(movie, pictures, tmp_path):
    unpack(open_source(movie), range(4), tmp_path)
    (tmp_path / '00002.png').unlink()
    source = unpack(open_source(movie), range(4), tmp_path)
    assert np.array_equal(read(source, range(4)), pictures[:4])


def test_a_frame_that_cannot_be_unpacked_is_named(movie, tmp_path):
    source = open_source(movie)
    source.names += ['00024']
    with pytest.raises(UserError, match=r'ffv1\.mkv: frame 00024 cannot be decoded; leave it out'):
        unpack(source, range(20, 25), tmp_path)


class FakeCapture:
    """Replaces cv2.VideoCapture: a camera that delivers `left` pictures."""

    left = 4

    def __init__(self, number):
        assert number == 3

    def read(self):
        self.left -= 1
        picture = np.zeros((6, 8, 3), np.uint8)
        picture[:, :, 0] = 200  # blue, green, red
        return (True, picture) if self.left >= 0 else (False, None)

    def get(self, _):
        return 0.0


def test_a_camera_gives_rgb_pictures_until_it_ends(monkeypatch):
    monkeypatch.setattr(cv2, 'VideoCapture', FakeCapture)
    source = open_source('3')
    assert source.is_live and (source.names, source.size, source.fps) == ((), (6, 8), 25.0)
    found = read(source, range(10))
    assert len(found) == 3 and found[0][0, 0].tolist() == [0, 0, 200]


def test_a_camera_without_a_picture_is_refused(monkeypatch):
    monkeypatch.setattr(cv2, 'VideoCapture', FakeCapture)
    monkeypatch.setattr(FakeCapture, 'left', 0)
    with pytest.raises(
        UserError, match='camera 3: delivers no image; is it connected, and not in use'
    ):
        open_source('3')
