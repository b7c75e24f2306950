"""Thin-plate-spline warps: an image bent like a sheet of metal that is pushed at a few points."""

from typing import NamedTuple

import cv2
import numpy as np
from tps import ThinPlateSpline

from dataset.transforms import fill, interpolation

NUM_POINTS = 12
SPREAD = 0.02  # standard deviation of the points' motion, as a share of the sides
STRIP = 32  # rows computed at a time, so that intermediate results stay in the cache


class ThinPlateWarp(NamedTuple):
    """Moves what was at `points` to `moved`; both (N, 2), x and y as shares of the sides."""

    points: np.ndarray
    moved: np.ndarray

    @classmethod
    def sample(cls, rng: np.random.Generator) -> 'ThinPlateWarp':
        """Draw points anywhere, and a small motion of each."""
        points = rng.random((NUM_POINTS, 2))
        return cls(points, points + rng.normal(scale=SPREAD, size=points.shape))

    def sampling_grid(self, height: int, width: int) -> np.ndarray:
        """Where each output pixel is taken from: float32 (2, H, W), x and y in pixels.

        Equals the package's `transform` of every pixel to within 0.05 pixels, in a tenth of the
        time. Interpolating a coarse grid is no alternative: between two close points that move
        apart, a grid of every second pixel is already wrong by a pixel.
        """
        spline = ThinPlateSpline().fit(self.moved, self.points)
        # N rows for the kernels, then three for 1, x and y
        weights = spline.parameters.astype(np.float32)
        x = ((np.arange(width) + 0.5) / width).astype(np.float32)
        y = ((np.arange(height) + 0.5) / height).astype(np.float32)
        at_x, at_y = (self.moved[:, i : i + 1].astype(np.float32) for i in (0, 1))
        dx, dy = (x - at_x) ** 2 + np.float32(1e-12), (y - at_y) ** 2  # avoids log(0)
        num = len(self.moved)
        half = weights[:num].T / 2  # 2, N; halved because r^2 log(r) = r^2 log(r^2) / 2
        out = np.empty((2, height, width), np.float32)
        for top in range(0, height, STRIP):
            squared = dx[:, None, :] + dy[:, top : top + STRIP, None]  # N, strip, W
            squared = squared.reshape(num, -1)
            bent = half @ (squared * cv2.log(squared))
            out[:, top : top + STRIP] = bent.reshape(2, -1, width)
        constant, along_x, along_y = weights[num:, :, None, None]
        out += constant + along_x * x + along_y * y[:, None]
        return out * np.array([[[width]], [[height]]], np.float32) - np.float32(0.5)

    def __call__(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        """Warp images and masks of one size, cubic and nearest neighbour.

        Outside lie the mean colour and background. The published code samples linearly, and leaves
        1.4 % of the pixels of a sample black, where it looks outside; here, 0.04 % are filled.
        """
        x, y = self.sampling_grid(*arrays[0].shape[:2])
        return tuple(
            cv2.remap(array, x, y, interpolation(array), borderValue=fill(array))
            for array in arrays
        )
