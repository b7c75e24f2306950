"""Clips on disk: a folder with images/ and masks/, one PNG per frame, or the images as a video."""

import av
import numpy as np
from PIL import Image

from tests.helpers import stand_in
from util.masks import save_mask


def write_clip(folder, images, masks):
    """Write images and masks as NNNNN.png below `folder`, and return it."""
    for name in ('images', 'masks'):
        (folder / name).mkdir(parents=True)
    for number, (image, mask) in enumerate(zip(images, masks, strict=True)):
        Image.fromarray(np.asarray(image)).save(folder / 'images' / f'{number:05}.png')
        save_mask(folder / 'masks' / f'{number:05}.png', mask)
    return folder


def make_clip(folder, num_frames=8):
    """Write a clip of two moving boxes, 48 x 32 pixels, and return its folder."""
    return write_clip(folder, *stand_in.clip(num_frames, 32, 48))


def draw_masks(folder, ids_by_frame):
    """Write masks of 48 x 32 pixels, and return their folder.

    {0: [1], 5: [2]} draws object 1 on frame 0 and object 2 on frame 5.
    """
    folder.mkdir()
    for number, ids in ids_by_frame.items():
        mask = np.zeros((32, 48), np.uint8)
        for i in ids:
            mask[4 * i : 4 * i + 10, 8 * i + number : 8 * i + number + 12] = i
        save_mask(folder / f'{number:05}.png', mask)
    return folder


def make_video(clip, path, fps=10):
    """Encode the images of a clip (48 x 32) as a lossless video, and return its path."""
    with av.open(str(path), 'w', format='matroska') as container:
        stream = container.add_stream('ffv1', rate=fps)
        stream.width, stream.height, stream.pix_fmt = 48, 32, 'bgr0'
        for image in sorted((clip / 'images').iterdir()):
            frame = av.VideoFrame.from_ndarray(np.array(Image.open(image)), format='rgb24')
            container.mux(stream.encode(frame.reformat(format='bgr0')))
        container.mux(stream.encode())
    return path


def frame_names(numbers):
    """The names of these frames: 00003 for 3."""
    return [f'{number:05}' for number in numbers]
