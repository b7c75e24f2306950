"""Where pictures come from: an image folder, a video file, a camera. Read lazily, in threads.

A source has `names` (None for a camera), `size` (height, width), `fps`,
`num_workers` and `jobs(indices)`: callables that each give the next picture, uint8 (H, W, 3) RGB,
or None once there are no more.
"""

from functools import partial
from pathlib import Path

import av
import cv2
import numpy as np
from PIL import Image

from util.errors import UserError
from util.files import list_files, whole_file
from util.images import SUFFIXES, image_size, read_image


def open_source(spec):
    """A folder of images, a video file or a camera number -> source. Raises UserError."""
    path = Path(spec)
    if path.is_dir():
        return ImageFolder(list_images(path))
    if path.is_file():
        return VideoFile(path)
    if str(spec).isdigit():
        return Camera(int(spec))
    raise UserError(f'{spec}: no such file or folder; give a video, a folder of images or a camera')


def list_images(folder):
    files = list_files(folder, SUFFIXES)
    if not files:
        raise UserError(f'{folder}: no images in it ({", ".join(SUFFIXES)})')
    return files


def check_size(what, size, expected):
    if size != expected:
        sizes = f'{size[1]}x{size[0]}, the first frame is {expected[1]}x{expected[0]}'
        raise UserError(f'{what}: {sizes}; all frames of a video must have one size')


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


class VideoFile:
    """A video file, decoded in order. Frames are named by their number, 00000 the first.

    Its packets are counted first, so that a cut file is told before work starts. The count may
    exceed the number of frames (a packet can hold none to show); the decoder has the last word.
    """

    num_workers = 1  # one decoder

    def __init__(self, path):
        self.path = path
        num_frames, self.fps, self.size = self._probe()
        digits = max(5, len(str(num_frames)))
        self.names = [f'{index:0{digits}}' for index in range(num_frames)]

    def _probe(self):
        try:
            with av.open(str(self.path)) as container:
                if not container.streams.video:
                    raise UserError(f'{self.path}: holds no video stream')
                stream = container.streams.video[0]
                first = next(container.decode(stream), None)
                if first is None:
                    raise UserError(f'{self.path}: no frame can be decoded')
                size, fps, promised = upright(first).shape[:2], stream.average_rate, stream.frames
            with av.open(str(self.path)) as container:
                packets = [p for p in container.demux(video=0) if p.size and not p.is_discard]
                corrupt = [p.is_corrupt for p in packets]
        except (av.FFmpegError, OSError) as error:
            raise UserError(f'{self.path}: cannot be read as a video ({error.strerror})') from error
        if any(corrupt) or len(packets) < promised:
            whole = corrupt.index(True) if any(corrupt) else len(packets)
            raise UserError(
                f'{self.path}: cut off after {whole} of {max(promised, len(packets))} frames; '
                'get the whole file, or re-encode what there is'
            )
        return len(packets), float(fps or 25), size

    def jobs(self, indices):
        pictures = self._decode(list(indices))
        while True:
            yield partial(next, pictures, None)

    def _decode(self, indices):
        assert indices == sorted(indices), 'a video file is read forward; unpack it first'
        wanted = set(indices)
        try:
            with av.open(str(self.path)) as container:
                container.streams.video[0].thread_type = 'AUTO'
                for index, frame in enumerate(container.decode(video=0)):
                    if index in wanted:
                        picture = upright(frame)
                        check_size(f'{self.path}, frame {index}', picture.shape[:2], self.size)
                        wanted.discard(index)
                        yield picture
                    if not wanted:
                        return
        except av.FFmpegError as error:
            index = min(wanted)
            raise UserError(f'{self.path}: frame {index} is damaged ({error.strerror})') from error


def upright(frame):
    """A decoded frame -> uint8 (H, W, 3), turned as the file's rotation flag says."""
    return np.ascontiguousarray(np.rot90(frame.to_ndarray(format='rgb24'), frame.rotation // 90))


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
        return (self._read for _ in indices)

    def _read(self):
        found, picture = self.capture.read()
        return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB) if found else None


def unpack(source, indices, folder):
    """The frames of a video file as lossless images in `folder` -> a source with the same names."""
    folder.mkdir(parents=True, exist_ok=True)
    indices = sorted(indices)
    files = {index: folder / f'{source.names[index]}.png' for index in indices}
    if not all(file.exists() for file in files.values()):
        for index, job in zip(indices, source.jobs(indices), strict=False):
            if (picture := job()) is not None:
                with whole_file(files[index]) as part:
                    Image.fromarray(picture).save(part, format='PNG', compress_level=1)
    unpacked = ImageFolder([file for file in files.values() if file.exists()])
    unpacked.names, unpacked.files, unpacked.fps = source.names, files, source.fps
    return unpacked
