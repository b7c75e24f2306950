"""Stand-in weights and a small clip: deterministic and meaningless, for benchmarks and tests.

No constant here may change: the figures recorded in tests/golden were computed with them.
"""

import math
import zlib

import numpy as np
import torch


def weights(shapes):
    """Made-up tensors for a network's parameters, by name; each is seeded by its name.

    shapes: name -> shape.
    """
    return {name: torch.from_numpy(draw(name, tuple(shape))) for name, shape in shapes.items()}


def draw(name, shape):
    """Random values for one parameter, of a scale that keeps activations reasonable."""
    generator = np.random.default_rng(zlib.crc32(name.encode()))
    kind = name.rsplit('.', 1)[1]
    if kind == 'num_batches_tracked':
        return np.zeros(shape, np.int64)
    if kind == 'running_var':
        return generator.uniform(0.5, 1.5, shape).astype(np.float32)
    if len(shape) == 1 and kind == 'weight':  # a BatchNorm's scale: small at a branch's end
        scale = 0.25 if '.bn3.' in name else 1.0
        return (scale * generator.uniform(0.8, 1.2, shape)).astype(np.float32)
    if kind == 'weight':
        scale = 0.2 if '_proj.' in name else 0.05 if '.pred.' in name else 1.0
        scale *= math.sqrt(2 / math.prod(shape[1:]))
    else:
        scale = {'running_mean': 0.1, 'bias': 0.05}[kind]
    return (scale * generator.standard_normal(shape)).astype(np.float32)


def clip(num_frames=8, height=70, width=100, seed=7):
    """Two textured boxes that move: images (T, H, W, 3) uint8 and masks (T, H, W) of 0, 1, 2."""
    rng = np.random.default_rng(seed)
    images = np.empty((num_frames, height, width, 3), np.uint8)
    masks = np.zeros((num_frames, height, width), np.uint8)
    ground = rng.integers(60, 190, (height // 7 + 2, width // 7 + 2, 3))
    ground = np.kron(ground, np.ones((7, 7, 1), int))
    texture = rng.integers(-40, 40, (height // 3, width // 4, 3))
    for t in range(num_frames):
        image = ground[t % 7 : t % 7 + height, t % 7 : t % 7 + width].copy()
        places = ((1, 3 + 2 * t, 5 + 3 * t, (220, 50, 40)), (2, 30 - t, 60 - 3 * t, (40, 60, 220)))
        for number, top, left, colour in places:
            box = (slice(top % height, None), slice(left % width, None))
            part = image[box][: len(texture), : texture.shape[1]]
            part[:] = np.array(colour) + texture[: part.shape[0], : part.shape[1]]
            masks[t][box][: len(texture), : texture.shape[1]] = number
        images[t] = image.clip(0, 255)
    return images, masks
