"""The demo clip: its pictures and its exact masks; see make_demo_clip.py for the story."""

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import skimage
from numpy.polynomial import polynomial
from PIL import Image

from util.masks import save_mask
from util.visualize import ContactSheet, overlay

SCENE = (428, 240)  # width, height in scene units: one unit is one pixel at the default size
SUPERSAMPLE = 2  # objects are drawn this much larger than the frame, then averaged down
DRAW_ORDER = (2, 3, 1)  # object ids from back to front


class CutOut(NamedTuple):
    """An object: its outline, in pixels of its photo, and how it moves."""

    photo: str
    size: float  # longest side of the object in scene units, at scale 1
    gamma: float  # below 1 brightens the photo, so that all objects look lit alike
    ellipses: tuple  # each (centre x, centre y, half width, half height, degrees)
    polygons: tuple  # each a tuple of corners (x, y)
    path: tuple  # poses (x, y, degrees, scale) in scene units, evenly spaced in time


# fmt: off
CAT = CutOut(
    'chelsea.png', 122, 0.92, (),
    (((36, 100), (35, 60), (39, 29), (47, 10), (62, 4), (82, 10), (98, 21), (125, 17), (155, 10),
      (190, 4), (220, 3), (255, 5), (282, 11), (305, 22), (322, 13), (345, 4), (364, 3), (376, 14),
      (376, 36), (368, 58), (359, 74), (363, 104), (364, 125), (361, 150), (353, 178), (340, 201),
      (323, 227), (312, 250), (297, 267), (274, 278), (245, 281), (215, 278), (185, 271),
      (160, 261), (135, 246), (110, 228), (85, 210), (64, 190), (48, 164), (38, 138)),),
    ((84, 158, -8, 0.92), (135, 142, 2, 1.0), (205, 128, 10, 1.08), (285, 142, 2, 1.05),
     (338, 152, -10, 0.98)))
CUP = CutOut(
    'coffee.png', 112, 1.0, ((278, 220, 201, 168, 3.5), (289, 112.5, 118, 95, 9)),
    (((396, 74), (405, 67), (418, 68), (424, 77), (416, 112), (408, 130), (395, 100)),),
    ((340, 88, 10, 1.0), (288, 88, 2, 1.0), (215, 102, -8, 0.95), (140, 108, -16, 1.02),
     (92, 96, -20, 1.12)))
ROCKET = CutOut(
    'rocket.jpg', 156, 0.58, (),
    (((319.3, 128), (322, 126.7), (324.7, 128), (329.3, 133.7), (332, 140), (333.3, 147.5),
      (333.3, 175), (330.7, 180), (330.2, 230), (330.2, 300), (313.9, 300), (313.9, 180),
      (310.8, 175), (310.8, 147.5), (312, 140), (315, 133.7)),),
    ((208, 112, -20, 0.96), (262, 92, -48, 1.0), (326, 105, -78, 1.08), (305, 150, -95, 1.04),
     (195, 188, -92, 1.0)))
# fmt: on
OBJECTS = (CAT, CUP, ROCKET)  # in the order of their ids, from 1

# Tones from dark to light that colour the grey textures, RGB.
GRASS = ((30, 44, 18), (66, 90, 38), (102, 126, 58), (182, 194, 122))
GRAVEL = ((74, 62, 50), (118, 104, 88), (152, 137, 117), (206, 193, 172))


def read_photo(name: str) -> np.ndarray:
    """A photo that scikit-image installs, without a download: (H, W, 3) uint8 RGB."""
    with Image.open(Path(skimage.__file__).parent / 'data' / name) as image:
        return np.array(image.convert('RGB'))


def outline_alpha(obj: CutOut, shape: tuple) -> np.ndarray:
    """How much of each pixel the object covers: (H, W) float32 in [0, 1], with a soft rim."""
    fine = 4
    height, width = shape
    alpha = np.zeros((height * fine, width * fine), np.uint8)
    for x, y, a, b, degrees in obj.ellipses:
        box = ((x * fine, y * fine), (2 * a * fine, 2 * b * fine), degrees)
        cv2.ellipse(alpha, box, 255, -1)
    for polygon in obj.polygons:
        cv2.fillPoly(alpha, [np.rint(np.multiply(polygon, fine)).astype(np.int32)], 255)
    alpha = cv2.GaussianBlur(alpha, (0, 0), fine * 0.8)  # rounds off the polygon's corners
    return cv2.resize(alpha, (width, height), interpolation=cv2.INTER_AREA) / np.float32(255)


def load_sprite(obj: CutOut, scale: float) -> np.ndarray:
    """The cut-out object as premultiplied RGBA, (h, w, 4) float32, colours 0..255, alpha 0..1.

    It has `scale` pixels per scene unit, by area averaging: the later warp hardly changes its size,
    so that linear sampling is good enough there.
    """
    photo = read_photo(obj.photo)
    alpha = outline_alpha(obj, photo.shape[:2])[..., None]
    lit = 255 * (photo / np.float32(255)) ** obj.gamma
    sprite = np.concatenate([lit * alpha, alpha], axis=2)
    x, y, w, h = cv2.boundingRect((alpha[..., 0] > 0).astype(np.uint8))
    factor = scale * obj.size / max(w, h)
    size = (max(round(w * factor), 1), max(round(h * factor), 1))
    sprite = cv2.resize(sprite[y : y + h, x : x + w], size, interpolation=cv2.INTER_AREA)
    # an empty rim, so that the warp fades the border out
    return cv2.copyMakeBorder(sprite, 2, 2, 2, 2, cv2.BORDER_CONSTANT)


def pose_at(path: tuple, u: float) -> np.ndarray:
    """(x, y, degrees, scale) at time u in 0..1: the polynomial through the path's poses."""
    knots = np.linspace(0, 1, len(path))
    return polynomial.polyval(u, polynomial.polyfit(knots, path, len(path) - 1))


def place(sprite: np.ndarray, pose: np.ndarray, width: int, height: int) -> np.ndarray:
    """Draw the sprite at its pose, in frame pixels, on an empty (height, width, 4) frame."""
    x, y, degrees, scale = pose
    centre = ((sprite.shape[1] - 1) / 2, (sprite.shape[0] - 1) / 2)
    matrix = cv2.getRotationMatrix2D(centre, degrees, scale)
    matrix[:, 2] += np.array([x, y]) * SUPERSAMPLE - centre
    large = cv2.warpAffine(sprite, matrix, (width * SUPERSAMPLE, height * SUPERSAMPLE))
    return cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA)


def tone(grey: np.ndarray, tones: tuple) -> np.ndarray:
    """Colour a grey texture (H, W) by its brightness: (H, W, 3) float, 0..255."""
    spread = np.percentile(grey, (1, 35, 70, 99.5))
    return np.stack([np.interp(grey, spread, c) for c in np.transpose(tones)], axis=2)


def make_ground(rng: np.random.Generator) -> np.ndarray:
    """A lawn crossed by a winding gravel path, seen from above: (512, 512, 3) float32, 0..255."""
    grass, gravel = (read_photo(name)[..., 0] for name in ('grass.png', 'gravel.png'))
    y, x = np.mgrid[: grass.shape[0], : grass.shape[1]].astype(np.float32)
    middle = 256 + 0.25 * (x - 256) + 32 * np.sin(x / 70 + rng.uniform(0, 2 * np.pi))
    # tufts of grass reach into the path: its edge follows the brightness of the lawn
    tufts = cv2.GaussianBlur(grass.astype(np.float32), (0, 0), 3) - grass.mean()
    share = np.clip((58 - 0.8 * tufts - np.abs(y - middle)) / 6 + 0.5, 0, 1)[..., None]
    ground = tone(grass, GRASS) * (1 - share) + tone(gravel, GRAVEL) * share
    return cv2.GaussianBlur(ground.astype(np.float32), (0, 0), 0.7)  # a little out of focus


def view_ground(ground: np.ndarray, u: float, width: int, height: int, scale: float) -> np.ndarray:
    """The ground as the drifting, turning camera sees it at time u: (height, width, 3) float32."""
    x, y = 226 + 60 * u, 271 - 30 * u  # where it looks, in ground pixels
    matrix = cv2.getRotationMatrix2D((x, y), 4 * u - 2, (1.02 + 0.06 * u) * scale)
    matrix[:, 2] += (width / 2 - x, height / 2 - y)
    return cv2.warpAffine(ground, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101)


def lay_over(frame: np.ndarray, layer: np.ndarray, scale: float) -> np.ndarray:
    """Lay a premultiplied layer (H, W, 4) with its soft shadow over a frame (H, W, 3)."""
    shift = np.array([[1, 0, 4 * scale], [0, 1, 7 * scale]])
    shadow = cv2.warpAffine(layer[..., 3], shift, layer.shape[1::-1])
    shadow = 1 - 0.5 * cv2.GaussianBlur(shadow, (0, 0), 5 * scale)
    return frame * (shadow * (1 - layer[..., 3]))[..., None] + layer[..., :3]


def render(
    num_frames: int = 40, height: int = 240, width: int = 428, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Render the clip: images (T, H, W, 3) uint8 RGB and masks (T, H, W) uint8 with ids 0..3.

    A pixel belongs to the frontmost object that covers more than half of it. The seed changes the
    ground and how the objects sway. The story stays: in mid clip, the cat hides most of the cup.
    """
    rng = np.random.default_rng(seed)
    ground = make_ground(rng)
    phases = rng.uniform(0, 2 * np.pi, (len(OBJECTS), 2))
    scale = min(width / SCENE[0], height / SCENE[1])  # pixels per scene unit
    sprites = [load_sprite(obj, scale * SUPERSAMPLE) for obj in OBJECTS]
    images = np.empty((num_frames, height, width, 3), np.uint8)
    masks = np.zeros((num_frames, height, width), np.uint8)
    for t, u in enumerate(np.linspace(0, 1, num_frames)):
        frame = view_ground(ground, u, width, height, scale)
        for i in DRAW_ORDER:
            pose = pose_at(OBJECTS[i - 1].path, u)
            pose[:2] += 2.5 * np.sin(2 * np.pi * 1.7 * u + phases[i - 1])
            pose[:2] = (pose[:2] - np.array(SCENE) / 2) * scale + (width / 2, height / 2)
            layer = place(sprites[i - 1], pose, width, height)
            frame = lay_over(frame, layer, scale)
            masks[t][layer[..., 3] > 0.5] = i
        images[t] = np.clip(np.rint(frame), 0, 255)
    return images, masks


def write_frames(folder: Path, images: np.ndarray, masks: np.ndarray, comment: bytes) -> None:
    """Write images/NNNNN.jpg, each with this comment, and masks/NNNNN.png into the folder."""
    for name in ('images', 'masks'):
        (folder / name).mkdir()
    for t, (image, mask) in enumerate(zip(images, masks, strict=True)):
        path = folder / f'images/{t:05d}.jpg'
        Image.fromarray(image).save(path, quality=95, subsampling=0, comment=comment)
        save_mask(folder / f'masks/{t:05d}.png', mask)


def draw_sheet(path: Path, images: np.ndarray, masks: np.ndarray) -> None:
    """Write a contact sheet of frames with their masks drawn over them."""
    sheet = ContactSheet()
    for t, (image, mask) in enumerate(zip(images, masks, strict=True)):
        sheet.add(overlay(image, mask), f'{t:05d}')
    sheet.save(path)
