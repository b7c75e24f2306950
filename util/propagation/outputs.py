"""The formats that propagate.py can write besides masks and run.json; OUTPUTS lists them."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dataset.sources import Source
from dataset.video import Frame
from dataset.video_file import VideoFile
from util.files import atomic_write
from util.visualize import ContactSheet, OverlayVideo, VideoFormat, overlay

# Audio codecs that an MP4 can hold.
SOUND_CODECS = (
    'aac', 'ac3', 'alac', 'eac3', 'flac', 'mp2', 'mp3', 'opus', 'pcm_s16be', 'pcm_s16le',
    'pcm_s24be', 'pcm_s24le', 'vorbis',
)  # fmt: skip
# A function of a frame and its mask (H, W), called in chronological order.
AddFrame = Callable[[Frame, np.ndarray], None]
# A function of a frame, its mask (H, W), and its overlay with the mask, uint8 (H, W, 3).
AddOverlay = Callable[[Frame, np.ndarray, np.ndarray], None]


@contextlib.contextmanager
def overlay_video(path: Path, source: Source, fps: float) -> Iterator[AddOverlay]:
    """Write a video of the frames with their masks drawn over them."""
    with contextlib.ExitStack() as stack:
        video = VideoFormat(source.size, fps)
        if isinstance(source, VideoFile):
            sound = stack.enter_context(source.open_sound(SOUND_CODECS))
            video = VideoFormat(source.size, fps, source.pixel_shape, source.time_base, sound)
        writer = stack.enter_context(OverlayVideo(stack.enter_context(atomic_write(path)), video))
        yield lambda frame, mask, picture: writer.add(picture, source.times.get(frame.index))


@contextlib.contextmanager
def contact_sheet(path: Path, source: Source, fps: float) -> Iterator[AddOverlay]:
    """Write one image that shows a selection of the frames with their masks."""
    sheet = ContactSheet()
    yield lambda frame, mask, picture: sheet.add(picture, frame.name)
    sheet.save(path)


class Output(NamedTuple):
    """A format: the name of its file or folder, and the function that opens it."""

    file: str
    open: Callable[[Path, Source, float], AbstractContextManager[AddOverlay]]


OUTPUTS = {
    'overlay': Output('overlay.mp4', overlay_video),
    'sheet': Output('contact_sheet.png', contact_sheet),
}


@contextlib.contextmanager
def open_outputs(
    folder: Path, names: Sequence[str], source: Source, fps: float
) -> Iterator[AddFrame]:
    """Open the named formats for writing frames of a source, at `fps` unless it states times.

    Yields a function that adds a frame to all of them. Their files appear in `folder` only if the
    block ends without an error.
    """
    with contextlib.ExitStack() as stack:
        formats = [OUTPUTS[name] for name in names]
        adders = [stack.enter_context(f.open(folder / f.file, source, fps)) for f in formats]

        def add(frame: Frame, mask: np.ndarray) -> None:
            picture = overlay(frame.picture, mask)
            for add_overlay in adders:
                add_overlay(frame, mask, picture)

        yield add
