"""Masks over pictures: overlay, overlay video, contact sheet. Pictures are uint8 (H, W, 3)."""

import contextlib
from fractions import Fraction

import av
import cv2
import numpy as np
from PIL import Image, ImageDraw

from util.files import atomic_write
from util.masks import DAVIS_PALETTE

MAX_SIDE = 16384  # of what libx264 writes
MAX_HEIGHT = 1280  # of a picture in a contact sheet; one of a phone held upright has half of it


def overlay(picture, mask, opacity=0.5):
    """Tint the objects of a mask (H, W) in their palette colours and draw their outlines."""
    colours = DAVIS_PALETTE[mask]
    tinted = cv2.addWeighted(picture, 1 - opacity, colours, opacity, 0)
    out = np.where((mask > 0)[..., None], tinted, picture)
    # an outline pixel belongs to an object and has a neighbour that does not
    kernel = np.ones((3, 3), np.uint8)
    outline = (mask > 0) & (cv2.erode(mask, kernel) != cv2.dilate(mask, kernel))
    out[outline] = np.minimum(colours[outline].astype(int) + 90, 255)
    return out


class OverlayVideo:
    """An H.264 MP4 that browsers play; use it in a `with`, inside that of `atomic_write`."""

    def __init__(self, path, size, fps):
        height, width = size = fitting(size, MAX_SIDE, MAX_SIDE)
        self.size = size
        self.padding = ((0, height % 2), (0, width % 2), (0, 0))  # 4:2:0 needs even sides
        self.container = av.open(str(path), 'w', format='mp4', options={'movflags': '+faststart'})
        rate = Fraction(fps).limit_denominator(1001)
        self.stream = self.container.add_stream('libx264', rate=rate)
        self.stream.height, self.stream.width = height + height % 2, width + width % 2
        self.stream.pix_fmt = 'yuv420p'
        # cpu-independent: else two runs differ in some bytes
        x264 = 'cpu-independent=1'
        self.stream.options = {'crf': '18', 'preset': 'veryfast', 'x264-params': x264}

    def add(self, picture):
        if picture.shape[:2] != self.size:
            picture = cv2.resize(picture, self.size[::-1], interpolation=cv2.INTER_AREA)
        picture = np.pad(picture, self.padding, mode='edge')
        frame = av.VideoFrame.from_ndarray(picture, format='rgb24')
        self.container.mux(self.stream.encode(frame))

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            with contextlib.closing(self.container):
                self.container.mux(self.stream.encode())
            return
        # to write on after the header could not be written, on a full disk, ends in a crash
        with contextlib.suppress(av.FFmpegError, OSError):
            self.container.close()


def fitting(size, max_height, max_width, *, enlarge=False):
    """(height, width) scaled down to what they may be, or up to it, too."""
    height, width = size
    scale = min(max_height / height, max_width / width)
    if scale >= 1 and not enlarge:
        return tuple(size)
    return max(1, round(height * scale)), max(1, round(width * scale))


class ContactSheet:
    """Up to `count` pictures spread evenly over a video whose length need not be known.

    Every `stride`-th picture is kept; when there are too many, every other one goes.
    """

    def __init__(self, count=12, width=320):
        self.count, self.width = count, width
        self.stride, self.seen = 1, 0
        self.pictures = []

    def add(self, picture, label):
        if self.seen % self.stride == 0:
            self.pictures.append(self._thumbnail(picture, label))
            if len(self.pictures) == 2 * self.count:
                self.pictures, self.stride = self.pictures[::2], 2 * self.stride
        self.seen += 1

    def save(self, path, columns=4):
        """Write the sheet as a PNG."""
        chosen = np.linspace(0, len(self.pictures) - 1, min(self.count, len(self.pictures)))
        tiles = [self.pictures[round(index)] for index in chosen]
        columns = min(columns, len(tiles))
        blank = np.full_like(tiles[0], 255)
        tiles += [blank] * (-len(tiles) % columns)
        rows = [np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)]
        with atomic_write(path) as part:
            Image.fromarray(np.vstack(rows)).save(part, format='PNG')

    def _thumbnail(self, picture, label):
        height, width = fitting(picture.shape[:2], MAX_HEIGHT, self.width, enlarge=True)
        small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        small = Image.fromarray(small)
        ImageDraw.Draw(small).text(
            (6, height - 16), label, fill='white', stroke_width=2, stroke_fill='black'
        )
        small = np.asarray(small)
        return cv2.copyMakeBorder(small, 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=(255, 255, 255))


class Album:
    """Overlay video (if wanted) and contact sheet, fed frame by frame in the order of time."""

    def __init__(self, video=None):
        self.video = video
        self.sheet = ContactSheet()

    def add(self, frame, mask):
        picture = overlay(frame.picture, mask)
        self.sheet.add(picture, frame.name)
        if self.video is not None:
            self.video.add(picture)


@contextlib.contextmanager
def open_album(folder, size, fps, *, with_video):
    """An Album whose files appear in `folder` only if everything inside `with` went well."""
    with contextlib.ExitStack() as stack:
        album = Album()
        if with_video:
            part = stack.enter_context(atomic_write(folder / 'overlay.mp4'))
            album.video = stack.enter_context(OverlayVideo(part, size, fps))
        yield album
        album.sheet.save(folder / 'contact_sheet.png')
