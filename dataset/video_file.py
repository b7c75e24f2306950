"""Video files, decoded in order with PyAV."""

import contextlib
import struct
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np

from dataset.containers import check_whole
from dataset.sizes import Size, check_size
from util.errors import UserError
from util.images import MAX_PIXELS, check_pixels

# Allowed demuxers: FFmpeg would also open text files, and playlists that pull in other files.
CONTAINERS = (
    'mov,matroska,webm,avi,flv,gif,mpegts,mpeg,mpegvideo,m4v,h264,hevc,ivf,ogg,asf,mxf,nut,rm,dv,'
    'wtv,yuv4mpegpipe,wav,mp3,flac,aac'
)
REMEDY = 'get the whole file, or re-encode the part that can be read'
MAX_FPS = 240  # containers without a frame rate state their clock rate instead, e.g. 1000


class Matrix(NamedTuple):
    """A display matrix, which maps a point (x, y) of the coded image to (ax + cy, bx + dy)."""

    a: int = 1
    b: int = 0
    c: int = 0
    d: int = 1

    @property
    def swaps_sides(self) -> bool:
        """Whether width and height are swapped; angles are rounded to quarter turns."""
        return abs(self.a) + abs(self.d) < abs(self.b) + abs(self.c)


class VideoFile:
    """A video file. Its frames are named by number, starting with 00000.

    notes: messages for the user; reading damaged frames adds to them.

    At first, frames are counted by their packets. The count can be too high, because packets may be
    damaged or refer to frames before the start; only decoding shows the true number.
    """

    is_live = False
    num_workers = 1  # one decoder

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notes: Sequence[str] = ()
        check_whole(path)
        with self._open() as (container, stream):
            first = next(self._frames(container, stream), None)
            if first is None:
                reason = 'cannot be read as a video (no frame can be decoded)'
                raise UserError(f'{path}: {reason}; {REMEDY}')
            matrix = display_matrix(first) or Matrix()
            self.size: Size = upright(first, matrix).shape[:2]
            shape = stream.sample_aspect_ratio or Fraction(1)
            self.pixel_shape = 1 / shape if matrix.swaps_sides else shape  # width / height
            self.time_base = stream.time_base
        self.times: dict[int, Fraction] = {}
        num_frames, self.fps = self._count()
        digits = max(5, len(str(num_frames)))
        self.names: Sequence[str] = [f'{index:0{digits}}' for index in range(num_frames)]

    @contextlib.contextmanager
    def _open(self) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
        """Open the container and its video stream; errors of FFmpeg become UserError."""
        try:
            # 'file:', so that a colon in the name is not read as a protocol
            with av.open(
                f'file:{self.path}', container_options={'format_whitelist': CONTAINERS}
            ) as container:
                streams = [s for s in container.streams.video if not is_cover(s)]
                if not streams:
                    raise UserError(f'{self.path}: holds no video stream; choose another file')
                stream = max(streams, key=precedence)
                if len(streams) > 1:
                    chosen = f'number {stream.index} ({stream.width}x{stream.height} pixels)'
                    self._add_note(f'{len(streams)} video streams; {chosen} is read')
                check_pixels(self.path, (stream.width, stream.height))
                stream.codec_context.options = {'max_pixels': str(MAX_PIXELS)}
                yield container, stream
        except (av.FFmpegError, OSError) as error:
            reason = f'cannot be read as a video ({error.strerror})'
            raise UserError(f'{self.path}: {reason}; {REMEDY}') from error

    @contextlib.contextmanager
    def open_sound(self, codecs: Container[str]) -> Iterator[av.AudioStream | None]:
        """The audio stream that players choose; None, with a note, if its codec is not listed."""
        with self._open() as (container, _):
            streams = sorted(container.streams.audio, key=is_default, reverse=True)
            if streams and (name := streams[0].codec_context.codec.canonical_name) not in codecs:
                self._add_note(f'its sound ({name}) cannot be stored in an MP4 and is omitted')
                streams = []
            yield streams[0] if streams else None

    def _add_note(self, note: str) -> None:
        if (note := f'{self.path}: {note}') not in self.notes:
            self.notes = [*self.notes, note]

    def _count(self) -> tuple[int, float]:
        """The number of frames to show, and frames per second."""
        times: list[int | None] = []
        damaged: list[int] = []
        with self._open() as (container, stream):
            for packet in container.demux(stream):
                if packet.is_corrupt:
                    damaged.append(len(times))
                if packet.size and not packet.is_discard and is_shown(packet, stream):
                    times.append(packet.pts)
            fps = float(stream.average_rate or 0)
            known = sorted(time for time in times if time is not None)
            span = max(known, default=0) - min(known, default=0)
            if damaged:
                step = max(1, np.median(np.diff(known))) if span else 1
                missing = round(span / step) + 1 - len(known)
                lost = f', and about {missing} are missing' if missing > 0 else ''
                self._add_note(
                    f'damaged, first at frame {damaged[0]}: {len(damaged)} of {len(times)} frames '
                    f'may look wrong{lost}; stop before that frame, or get an intact file'
                )
            if span and stream.time_base and not 0 < fps <= MAX_FPS:
                fps = (len(known) - 1) / float(span * stream.time_base)
        return len(times), fps or 25.0

    def jobs(self, indices: Iterable[int]) -> Iterator[Callable[[], np.ndarray | None]]:
        pictures = self._decode(list(indices))
        while True:
            yield partial(next, pictures, None)

    def _decode(self, indices: list[int]) -> Iterator[np.ndarray]:
        assert indices == sorted(indices), 'a video file can only be read forward; unpack it first'
        wanted = set(indices)
        number, matrix = 0, Matrix()
        with self._open() as (container, stream):
            stream.thread_type = 'AUTO'
            try:
                for number, frame in enumerate(self._frames(container, stream), 1):
                    matrix = display_matrix(frame) or matrix
                    if number - 1 in wanted:
                        picture = upright(frame, matrix)
                        check_size(f'{self.path}, frame {number - 1}', picture.shape[:2], self.size)
                        wanted.discard(number - 1)
                        if frame.pts is not None and frame.time_base:
                            self.times[number - 1] = frame.pts * frame.time_base
                        yield picture
                    if not wanted:
                        return
            except av.FFmpegError as error:
                reason = f'damaged after {number} frames ({error.strerror})'
                raise UserError(f'{self.path}: {reason}; {REMEDY}') from error
        if number < len(self.names):
            found = f'only {number} of {len(self.names)} frames can be decoded'
            if number < 0.75 * len(self.names):
                raise UserError(f'{self.path}: {found}; {REMEDY}')
            self._add_note(found)

    def _frames(
        self, container: av.container.InputContainer, stream: av.VideoStream
    ) -> Iterator[av.VideoFrame]:
        """Decode all frames. Those that are too damaged to be decoded are left out, with a note."""
        number, first = 0, None
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.InvalidDataError:
                first = number if first is None else first
                self._add_note(
                    f'damaged after {first} frames; frames that cannot be decoded are left out'
                )
                continue
            yield from frames
            number += len(frames)


def is_cover(stream: av.VideoStream) -> bool:
    """Whether this stream is the cover image of an audio file."""
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def is_default(stream: av.stream.Stream) -> bool:
    return bool(stream.disposition & av.stream.Disposition.default)


def precedence(stream: av.VideoStream) -> tuple[bool, int]:
    """A sort key: players show the stream marked as default, or else the largest."""
    return is_default(stream), stream.width * stream.height


def is_shown(packet: av.Packet, stream: av.VideoStream) -> bool:
    """Whether a packet holds a frame to show; VP8 also has frames used only as references."""
    return stream.codec_context.name != 'vp8' or bool(memoryview(packet)[0] & 0x10)


def display_matrix(frame: av.VideoFrame) -> Matrix | None:
    """How players rotate and mirror this and all later frames; None if it is not stated."""
    data: Any = frame.side_data.get('DISPLAYMATRIX')
    return None if data is None else Matrix(*struct.unpack('=2i4x2i', bytes(data)[:20]))


def upright(frame: av.VideoFrame, matrix: Matrix) -> np.ndarray:
    """A decoded frame as RGB, rotated and mirrored according to a display matrix."""
    picture = frame.to_ndarray(format='rgb24')
    a, b, c, d = matrix
    if matrix.swaps_sides:
        picture, a, d = picture.swapaxes(0, 1), c, b
    return np.ascontiguousarray(picture[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])
