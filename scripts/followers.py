"""Two ways to follow objects without a network; they step like InferenceCore."""

import cv2
import numpy as np


class Copy:
    """The first mask for every frame. What it calls prob is the mask itself."""

    mask = None

    def step(self, image, mask=None, object_ids=None):
        if mask is not None:
            mask = np.asarray(mask, np.uint8)
            self.mask = mask if self.mask is None else np.where(mask > 0, mask, self.mask)
        return self.mask

    def to_mask(self, mask, size):
        return cv2.resize(mask, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)


class Flow(Copy):
    """The mask of the frame before, carried along the optical flow."""

    def __init__(self):
        self.flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self.before = None

    def step(self, image, mask=None, object_ids=None):
        image = (image.permute(1, 2, 0) * 255).round().byte().numpy()
        grey = image @ np.float32([0.299, 0.587, 0.114])
        grey = grey.round().astype(np.uint8)
        if self.before is not None:
            self.mask = carry(self.mask, self.flow.calc(grey, self.before, None))
        self.before = grey
        return super().step(image, mask, object_ids)


def carry(mask, flow):
    """mask (H, W) of the frame before, flow (H, W, 2) from this frame to it -> mask (H, W)."""
    y, x = np.mgrid[: mask.shape[0], : mask.shape[1]].astype(np.float32)
    ids = np.unique(mask)
    shares = [
        cv2.remap((mask == i).astype(np.float32), x + flow[..., 0], y + flow[..., 1], 1)
        for i in ids
    ]
    return ids[np.argmax(shares, 0)]
