"""Training samples, from files to tensors. Legend: T = 3 frames, K objects, H W the crop."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TypedDict

import cv2
import numpy as np
import torch

from util.errors import UserError
from util.images import image_size, read_image
from util.masks.codes import VOID

NUM_FRAMES = 3


class Sample(TypedDict):
    """What training takes: a dict, so that a DataLoader can make batches of it."""

    frames: torch.Tensor  # (T, 3, H, W) float32 in [0, 1]
    masks: torch.Tensor  # (T, H, W) int64, from 0 (background) to K, or VOID
    valid: torch.Tensor  # (K,) float32, 1 for each object that the sample has; these come first
    name: str  # the files that it was made of


class RawSample(NamedTuple):
    """The augmented frames of a sample, with the ids of their files."""

    images: list[np.ndarray]  # T of uint8 (H, W, 3)
    masks: list[np.ndarray]  # T of uint8 (H, W); VOID where nobody labelled a pixel
    name: str


def read_image_fast(path: Path) -> np.ndarray:
    """Like `read_image`, uint8 (H, W, 3) RGB, but three times as fast for an intact JPEG."""
    image_size(path)  # rejects pipes and decompression bombs, for which OpenCV's limit is too high
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise UserError(f'{path}: cannot be read ({error.strerror})') from error
    # OpenCV would fill the missing part of a truncated file with grey and only print a warning
    if data[:2].tobytes() == b'\xff\xd8' and data[-2:].tobytes() == b'\xff\xd9':
        image = cv2.imdecode(data, cv2.IMREAD_COLOR)
        if image is not None:
            return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    return read_image(path)


def make_sample(raw: RawSample, ids: Sequence[int], num_objects: int) -> Sample:
    """Turn frames into tensors; the given ids, `num_objects` at most, become objects 1, 2, ...

    VOID stays, the others become background.
    """
    object_of_id = np.zeros(256, np.int64)
    object_of_id[VOID] = VOID
    object_of_id[list(ids)] = range(1, len(ids) + 1)
    valid = torch.zeros(num_objects)
    # a sample without objects marks object 1 valid, with an empty mask, as the published code does
    valid[: max(1, len(ids))] = 1
    frames = np.stack([cv2.split(image) for image in raw.images])  # T, 3, H, W
    return {
        'frames': torch.from_numpy(frames).float().div_(255),
        'masks': torch.from_numpy(object_of_id[np.stack(raw.masks)]),
        'valid': valid,
        'name': raw.name,
    }
