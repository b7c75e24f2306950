"""Three ways to follow objects, and their scores: a network, optical flow, and a copied mask."""

import tempfile
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from dataset.benchmarks import BenchmarkVideo, davis_2017
from dataset.layout import list_frames, list_masks
from inference_core import InferenceCore, load_for_inference
from util.device import configure_torch
from util.errors import UserError
from util.evaluation.run import segment_video
from util.options import choose_model
from util.run_info import Stopwatch
from util.scores import mean_score, score_video


class ScoredVideo(NamedTuple):
    """A video, and whether all its ids count as one object."""

    video: BenchmarkVideo
    union: bool


class Copy:
    """Gives every frame the first mask. Used like InferenceCore; its `prob` is the mask itself."""

    mask = None

    def step(self, image, mask=None, object_ids=None, *, whole=False):
        if mask is not None:
            mask = np.asarray(mask, np.uint8)
            is_drawn = self.mask is None or whole
            self.mask = mask if is_drawn else np.where(mask > 0, mask, self.mask)
        return self.mask

    def to_mask(self, mask, size):
        return cv2.resize(mask, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)


class Flow(Copy):
    """Warps the mask of the previous frame along the optical flow."""

    def __init__(self):
        self.flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self.previous = None  # the previous frame in grey, uint8 (H, W)

    def step(self, image, mask=None, object_ids=None, *, whole=False):
        image = (image.permute(1, 2, 0) * 255).round().byte().numpy()
        grey = image @ np.float32([0.299, 0.587, 0.114])
        grey = grey.round().astype(np.uint8)
        if self.previous is not None:
            self.mask = warp(self.mask, self.flow.calc(grey, self.previous, None))
        self.previous = grey
        return super().step(image, mask, object_ids, whole=whole)


def warp(mask, flow):
    """Carry a mask of ids (H, W) to a frame; flow (H, W, 2) leads from there to the mask."""
    y, x = np.mgrid[: mask.shape[0], : mask.shape[1]].astype(np.float32)
    ids = np.unique(mask)
    shares = [
        cv2.remap((mask == i).astype(np.float32), x + flow[..., 0], y + flow[..., 1], 1)
        for i in ids
    ]
    return ids[np.argmax(shares, 0)]


def open_videos(davis, clips, short_side):
    """The validation videos of a DAVIS 2017 tree, if one is given, and clips, as ScoredVideos."""
    found = [ScoredVideo(video, False) for video in (davis_2017(davis) if davis else [])]
    found += [open_clip(folder) for folder in clips]
    names = [video.name for video, _ in found]
    for name in names:
        if names.count(name) > 1:
            raise UserError(
                f'two videos with the name {name}: give --clip another name, or leave one out'
            )
    return [ScoredVideo(video._replace(short_side=short_side), union) for video, union in found]


def open_clip(folder):
    """A folder of images/ and masks/ as a ScoredVideo.

    masks/ holds the ground truth of every frame. Where only that of the union of the objects is
    known, it lies in masks_binary_gt/, and masks/ holds the objects of the first frame.
    """
    frames, masks = list_frames(folder / 'images'), list_masks(folder / 'masks')
    union = (folder / 'masks_binary_gt').is_dir()
    ground_truth = list_masks(folder / 'masks_binary_gt') if union else masks
    names = [frame.stem for frame in frames]
    if masks[0].stem != names[0] or [path.stem for path in ground_truth] != names:
        raise UserError(f'{folder}: the first frame needs a mask, and every frame its ground truth')
    by_name = {path.name: path for path in ground_truth}
    video = BenchmarkVideo(folder.resolve().name, frames, {0: masks[0]}, by_name, names)
    return ScoredVideo(video, union)


def score_all(videos, network_options, *, amp):
    """Scores of each way of following: way -> video -> J&F, J and F, means over its objects."""
    configure_torch()
    model = choose_model(network_options.model)
    network = load_for_inference(model, network_options.device)
    ways = {'network': partial(InferenceCore, network, amp=amp), 'flow': Flow, 'copy': Copy}
    scores = {}
    for way, new_core in ways.items():
        scores[way] = {}
        for video, union in videos:
            with tempfile.TemporaryDirectory() as folder:
                segment_video(video, new_core(), Stopwatch(network.device), Path(folder))
                found = score_video(video.ground_truth, Path(folder) / video.name, binary=union)
            mean = mean_score(found.values())
            scores[way][video.name] = {'J&F': mean.jf, 'J': mean.j, 'F': mean.f}
    return scores
