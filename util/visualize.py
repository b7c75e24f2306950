"""Masks over pictures: overlay, overlay video, contact sheet. Pictures are uint8 (H, W, 3), RGB."""

import contextlib
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from PIL import Image, ImageDraw

from util.files import atomic_write
from util.masks import DAVIS_PALETTE

MAX_SIDE = 16384  # of a video that libx264 writes
MAX_HEIGHT = 1280  # of a picture in a contact sheet; an upright phone video has half of it
BORDER = 2  # white pixels around each picture in a contact sheet


def overlay(picture: np.ndarray, mask: np.ndarray, opacity: float = 0.5) -> np.ndarray:
    """Tint the objects of a mask (H, W) in their palette colours and draw their outlines."""
    colours = DAVIS_PALETTE[mask]
    tinted = cv2.addWeighted(picture, 1 - opacity, colours, opacity, 0)
    out = np.where((mask > 0)[..., None], tinted, picture)
    # A pixel of an object is on its outline if it has a neighbour that is not of the object.
    kernel = np.ones((3, 3), np.uint8)
    outline = (mask > 0) & (cv2.erode(mask, kernel) != cv2.dilate(mask, kernel))
    out[outline] = np.minimum(colours[outline].astype(int) + 90, 255)
    return out


class OverlayVideo:
    """Writes an H.264 MP4 that browsers play; use it in a `with` block inside `atomic_write`.

    size: (height, width) of the pictures; they are scaled down if libx264 cannot write that.
    """

    def __init__(self, path: str | Path, size: tuple[int, int], fps: float) -> None:
        self.size = height, width = fit_inside(size, (MAX_SIDE, MAX_SIDE))
        self.padding = ((0, height % 2), (0, width % 2), (0, 0))  # 4:2:0 needs even sides
        self.container = av.open(str(path), 'w', format='mp4', options={'movflags': '+faststart'})
        rate = Fraction(fps).limit_denominator(1001)
        self.stream = self.container.add_stream('libx264', rate=rate)
        self.stream.height, self.stream.width = height + height % 2, width + width % 2
        self.stream.pix_fmt = 'yuv420p'
        x264 = 'cpu-independent=1'  # without it, some bytes can differ between two runs
        self.stream.options = {'crf': '18', 'preset': 'veryfast', 'x264-params': x264}

    def add(self, picture: np.ndarray) -> None:
        """Append a picture."""
        if picture.shape[:2] != self.size:
            picture = cv2.resize(picture, self.size[::-1], interpolation=cv2.INTER_AREA)
        picture = np.pad(picture, self.padding, mode='edge')
        frame = av.VideoFrame.from_ndarray(picture, format='rgb24')
        self.container.mux(self.stream.encode(frame))

    def __enter__(self) -> 'OverlayVideo':
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            with contextlib.closing(self.container):
                self.container.mux(self.stream.encode())
            return
        # Flushing the encoder after a failed header write (full disk) would crash; just close.
        with contextlib.suppress(av.FFmpegError, OSError):
            self.container.close()


def fit_inside(
    size: tuple[int, int], limit: tuple[int, int], *, enlarge: bool = False
) -> tuple[int, int]:
    """Scale (height, width) down to fit into a limit, keeping the shape; with `enlarge` also up."""
    height, width = size
    scale = min(limit[0] / height, limit[1] / width)
    if scale >= 1 and not enlarge:
        return height, width
    return max(1, round(height * scale)), max(1, round(width * scale))


class ContactSheet:
    """Up to `count` pictures, `width` pixels wide, spread evenly over a video of unknown length.

    Every `stride`-th picture is kept. When there are twice as many as needed, every other one is
    dropped and the stride doubles.
    """

    def __init__(self, count: int = 12, width: int = 320) -> None:
        self.count, self.width = count, width
        self.stride, self.seen = 1, 0
        self.pictures: list[np.ndarray] = []

    def add(self, picture: np.ndarray, label: str) -> None:
        """Offer the next picture, with a label to write on it."""
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
