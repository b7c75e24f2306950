"""Files from which no video can be read, or not all of it."""

import struct
import wave

import av
import numpy as np

from tests.faults.bad_inputs.case import Bad, cut, each, write
from tests.helpers import stand_in
from tests.helpers.video_files import with_bytes, write_movie

PICTURES = stand_in.clip(12, 32, 48)[0]


def run(name):
    return f'propagate.py {name} --mask mask.png --output out'


def movie(name, pictures=PICTURES, **options):
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
    """-> what writes an AVI whose header says so of the size of its pictures."""

    def spoil(folder):
        content = bytearray(write_movie(folder / 'a.avi', PICTURES, 'ffv1.mkv').read_bytes())
        at = content.index(struct.pack('<ii', 48, 32) + b'\1\0')
        struct.pack_into('<ii', content, at, width, height)
        (folder / 'a.avi').write_bytes(content)

    return spoil


def mixed_sizes(folder):
    movie('small.avi', PICTURES[:, :16], kind='mjpeg.avi')(folder)
    with av.open(str(folder / 'small.avi')) as file:
        packets = [bytes(packet) for packet in file.demux(video=0) if packet.size]
    (folder / 'small.avi').unlink()

    def change(number, packet):
        return with_bytes(packet, packets[number]) if number >= 2 else packet

    write_movie(folder / 'mixed.avi', PICTURES, 'mjpeg.avi', change=change)


CASES = [
    Bad('a video of no bytes', run('a.mp4'), ('a.mp4', 'cannot be read as a video'),
        write('a.mp4', b'')),
    Bad('a text for a video', run('a.mp4'), ('a.mp4', 'cannot be read as a video'),
        write('a.mp4', 'hello, world\n' * 100)),
    Bad('a text file', run('notes.txt'), ('notes.txt', 'cannot be read as a video'),
        write('notes.txt', 'hello, world\n' * 100)),
    Bad('a video that is not there', run('gone.mp4'), ('gone.mp4', 'no such file or folder')),
    Bad('half an MP4', run('h264.mp4'), ('h264.mp4', 'cut off', 'get the whole file'),
        each(movie('h264.mp4'), cut('h264.mp4', 0.5))),
    Bad('half a Matroska file', run('movie.mkv'), ('movie.mkv', 'cut off'), cut('movie.mkv', 0.5)),
    Bad('half an AVI', run('mjpeg.avi'), ('mjpeg.avi', 'cut off'),
        each(movie('mjpeg.avi'), cut('mjpeg.avi', 0.5))),
    Bad('half a WebM', run('vp8.webm'), ('vp8.webm', 'cut off'),
        each(movie('vp8.webm'), cut('vp8.webm', 0.5))),
    Bad('sound alone', run('sound.wav'), ('sound.wav', 'no video stream'), sound),
    Bad('a song with a cover', run('song.mp3'), ('song.mp3', 'no video stream'), song_with_cover),
    Bad('a header of 16000 x 12000', run('a.avi'), ('a.avi', '16000x12000', '134 million'),
        claim_size(16000, 12000)),
    Bad('a header of 2 000 000 000 x 2', run('a.avi'), ('a.avi', 'cannot be read as a video'),
        claim_size(2_000_000_000, 2)),
    Bad('a header of nothing', run('a.avi'), ('a.avi', 'cannot be read as a video'),
        claim_size(0, 0)),
    Bad('frames of changing size', run('mixed.avi'), ('mixed.avi, frame 2', '48x16', '48x32'),
        mixed_sizes, leaves=('out',)),
    Bad('a start after the end of a video', run('movie.mkv') + ' --start 4',
        ('--start 4', '4 frames only')),
    Bad('a camera that is not there', run('97'), ('camera 97', 'connected')),
    Bad('a camera with too long a number', run('99999999999999999999'), ('no such file', 'camera')),
    Bad('a playlist that names other files', run('list.mp4'), 'list.mp4',
        write('list.mp4', '#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:1,\nmovie.mkv\n'
                          '#EXT-X-ENDLIST\n')),
    Bad('a list of files to join', run('list.ffconcat'), 'list.ffconcat',
        write('list.ffconcat', 'ffconcat version 1.0\nfile movie.mkv\n')),
    Bad('a single picture for a video', run('frames/00000.png'),
        ('00000.png: a single picture', 'folder')),
]  # fmt: skip
