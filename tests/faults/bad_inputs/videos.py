"""Files from which no video can be read, or not all of it."""

import struct
import wave

import av
import numpy as np

from tests.faults.bad_inputs.case import Bad, all_of, cut, write
from tests.faults.bad_inputs.commands import PROPAGATE
from tests.helpers import stand_in
from tests.helpers.video_files import with_bytes, write_movie

PICTURES = stand_in.clip(12, 32, 48)[0]


def propagate(name):
    """The command that propagates through this file."""
    return PROPAGATE.replace('frames', name)


def movie(name, pictures=PICTURES, **options):
    """A function that writes a video into a folder; see `write_movie`."""
    return lambda folder: write_movie(folder / name, pictures, **options)


def sound(folder):
    with wave.open(str(folder / 'sound.wav'), 'wb') as file:
        file.setparams((1, 2, 8000, 0, 'NONE', None))
        file.writeframes(bytes(8000))


def song_with_cover(folder):
    with av.open(str(folder / 'song.mp3'), 'w') as container:
        stream = container.add_stream('mp3', rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1152), np.float32), 'fltp', 'stereo')
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    picture = (folder / 'frames/00000.png').read_bytes()
    cover = b'\0image/png\0\3\0' + picture
    tag = b'APIC' + struct.pack('>IH', len(cover), 0) + cover
    size = len(tag)
    size = bytes(size >> shift & 127 for shift in (21, 14, 7, 0))
    song = (folder / 'song.mp3').read_bytes()
    (folder / 'song.mp3').write_bytes(b'ID3\3\0\0' + size + tag + song)


def claim_size(width, height):
    """A function that writes an AVI whose header claims this size."""

    def spoil(folder):
        content = bytearray(write_movie(folder / 'a.avi', PICTURES, 'ffv1.mkv').read_bytes())
        at = content.index(struct.pack('<ii', 48, 32) + b'\1\0')
        struct.pack_into('<ii', content, at, width, height)
        (folder / 'a.avi').write_bytes(content)

    return spoil


def change_size(folder):
    """Write a video whose frames are smaller from the third one on."""
    movie('small.avi', PICTURES[:, :16], kind='mjpeg.avi')(folder)
    with av.open(str(folder / 'small.avi')) as file:
        packets = [bytes(packet) for packet in file.demux(video=0) if packet.size]
    (folder / 'small.avi').unlink()

    def change(number, packet):
        return with_bytes(packet, packets[number]) if number >= 2 else packet

    write_movie(folder / 'mixed.avi', PICTURES, 'mjpeg.avi', change=change)


CASES = [
    Bad('an empty file as a video', propagate('a.mp4'), ('a.mp4', 'cannot be read as a video'),
        write('a.mp4', b'')),
    Bad('a text file with the suffix of a video', propagate('a.mp4'),
        ('a.mp4', 'cannot be read as a video'), write('a.mp4', 'hello, world\n' * 100)),
    Bad('a text file as a video', propagate('notes.txt'),
        ('notes.txt', 'cannot be read as a video'), write('notes.txt', 'hello, world\n' * 100)),
    Bad('a missing video', propagate('gone.mp4'), ('gone.mp4', 'no such file or folder')),
    Bad('half an MP4', propagate('h264.mp4'), ('h264.mp4', 'cut off', 'get the whole file'),
        all_of(movie('h264.mp4'), cut('h264.mp4', 0.5))),
    Bad('half a Matroska file', propagate('movie.mkv'), ('movie.mkv', 'cut off'),
        cut('movie.mkv', 0.5)),
    Bad('half an AVI', propagate('mjpeg.avi'), ('mjpeg.avi', 'cut off'),
        all_of(movie('mjpeg.avi'), cut('mjpeg.avi', 0.5))),
    Bad('half a WebM', propagate('vp8.webm'), ('vp8.webm', 'cut off'),
        all_of(movie('vp8.webm'), cut('vp8.webm', 0.5))),
    Bad('a sound file', propagate('sound.wav'), ('sound.wav', 'no video stream'), sound),
    Bad('a song with a cover', propagate('song.mp3'), ('song.mp3', 'no video stream'),
        song_with_cover),
    Bad('a video whose header claims 16000 x 12000', propagate('a.avi'),
        ('a.avi', '16000x12000', '134 million'), claim_size(16000, 12000)),
    Bad('a video whose header claims 2 000 000 000 x 2', propagate('a.avi'),
        ('a.avi', 'cannot be read as a video'), claim_size(2_000_000_000, 2)),
    Bad('a video whose header claims 0 x 0', propagate('a.avi'),
        ('a.avi', 'cannot be read as a video'), claim_size(0, 0)),
    Bad('frames of changing size', propagate('mixed.avi'), ('mixed.avi, frame 2', '48x16', '48x32'),
        change_size, leaves=('out',)),
    Bad('a start after the end of a video', f'{propagate("movie.mkv")} --start 4',
        ('--start 4', 'only 4 frames')),
    Bad('a camera that is not there', propagate('97'), ('camera 97', 'connected')),
    Bad('a number too large for a camera', propagate('99999999999999999999'),
        ('no such file', 'camera')),
    Bad('a playlist that names other files', propagate('list.mp4'), 'list.mp4',
        write('list.mp4', '#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:1,\nmovie.mkv\n'
                          '#EXT-X-ENDLIST\n')),
    Bad('a list of files to concatenate', propagate('list.ffconcat'), 'list.ffconcat',
        write('list.ffconcat', 'ffconcat version 1.0\nfile movie.mkv\n')),
    Bad('a single image as a video', propagate('frames/00000.png'),
        ('00000.png: a single image', 'folder')),
]  # fmt: skip
