"""Thin-plate-spline warps: a picture bent like a sheet of metal that is pushed at a few points."""

from typing import NamedTuple

import cv2
import numpy as np
from tps import ThinPlateSpline

from dataset.transforms import fill, interpolation

NUM_POINTS = 12
SPREAD = 0.02  # standard deviation of their motion, as a share of the sides
STRIP = 32  # rows at a time, so that intermediate results stay in the cache


class ThinPlateWarp(NamedTuple):
    """Takes what was at `points` to `moved`; both (N, 2) in x, y shares of the sides."""

    points: np.ndarray
    moved: np.ndarray

    @classmethod
    def sample(cls, rng):
        points = rng.random((NUM_POINTS, 2))
        return cls(points, points + rng.normal(scale=SPREAD, size=points.shape))

    def source(self, height, width):
        """Where in the picture each pixel of the result comes from: float32 (2, H, W), x and y.

        The package's `transform` of every pixel, to 0.05 pixels, in a tenth of its time. A coarse
        grid is no way to get there: between two points that lie close to each other and move
        apart, a grid of every 2nd pixel already errs by a pixel.
        """
        spline = ThinPlateSpline().fit(self.moved, self.points)
        weights = spline.parameters.astype(np.float32)  # of the N kernels, then of 1, x and y
        x = ((np.arange(width) + 0.5) / width).astype(np.float32)
        y = ((np.arange(height) + 0.5) / height).astype(np.float32)
        at_x, at_y = (self.moved[:, i : i + 1].astype(np.float32) for i in (0, 1))
        dx, dy = (x - at_x) ** 2 + np.float32(1e-12), (y - at_y) ** 2  # never log(0)
        num = len(self.moved)
        half = weights[:num].T / 2  # 2, N; as r^2 log(r) = r^2 log(r^2) / 2
        out = np.empty((2, height, width), np.float32)
        for top in range(0, height, STRIP):
            squared = dx[:, None, :] + dy[:, top : top + STRIP, None]  # N, strip, W
            squared = squared.reshape(num, -1)
            bent = half @ (squared * cv2.log(squared))
            out[:, top : top + STRIP] = bent.reshape(2, -1, width)
        one, along_x, along_y = weights[num:, :, None, None]
        out += one + along_x * x + along_y * y[:, None]
        return out * np.float32([[[width]], [[height]]]) - np.float32(0.5)

    def __call__(self, *pictures):
        """Images and masks of one size -> the same, warped."""
        x, y = self.source(*pictures[0].shape[:2])
        return tuple(
            cv2.remap(picture, x, y, interpolation(picture), borderValue=fill(picture))
            for picture in pictures
        )
