"""Masks drawn over images: overlays, overlay videos, contact sheets.

Images are uint8 (H, W, 3), RGB.
"""

import contextlib
from collections.abc import Generator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from PIL import Image, ImageDraw

from util.files import atomic_write
from util.masks import DAVIS_PALETTE

MAX_SIDE = 16384  # longest side of a video that libx264 can write
MAX_HEIGHT = 1280  # tallest image in a contact sheet; an upright phone video takes half of it
BORDER = 2  # white pixels around each image in a contact sheet


def overlay(picture: np.ndarray, mask: np.ndarray, opacity: float = 0.5) -> np.ndarray:
    """Tint the objects of a mask (H, W) in their palette colours and draw their outlines."""
    colours = DAVIS_PALETTE[mask]
    tinted = cv2.addWeighted(picture, 1 - opacity, colours, opacity, 0)
    out = np.where((mask > 0)[..., None], tinted, picture)
    # A pixel of an object is on its outline if it has a neighbour outside the object.
    kernel = np.ones((3, 3), np.uint8)
    outline = (mask > 0) & (cv2.erode(mask, kernel) != cv2.dilate(mask, kernel))
    out[outline] = np.minimum(colours[outline].astype(int) + 90, 255)
    return out


@dataclass(frozen=True)
class VideoFormat:
    """The properties that an overlay video inherits from its input.

    Arguments:
        size: (height, width) of the images.
        pixel_shape: width of a pixel divided by its height.
        time_base: the unit of frame times, in seconds, if frames have times of their own.
        sound: the audio stream, if there is one that an MP4 can hold.
    """

    size: tuple[int, int]
    fps: float
    pixel_shape: Fraction = Fraction(1)
    time_base: Fraction | None = None
    sound: av.AudioStream | None = None


class OverlayVideo:
    """Writes an H.264 MP4 that browsers play; use it in a `with` block inside `atomic_write`.

    Images are scaled down if libx264 cannot write their size. Sound is copied unchanged, from the
    time of the first image to that of the last.
    """

    def __init__(self, path: str | Path, video: VideoFormat) -> None:
        self.size = height, width = fit_inside(video.size, (MAX_SIDE, MAX_SIDE))
        self.padding = ((0, height % 2), (0, width % 2), (0, 0))  # 4:2:0 needs even sides
        self.container = av.open(str(path), 'w', format='mp4', options={'movflags': '+faststart'})
        self.rate = max(Fraction(video.fps).limit_denominator(1001), Fraction(1, 1001))
        self.stream = self.container.add_stream('libx264', rate=self.rate)
        self.stream.height, self.stream.width = height + height % 2, width + width % 2
        self.stream.pix_fmt = 'yuv420p'
        x264 = 'cpu-independent=1'  # without it, some bytes can differ between two runs
        self.stream.options = {'crf': '18', 'preset': 'veryfast', 'x264-params': x264}
        codec = self.stream.codec_context
        codec.time_base = video.time_base or 1 / self.rate
        codec.sample_aspect_ratio = video.pixel_shape
        codec.colorspace, codec.color_range = Colorspace.ITU709, ColorRange.MPEG
        codec.color_primaries = codec.color_trc = 1  # BT.709
        self.time_base, self.start, self.last = codec.time_base, Fraction(0), -1
        self.num_pictures = 0
        self.sound = self._copy_sound(video.sound) if video.sound else None
        if self.sound:
            next(self.sound)

    def add(self, picture: np.ndarray, time: Fraction | None = None) -> None:
        """Append an image, at its time in the input in seconds; by default, at an even rate."""
        if time is None:
            time = self.start + self.num_pictures / self.rate
        if not self.num_pictures:
            self.start = time
        self.num_pictures += 1
        if picture.shape[:2] != self.size:
            picture = cv2.resize(picture, self.size[::-1], interpolation=cv2.INTER_AREA)
        picture = np.pad(picture, self.padding, mode='edge')
        frame = av.VideoFrame.from_ndarray(picture, format='rgb24')
        frame = frame.reformat(format='yuv420p', dst_colorspace=Colorspace.ITU709)
        self.last = max(self.last + 1, round((time - self.start) / self.time_base))
        frame.pts, frame.time_base = self.last, self.time_base
        self.container.mux(self.stream.encode(frame))
        if self.sound:
            self.sound.send(self.last * self.time_base)

    def _copy_sound(self, source: av.AudioStream) -> Generator[None, Fraction, None]:
        """A coroutine that is sent times, and copies the audio packets that begin before each."""
        assert isinstance(source.container, av.container.InputContainer)
        stream = self.container.add_stream_from_template(source)
        until = yield
        for packet in source.container.demux(source):
            if packet.pts is None or packet.time_base is None:
                continue
            shift = round(self.start / packet.time_base)
            packet.pts, packet.dts = packet.pts - shift, (packet.dts or packet.pts) - shift
            if packet.pts + (packet.duration or 0) < 0:
                continue
            while packet.pts * packet.time_base >= until:
                until = yield
            packet.stream = stream
            self.container.mux(packet)
        while True:
            yield

    def __enter__(self) -> 'OverlayVideo':
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            with contextlib.closing(self.container):
                if self.sound and self.num_pictures:
                    self.sound.send(self.last * self.time_base + 1 / self.rate)
                self.container.mux(self.stream.encode())
            return
        # Flushing the encoder after a failed header write (full disk) would crash; just close.
        with contextlib.suppress(av.FFmpegError, OSError):
            self.container.close()


def fit_inside(
    size: tuple[int, int], limit: tuple[int, int], *, enlarge: bool = False
) -> tuple[int, int]:
    """Scale (height, width) down, or up if `enlarge`, to fit a limit, keeping the aspect ratio."""
    height, width = size
    scale = min(limit[0] / height, limit[1] / width)
    if scale >= 1 and not enlarge:
        return height, width
    return max(1, round(height * scale)), max(1, round(width * scale))


class ContactSheet:
    """Up to `count` images, `width` pixels wide, spread evenly over a video of unknown length.

    Every `stride`-th image is kept. When there are twice as many as needed, every other one is
    dropped and the stride doubles.
    """

    def __init__(self, count: int = 12, width: int = 320) -> None:
        self.count, self.width = count, width
        self.stride, self.seen = 1, 0
        self.pictures: list[np.ndarray] = []

    def add(self, picture: np.ndarray, label: str) -> None:
        """Offer the next image, with a label to write on it."""
        if self.seen % self.stride == 0:
            self.pictures.append(self._thumbnail(picture, label))
            if len(self.pictures) == 2 * self.count:
                self.pictures, self.stride = self.pictures[::2], 2 * self.stride
        self.seen += 1

    def save(self, path: str | Path, columns: int = 4) -> None:
        """Write the sheet as a PNG."""
        chosen = np.linspace(0, len(self.pictures) - 1, min(self.count, len(self.pictures)))
        tiles = [self.pictures[round(index)] for index in chosen]
        columns = min(columns, len(tiles))
        blank = np.full_like(tiles[0], 255)
        tiles += [blank] * (-len(tiles) % columns)
        rows = [np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)]
        with atomic_write(path) as part:
            Image.fromarray(np.vstack(rows)).save(part, format='PNG')

    def _thumbnail(self, picture: np.ndarray, label: str) -> np.ndarray:
        size = fit_inside(picture.shape[:2], (MAX_HEIGHT, self.width), enlarge=True)
        small = Image.fromarray(cv2.resize(picture, size[::-1], interpolation=cv2.INTER_AREA))
        corner = (6, size[0] - 16)
        ImageDraw.Draw(small).text(corner, label, fill='white', stroke_width=2, stroke_fill='black')
        border = ((BORDER, BORDER), (BORDER, BORDER), (0, 0))
        return np.pad(np.asarray(small), border, constant_values=255)
