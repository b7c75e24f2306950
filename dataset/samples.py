"""From files to samples for training. Legend: T = 3 frames, K objects, H W the crop.

A sample is a dict: frames, float32 (T, 3, H, W) in [0, 1]; masks, int64 (T, H, W) of 0 (background)
to K; valid, float32 (K,), 1 where the sample has that object, filled from the first; name, the
files that it was made of.
"""

import cv2
import numpy as np
import torch

from util.errors import UserError
from util.images import image_size, read_image

NUM_FRAMES = 3


def read_picture(path):
    """-> uint8 (H, W, 3) RGB; like `read_image`, in a third of its time if it is a whole JPEG."""
    image_size(path)  # raises UserError for a bomb, of which OpenCV reads more, and for a pipe
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise UserError(f'{path}: cannot be read ({error.strerror})') from error
    # OpenCV would decode the rest of a file that is cut off as grey, with no more than a warning
    if data[:2].tobytes() == b'\xff\xd8' and data[-2:].tobytes() == b'\xff\xd9':
        image = cv2.imdecode(data, cv2.IMREAD_COLOR)
        if image is not None:
            return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    return read_image(path)


def make_sample(images, masks, ids, num_objects, name):
    """T images uint8 (H, W, 3), T masks (H, W), up to K of the ids in them -> a sample."""
    number_of = np.zeros(256, np.int64)
    number_of[list(ids)] = range(1, len(ids) + 1)
    valid = torch.zeros(num_objects)
    # without an object, as published: the first one is there and nowhere to be seen
    valid[: max(1, len(ids))] = 1
    frames = np.stack([cv2.split(image) for image in images])  # T, 3, H, W
    return {
        'frames': torch.from_numpy(frames).float().div_(255),
        'masks': torch.from_numpy(number_of[np.stack(masks)]),
        'valid': valid,
        'name': name,
    }
