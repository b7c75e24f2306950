"""Where pictures come from: an image folder, a video file, a camera. Read lazily, in threads.

A source has `names` (None for a camera), `size` (height, width), `fps`,
`num_workers` and `jobs(indices)`: callables that each give the next picture, uint8 (H, W, 3) RGB,
or None once there are no more.
"""

from functools import partial
from pathlib import Path

import cv2
from PIL import Image

from dataset.layout import list_images
from dataset.sizes import check_size
from dataset.video_file import VideoFile
from util.errors import UserError
from util.files import atomic_write
from util.images import SUFFIXES, image_size, read_image

MAX_CAMERAS = 1000


def open_source(spec):
    """A folder of images, a video file or a camera number -> source. Raises UserError."""
    path = Path(spec)
    if path.is_dir():
        return ImageFolder(list_images(path))
    if path.is_file():
        if path.suffix.lower() in SUFFIXES:
            raise UserError(f'{path}: a single picture; give a video or the folder of all pictures')
        return VideoFile(path)
    if str(spec).isdecimal() and int(spec) < MAX_CAMERAS:
        return Camera(int(spec))
    raise UserError(f'{spec}: no such file or folder; give a video, a folder of images or a camera')


class ImageFolder:
    """Images as frames, named by their files. Headers are checked at once, pixels when read."""

    fps = 24.0  # of DAVIS; images do not say
    num_workers = 2

    def __init__(self, files):
        self.files = files
        self.names = [file.stem for file in files]
        self.size = image_size(files[0])
        for file in files[1:]:
            check_size(file, image_size(file), self.size)

    def jobs(self, indices):
        return (partial(self._read, self.files[index]) for index in indices)

    def _read(self, file):
        picture = read_image(file)
        check_size(file, picture.shape[:2], self.size)
        return picture


class Camera:
    """A live camera; ends when it gives no more frames."""

    names = None
    num_workers = 1

    def __init__(self, number):
        self.number = number
        self.capture = cv2.VideoCapture(number)
        picture = self._read()
        if picture is None:
            raise UserError(f'camera {number}: gives no picture; is it connected and free?')
        self.size = picture.shape[:2]
        self.fps = self.capture.get(cv2.CAP_PROP_FPS) or 25.0

    def jobs(self, indices):
        at = 0
        for index in indices:
            yield partial(self._read, skip=index - at)
            at = index + 1

    def _read(self, skip=0):
        for _ in range(skip):
            self.capture.grab()
        found, picture = self.capture.read()
        return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB) if found else None


def unpack(source, indices, folder):
    """The frames of a video file as lossless images in `folder` -> a source with the same names."""
    folder.mkdir(parents=True, exist_ok=True)
    indices = sorted(indices)
    files = {index: folder / f'{source.names[index]}.png' for index in indices}
    if not all(file.exists() for file in files.values()):
        for index, job in zip(indices, source.jobs(indices), strict=False):
            picture = job()
            if picture is None:
                missing = f'frame {source.names[index]} cannot be decoded'
                raise UserError(f'{source.path}: {missing}; leave it out, or re-encode the file')
            with atomic_write(files[index]) as part:
                Image.fromarray(picture).save(part, format='PNG', compress_level=1)
    unpacked = ImageFolder(list(files.values()))
    unpacked.names, unpacked.files, unpacked.fps = source.names, files, source.fps
    return unpacked
