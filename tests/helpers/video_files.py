"""Small videos of many kinds, written with PyAV."""

import struct
from fractions import Fraction

import av
import numpy as np

# File name: (encoder, pixel format, options of the encoder). `bf` asks for B-frames, auto-alt-ref
# for reference frames that are never shown.
KINDS = {
    'h264.mp4': ('libx264', 'yuv420p', {}),
    'h264.mkv': ('libx264', 'yuv420p', {}),
    'mpeg4.avi': ('mpeg4', 'yuv420p', {'bf': '2'}),
    'mjpeg.avi': ('mjpeg', 'yuvj420p', {}),
    'ffv1.mkv': ('ffv1', 'bgr0', {}),
    'vp8.webm': ('libvpx', 'yuv420p', {'auto-alt-ref': '1', 'lag-in-frames': '16', 'b': '300k'}),
    'vp9.webm': ('libvpx-vp9', 'yuv420p', {'auto-alt-ref': '1', 'b': '300k', 'cpu-used': '8'}),
    'prores.mov': ('prores', 'yuv422p10le', {}),
    'flv1.flv': ('flv', 'yuv420p', {}),
}


def write_movie(
    path,
    pictures,
    kind=None,
    *,
    rate=25,
    times=None,
    change=None,
    muxer=None,
    pixel_shape=1,
    **more,
):
    """Encode pictures (T, H, W, 3) into a file, and return its path.

    kind: a key of KINDS; by default the name of the file.
    times: presentation times in ms, if they are uneven.
    change: called as change(number, packet) for each encoded packet; returns what is written in
        its place, or None to drop it.
    pixel_shape: width of a pixel by its height.
    muxer: options of the container format. more: options of the encoder.
    """
    codec, pix_fmt, options = KINDS[kind or path.name]
    with av.open(str(path), 'w', options=muxer or {}) as file:
        stream = file.add_stream(codec, rate=rate, options={**options, **more})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt, stream.codec_context.thread_count = pix_fmt, 1
        stream.codec_context.sample_aspect_ratio = Fraction(pixel_shape)
        if times is not None:
            stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        packets = []
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format='rgb24')
            if times is not None:
                frame.pts, frame.time_base = times[number], Fraction(1, 1000)
            packets += stream.encode(frame)
        for number, packet in enumerate([*packets, *stream.encode()]):
            if change is not None:
                packet = change(number, packet)
            if packet is not None:
                file.mux(packet)
    return path


def with_bytes(packet, content):
    """A packet like another one, with other content."""
    changed = av.Packet(content)
    changed.pts, changed.dts, changed.time_base = packet.pts, packet.dts, packet.time_base
    changed.stream, changed.is_keyframe = packet.stream, packet.is_keyframe
    return changed


def rotation(degrees, *, mirrored=False):
    """A display matrix (a, b, c, d) that turns pictures clockwise, after mirroring them."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return (-cos, -sin, -sin, cos) if mirrored else (cos, sin, -sin, cos)


def set_display_matrix(path, matrix):
    """Write a display matrix (a, b, c, d) into an MP4, as phones that are held upright do."""
    a, b, c, d = (round(value * 2**16) for value in matrix)
    content = bytearray(path.read_bytes())
    struct.pack_into('>9i', content, content.index(b'tkhd') + 44, a, b, 0, c, d, 0, 0, 0, 2**30)
    path.write_bytes(content)


def cut(path, num_bytes):
    """Copy the first bytes of a file, or all but its last ones, and return the path of the copy."""
    shorter = path.with_name(f'cut_{path.name}')
    shorter.write_bytes(path.read_bytes()[:num_bytes])
    return shorter


def read(source, indices=None):
    """All pictures that a source delivers, or those of some frames."""
    found = []
    indices = range(len(source.names)) if indices is None else indices
    for _, job in zip(indices, source.jobs(indices), strict=False):
        picture = job()
        if picture is None:
            break
        found.append(picture)
    return found


def nearest(picture, pictures):
    """The index of the picture that another picture resembles most."""
    return np.abs(pictures.astype(np.int16) - picture).mean((1, 2, 3)).argmin()


def add_sound(path, codec='aac', num_blocks=60):
    """Give a video a sound track, half a minute of noise at most; returns the path of the copy."""
    louder = path.with_name(f'sound_{path.name}')
    noise = np.random.default_rng(0).normal(0, 0.1, (num_blocks, 1, 1024)).astype(np.float32)
    with av.open(str(path)) as silent, av.open(str(louder), 'w') as file:
        video = file.add_stream_from_template(silent.streams.video[0])
        audio = file.add_stream(codec, rate=48000, layout='mono')
        for packet in silent.demux(video=0):
            if packet.size:
                packet.stream = video
                file.mux(packet)
        converter = av.AudioResampler(audio.format, 'mono', 48000, audio.frame_size or 1024)
        for number, block in enumerate(noise):
            frame = av.AudioFrame.from_ndarray(block, format='fltp', layout='mono')
            frame.rate, frame.pts = 48000, number * 1024
            for converted in converter.resample(frame):
                file.mux(audio.encode(converted))
        file.mux(audio.encode())
    return louder


def frame_times(path):
    """The times of a video's frames, in seconds."""
    with av.open(str(path)) as file:
        return [float(frame.time) for frame in file.decode(video=0)]


def sound_packets(path):
    """(time in seconds, bytes) of each packet of a file's sound."""
    with av.open(str(path)) as file:
        packets = [p for p in file.demux(audio=0) if p.size] if file.streams.audio else []
        return [(float(packet.pts * packet.time_base), bytes(packet)) for packet in packets]
