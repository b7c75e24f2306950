"""Videos with ground truth for every frame, and following their objects with masks of one's choice.

Legend: H W size of the video, h w what the network sees.
"""

from typing import NamedTuple

import numpy as np
import torch

from dataset.benchmarks import at_480p, davis_tree, davis_video, read_list
from dataset.sizes import resize_image, resize_mask, scaled
from inference_core import InferenceCore, load_for_inference
from model.confidence import confidence
from scripts.followers import open_clip
from util.device import configure_torch
from util.errors import UserError
from util.images import read_image
from util.masks import load_foreground, load_mask
from util.options import choose_model
from util.scores import mean_score, score_masks


class Recording(NamedTuple):
    """The frames of one video, in memory."""

    name: str
    images: list  # (3, h, w) float32
    masks: list  # h, w uint8 of ids: the ground truth as the network sees it
    ground_truth: list  # H, W uint8 of ids


def find(davis, list_name, names, clips):
    """Videos of a DAVIS tree (None for none), and clips, as pairs: a BenchmarkVideo, its union.

    The union says whether all ids count as one object. names: only these of the list, or None.
    """
    found = []
    if davis:
        tree = davis_tree(davis, 'trainval')
        images, annotations = at_480p(tree / 'JPEGImages'), at_480p(tree / 'Annotations')
        listed = read_list(tree / 'ImageSets' / '2017' / f'{list_name}.txt')
        if unknown := set(names or ()) - set(listed):
            raise UserError(f'--videos {min(unknown)}: not in {list_name}.txt')
        names = [name for name in listed if not names or name in names]
        found = [(davis_video(name, images, annotations, True), False) for name in names]
    return found + [tuple(open_clip(folder)) for folder in clips]


def open_network(options):
    configure_torch()
    return load_for_inference(choose_model(options.model), options.device)


def read(found, short_side, max_frames):
    """Read at most so many frames of a video and its union (see `find`), evenly spaced."""
    video, union = found
    step = -(-len(video.frames) // max_frames)
    load = load_foreground if union else load_mask
    images, masks, ground_truth = [], [], []
    for frame in video.frames[::step]:
        picture = torch.from_numpy(read_image(frame, 8)).permute(2, 0, 1).float() / 255
        size = scaled(picture.shape[1:], short_side)
        mask = load(video.ground_truth[f'{frame.stem}.png'])
        images.append(resize_image(picture, size))
        masks.append(resize_mask(torch.from_numpy(mask), size).numpy())
        ground_truth.append(mask)
    return Recording(video.name, images, masks, ground_truth)


class Followed(NamedTuple):
    """What was found in one frame."""

    mask: np.ndarray  # H, W uint8 of ids
    confidence: dict[int, float]  # by object id; see model.confidence


def follow(network, recording, given, references=()):
    """Follow the objects through a recording; returns what was Followed in each frame.

    given: the frames whose ground truth is given on the way; references: those whose ground truth
    is in memory from the start. Frames count from 0.
    """
    core = InferenceCore(network)
    for t in references:
        core.memorize(recording.images[t], recording.masks[t])
    found = []
    for t, image in enumerate(recording.images):
        prob = core.step(image, recording.masks[t] if t in given else None, whole=True)
        mask = core.to_mask(prob, recording.ground_truth[t].shape)
        found.append(Followed(mask, confidence(prob, core.object_ids)))
    return found


def jf(recording, found, leave_out=()):
    """The mean J&F over the objects of a recording.

    Its first and its last frame are not scored, nor those to leave out.
    """
    chosen = [t for t in range(1, len(found) - 1) if t not in leave_out]
    pairs = ((recording.ground_truth[t], found[t].mask) for t in chosen)
    return mean_score(score_masks(pairs).values()).jf
