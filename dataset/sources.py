"""Where pictures come from: an image folder, a video file, a camera. Read lazily, in threads.

A source has `names` (None for a camera), `size` (height, width), `fps`,
`num_workers` and `jobs(indices)`: callables that each give the next picture, uint8 (H, W, 3) RGB,
or None once there are no more.
"""

import contextlib
from functools import partial
from pathlib import Path

import av
import cv2
import numpy as np
from PIL import Image

from dataset.containers import check_whole
from util.errors import UserError
from util.files import list_files, whole_file
from util.images import MAX_PIXELS, SUFFIXES, check_pixels, image_size, read_image

# FFmpeg reads much else for a video: a text as a picture of it, a list of other files to join
CONTAINERS = (
    'mov,matroska,webm,avi,flv,gif,mpegts,mpeg,mpegvideo,m4v,h264,hevc,ivf,ogg,asf,mxf,nut,rm,dv,'
    'wtv,yuv4mpegpipe,wav,mp3,flac,aac'
)
REMEDY = 'get the whole file, or re-encode what there is'
MAX_CAMERAS = 1000
MAX_FPS = 240  # containers without a frame rate state their clock instead, such as 1000
MAX_UNDECODED = 16  # frames; as many B frames can follow the cut that took their reference


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

    Its packets are counted first: a frame each. A few more than frames may be counted, such as
    leading ones that refer to frames before the start; the decoder has the last word.
    """

    num_workers = 1  # one decoder

    def __init__(self, path):
        self.path = path
        check_whole(path)
        with self._open() as (container, stream):
            first = next(container.decode(stream), None)
            if first is None:
                raise UserError(f'{path}: no frame can be decoded; {REMEDY}')
            self.size = upright(first).shape[:2]
        num_frames, self.fps = self._count()
        digits = max(5, len(str(num_frames)))
        self.names = [f'{index:0{digits}}' for index in range(num_frames)]

    @contextlib.contextmanager
    def _open(self):
        """Container and video stream, closed at the end; errors become UserError."""
        try:
            # file: for names with a colon, which would be of a protocol
            with av.open(
                f'file:{self.path}', container_options={'format_whitelist': CONTAINERS}
            ) as container:
                streams = [s for s in container.streams.video if not is_cover(s)]
                if not streams:
                    raise UserError(f'{self.path}: holds no video stream; give another file')
                check_pixels(self.path, (streams[0].width, streams[0].height))
                streams[0].codec_context.options = {'max_pixels': str(MAX_PIXELS)}
                yield container, streams[0]
        except (av.FFmpegError, OSError) as error:
            reason = f'cannot be read as a video ({error.strerror})'
            raise UserError(f'{self.path}: {reason}; {REMEDY}') from error

    def _count(self):
        """-> the number of frames to be shown, and how many of them a second has."""
        times = []
        with self._open() as (container, stream):
            for packet in container.demux(stream):
                if packet.is_corrupt:
                    raise UserError(
                        f'{self.path}: cut off or damaged after {len(times)} frames; {REMEDY}'
                    )
                if packet.size and not packet.is_discard and is_shown(packet, stream):
                    times.append(packet.pts)
            fps = float(stream.average_rate or 0)
            known = [time for time in times if time is not None]
            span = max(known, default=0) - min(known, default=0)
            if span and not 0 < fps <= MAX_FPS:
                fps = (len(known) - 1) / float(span * stream.time_base)
        return len(times), fps or 25.0

    def jobs(self, indices):
        pictures = self._decode(list(indices))
        while True:
            yield partial(next, pictures, None)

    def _decode(self, indices):
        assert indices == sorted(indices), 'a video file is read forward; unpack it first'
        wanted = set(indices)
        number = 0
        with self._open() as (container, stream):
            stream.thread_type = 'AUTO'
            try:
                for number, frame in enumerate(container.decode(stream), 1):
                    if number - 1 in wanted:
                        picture = upright(frame)
                        check_size(f'{self.path}, frame {number - 1}', picture.shape[:2], self.size)
                        wanted.discard(number - 1)
                        yield picture
                    if not wanted:
                        return
            except av.FFmpegError as error:
                reason = f'damaged after {number} frames ({error.strerror})'
                raise UserError(f'{self.path}: {reason}; {REMEDY}') from error
        if len(self.names) - number > min(MAX_UNDECODED, len(self.names) // 4):
            missing = f'only {number} of {len(self.names)} frames can be decoded'
            raise UserError(f'{self.path}: {missing}; {REMEDY}')


def is_cover(stream):
    """Whether this is the picture that comes with a song."""
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def is_shown(packet, stream):
    """Whether a packet holds a frame to show; VP8 also has such as are only referred to."""
    return stream.codec_context.name != 'vp8' or bool(memoryview(packet)[0] & 0x10)


def upright(frame):
    """A decoded frame -> uint8 (H, W, 3), turned as the file's rotation flag says."""
    turns = round(frame.rotation / 90)  # counterclockwise
    return np.ascontiguousarray(np.rot90(frame.to_ndarray(format='rgb24'), turns))


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
            with whole_file(files[index]) as part:
                Image.fromarray(picture).save(part, format='PNG', compress_level=1)
    unpacked = ImageFolder(list(files.values()))
    unpacked.names, unpacked.files, unpacked.fps = source.names, files, source.fps
    return unpacked
