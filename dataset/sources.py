"""Where the frames of a video come from: an image folder, a video file or a camera.

Frames are read lazily, in threads, as uint8 arrays (H, W, 3), RGB.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from PIL import Image

from dataset.layout import left_out, list_images
from dataset.sizes import Size, check_size
from dataset.video_file import VideoFile
from util.errors import UserError
from util.files import atomic_write
from util.images import SUFFIXES, bits_used, image_size, read_image

ReadJob = Callable[[], np.ndarray | None]
MAX_CAMERAS = 1000


class Source(Protocol):
    """The source of the frames of a `dataset.video.Video`.

    Attributes:
        size: (height, width) of every frame.
        pixel_shape: width of a pixel divided by its height.
        names: one per frame; empty for a live source, whose frames are not known in advance.
        num_workers: how many threads may read at once.
        notes: messages for the user; reading may add to them.
        times: frame index -> when it is shown, in seconds, if the source states it; known once the
            frame has been read.
    """

    size: Size
    pixel_shape: Fraction
    fps: float
    names: Sequence[str]
    num_workers: int
    is_live: bool
    notes: Sequence[str]

    @property
    def times(self) -> Mapping[int, Fraction]: ...

    def jobs(self, indices: Iterable[int]) -> Iterator[ReadJob]:
        """Callables that each return the next of these frames, or None once there are no more."""


def open_source(spec: str | Path, mask: str | Path | None = None) -> Source:
    """Open a folder of images, a video file or the number of a camera. Raises UserError.

    mask: a file that is not a frame even if it lies in that folder.
    """
    path, mask = Path(spec), mask and Path(mask)
    if path.is_dir():
        if mask and mask.is_dir() and mask.samefile(path):
            raise UserError(f'{path}: holds frames and masks; move the masks to another folder')
        source = ImageFolder(list_images(path, mask or None))
        source.notes = [*left_out(path), *source.notes]
        return source
    if path.is_file():
        if path.suffix.lower() in SUFFIXES:
            raise UserError(f'{path}: a single image; give a video, or a folder of images')
        return VideoFile(path)
    if str(spec).isdecimal() and int(str(spec)) < MAX_CAMERAS:
        return Camera(int(str(spec)))
    raise UserError(
        f'{spec}: no such file or folder; give a video, an image folder or a camera number'
    )


class ImageFolder:
    """Images as frames, named after their files. Headers are checked at once, pixels when read."""

    is_live = False
    num_workers = 2
    times: Mapping[int, Fraction] = {}
    pixel_shape = Fraction(1)

    def __init__(self, files: Sequence[Path], fps: float = 24.0) -> None:
        """fps: images do not state a rate; the default is that of DAVIS."""
        self.files = dict(enumerate(files))
        self.num_bits = bits_used(files) or 16
        self.notes: Sequence[str] = ()  # messages for the user
        if self.num_bits < 16:
            folder = files[0].parent
            self.notes = [
                f'{folder}: its 16-bit images use only {self.num_bits} bits and are scaled up'
            ]
        self.names: Sequence[str] = [file.stem for file in files]
        self.fps = fps
        self.size = image_size(files[0])
        for file in files[1:]:
            check_size(file, image_size(file), self.size)

    def jobs(self, indices: Iterable[int]) -> Iterator[ReadJob]:
        return (partial(self._read, self.files[index]) for index in indices)

    def _read(self, file: Path) -> np.ndarray:
        picture = read_image(file, self.num_bits)
        check_size(file, picture.shape[:2], self.size)
        return picture


class Camera:
    """A live camera, read until it delivers no more frames."""

    is_live = True
    names: Sequence[str] = ()
    notes: Sequence[str] = ()
    times: Mapping[int, Fraction] = {}
    pixel_shape = Fraction(1)
    num_workers = 1

    def __init__(self, number: int) -> None:
        self.number = number
        self.capture = cv2.VideoCapture(number)
        picture = self._read()
        if picture is None:
            raise UserError(f'camera {number}: delivers no image; is it connected, and not in use?')
        self.size: Size = picture.shape[:2]
        self.fps = self.capture.get(cv2.CAP_PROP_FPS) or 25.0

    def jobs(self, indices: Iterable[int]) -> Iterator[ReadJob]:
        at = 0
        for index in indices:
            yield partial(self._read, skip=index - at)
            at = index + 1

    def _read(self, skip: int = 0) -> np.ndarray | None:
        for _ in range(skip):
            self.capture.grab()
        found, picture = self.capture.read()
        return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB) if found else None


def unpack(source: VideoFile, indices: Iterable[int], folder: Path) -> ImageFolder:
    """Write frames of a video file as lossless images, so that they can be read in any order.

    Returns a source with the names of `source`, which can only read these indices. Images written
    by an earlier call are kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    indices = sorted(indices)
    files = {index: folder / f'{source.names[index]}.png' for index in indices}
    if not all(file.exists() for file in files.values()):
        for index, job in zip(indices, source.jobs(indices), strict=False):
            picture = job()
            if picture is None:
                raise UserError(
                    f'{source.path}: frame {source.names[index]} cannot be decoded; leave it out, '
                    'or re-encode the file'
                )
            with atomic_write(files[index]) as part:
                Image.fromarray(picture).save(part, format='PNG', compress_level=1)
    unpacked = ImageFolder(list(files.values()), source.fps)
    unpacked.names, unpacked.files = source.names, files
    unpacked.pixel_shape = source.pixel_shape
    return unpacked
