"""What propagate.py writes besides masks and run.json: one entry of OUTPUTS for each format."""

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

SOUND_CODECS = {'aac', 'ac3', 'alac', 'eac3', 'flac', 'mp2', 'mp3', 'opus'}  # that an MP4 can hold
AddFrame = Callable[[Frame, np.ndarray], None]  # frame, its mask (H, W); in the order of time
AddOverlay = Callable[[Frame, np.ndarray, np.ndarray], None]  # the mask over the picture, too


@contextlib.contextmanager
def overlay_video(path: Path, source: Source, fps: float) -> Iterator[AddOverlay]:
    with contextlib.ExitStack() as stack:
        video = VideoFormat(source.size, fps)
        if isinstance(source, VideoFile):
            sound = stack.enter_context(source.open_sound(SOUND_CODECS))
            video = VideoFormat(source.size, fps, source.pixel_shape, source.time_base, sound)
        writer = stack.enter_context(OverlayVideo(stack.enter_context(atomic_write(path)), video))
        yield lambda frame, mask, picture: writer.add(picture, source.times.get(frame.index))


@contextlib.contextmanager
def contact_sheet(path: Path, source: Source, fps: float) -> Iterator[AddOverlay]:
    sheet = ContactSheet()
    yield lambda frame, mask, picture: sheet.add(picture, frame.name)
    sheet.save(path)


class Output(NamedTuple):
    """A format: the file or folder it becomes, and how to open it."""

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
    """Open these formats for frames of a source, of which `fps` are added for each second.

    Yields a function that adds a frame to all of them. Their files appear in `folder` only if
    everything inside the block went well.
    """
    with contextlib.ExitStack() as stack:
        formats = [OUTPUTS[name] for name in names]
        adders = [stack.enter_context(f.open(folder / f.file, source, fps)) for f in formats]

        def add(frame: Frame, mask: np.ndarray) -> None:
            picture = overlay(frame.picture, mask)
            for add_overlay in adders:
                add_overlay(frame, mask, picture)

        yield add
