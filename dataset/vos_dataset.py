"""Training samples for stages 1 and 2: three frames of a video, with one or two of its objects.

A dataset consists of JPEGImages/<video>/<frame>.jpg and Annotations/<video>/<frame>.png, or of
JPEGImages/480p/<video>/<frame>.jpg and Annotations/480p/<video>/<frame>.png.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dataset.layout import match_frames, tree_folders, video_names
from dataset.samples import NUM_FRAMES, RawSample, Sample, make_sample, read_image_fast
from dataset.sizes import check_size, fit_mask, scaled
from dataset.transforms import Affine, CropRange, Jitter, ResizedCrop, resize
from util.errors import UserError
from util.masks import load_mask
from util.masks.codes import VOID, any_void

NUM_OBJECTS = 2  # maximum number of objects in a sample
MAX_TRIES = 5  # how often to draw frames before accepting some that show no object
CROPS, BL30K_CROPS = CropRange((0.36, 1.0)), CropRange((0.25, 1.0))


class FilesInFolder:
    """A sequence of paths in one folder that stores only their names.

    Path objects for the ten million files of BL30K would take 2 GB.
    """

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self.folder = folder
        self.names = names

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Path:
        return Path(self.folder, self.names[index])


class TrainingVideo(NamedTuple):
    """The frames of a video and their masks, in chronological order."""

    name: str
    images: FilesInFolder
    masks: FilesInFolder


class VOSDataset:
    """Draws training samples from videos.

    Arguments:
        videos: the videos; see `find_videos`.
        crop: side of the square crops in pixels.
        short_side: frames whose short side is longer are first scaled down to it; None keeps the
            original size.
        bl30k: use the published cropping and object selection for BL30K.
        skip_divisor: the maximum distance between frames is divided by this, for datasets in which
            only every n-th frame is annotated.
    """

    def __init__(
        self,
        videos: Sequence[TrainingVideo],
        *,
        crop: int = 384,
        short_side: int | None = None,
        bl30k: bool = False,
        skip_divisor: int = 1,
    ) -> None:
        self.videos = videos
        self.crop = crop
        self.short_side = short_side
        self.bl30k = bl30k
        self.skip_divisor = skip_divisor
        self._has_void: dict[int, bool] = {}  # video index -> whether 255 means void, once known

    def __len__(self) -> int:
        return len(self.videos)

    def sample(self, index: int, rng: np.random.Generator, max_skip: int) -> Sample:
        """Draw a sample from video `index`, with frames at most `max_skip` apart."""
        for _ in range(MAX_TRIES):
            raw = self.draw_frames(index, rng, max_skip)
            ids = choose_objects(rng, raw.masks, NUM_OBJECTS, self.bl30k, has_void=True)
            if ids:
                break
        return make_sample(raw, ids, NUM_OBJECTS)

    def draw_frames(
        self, index: int, rng: np.random.Generator, max_skip: int, crops: CropRange | None = None
    ) -> RawSample:
        """Draw three frames of a video and augment them.

        Arguments:
            index: the number of the video.
            rng: the random generator.
            max_skip: maximum distance between frames.
            crops: range of random crops; None uses the published one.
        """
        _, images, masks = self.videos[index]
        chosen = sample_frames(rng, len(images), max_skip // self.skip_divisor)
        pairs = [read_pair(images[i], masks[i], self.short_side) for i in chosen]
        self._renumber_255(index, [mask for _, mask in pairs])
        for i, (image, _) in zip(chosen, pairs, strict=True):
            check_size(images[i], image.shape[:2], pairs[0][0].shape[:2])
        crops = crops or (BL30K_CROPS if self.bl30k else CROPS)
        window = ResizedCrop.sample(rng, pairs[0][1].shape, self.crop, crops)
        files = ', '.join(images[i].name for i in chosen)
        return RawSample(*augment(rng, pairs, window), f'{images[chosen[0]].parent}: {files}')

    def draw_image(
        self, index: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, Path]:
        """Draw one frame of a video, without augmentation: its image, its mask and its path."""
        _, images, masks = self.videos[index]
        i = int(rng.integers(len(images)))
        image, mask = read_pair(images[i], masks[i], self.short_side)
        self._renumber_255(index, [mask])
        return image, mask, images[i]

    def _renumber_255(self, index: int, masks: Sequence[np.ndarray]) -> None:
        """If 255 is an object in a video, renumber it in these masks, so that 255 means void."""
        if not any((mask == VOID).any() for mask in masks):
            return
        ids = [np.unique(mask).tolist() for mask in masks]
        if any_void(ids):
            return
        if index not in self._has_void:  # other masks may show what 255 means
            files = self.videos[index].masks
            every = (np.unique(load_mask(files[i])).tolist() for i in range(len(files)))
            self._has_void[index] = any_void(every)
        if not self._has_void[index]:
            unused = min({*range(1, VOID)}.difference(*ids))
            for mask in masks:
                mask[mask == VOID] = unused


def augment(
    rng: np.random.Generator,
    pairs: Sequence[tuple[np.ndarray, np.ndarray]],
    window: ResizedCrop,
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Augment pairs of image and mask. Returns the images and the masks.

    The crop and the main colour jitter are the same for all pairs. In addition, each pair gets its
    own affine transform and a slight colour jitter.
    """
    jitter = Jitter.sample(rng, 0.1, 0.03, 0.03, grey=0.05)
    images, masks = [], []
    for image, mask in pairs:
        turn = Affine.sample(rng, degrees=15, shear=10)
        flicker = Jitter.sample(rng, 0.01, 0.01, 0.01)
        images.append(flicker(turn(jitter(window(image)))))
        masks.append(turn(window(mask)))
    return images, masks


def sample_frames(rng: np.random.Generator, num_frames: int, max_skip: int) -> list[int]:
    """Draw the numbers of three frames of a video, in chronological or reverse order.

    As in the published code, the first two frames coincide in a video of up to max_skip frames, and
    also at the end of a longer one.
    """
    reach = min(num_frames, max_skip)
    start = int(rng.integers(num_frames - reach + 1))
    first = min(start + 1 + int(rng.integers(reach + 1)), num_frames - reach, num_frames - 1)
    second = min(first + 1 + int(rng.integers(reach + 1)), num_frames - reach // 2, num_frames - 1)
    frames = [start, first, second]
    return frames[::-1] if rng.random() < 0.5 else frames


def choose_objects(
    rng: np.random.Generator,
    masks: Sequence[np.ndarray],
    num_objects: int,
    bl30k: bool = False,
    has_void: bool = False,
) -> list[int]:
    """Draw up to `num_objects` of the ids in the first mask, in random order, without void.

    has_void: 255 is void even if these masks, which were cropped, show no smaller ids.
    """
    ids = [int(i) for i in np.unique(masks[0]) if i]
    if VOID in ids and (has_void or any_void(np.unique(mask).tolist() for mask in masks)):
        ids.remove(VOID)
    if bl30k:
        ids = [i for i in ids if is_large_enough(i, masks)]
    return [int(i) for i in rng.permutation(ids)[:num_objects]]


def is_large_enough(i: int, masks: Sequence[np.ndarray]) -> bool:
    """Whether object i of a BL30K sample has over 100 pixels in the first mask and is not occluded.

    It counts as occluded there if it has at most 900 pixels, but 400 or more in another mask.
    """
    area, *others = (int((mask == i).sum()) for mask in masks)
    return area > 100 and (area > 900 or max(others) < 400)


def read_pair(
    image_path: Path, mask_path: Path, short_side: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Read a frame, uint8 (H, W, 3), and its mask, uint8 (H, W) of ids.

    Both are scaled down to `short_side` if their short side is longer.
    """
    image = read_image_fast(image_path)
    mask = fit_mask(mask_path, load_mask(mask_path), image.shape[:2])
    if short_side is None or min(mask.shape) <= short_side:
        return image, mask
    size = scaled(mask.shape, short_side)
    return resize(image, size), resize(mask, size)


class FoundVideos(NamedTuple):
    """The result of `find_videos`: the videos, and how much was left out."""

    videos: list[TrainingVideo]
    num_short: int  # number of videos left out because they have fewer than NUM_FRAMES frames
    num_without_mask: int  # number of frames left out because they have no mask
    num_unlisted: int  # number of videos left out because they were not asked for


def find_videos(root: Path, names: Sequence[str] | None = None) -> FoundVideos:
    """Find all videos of a dataset, or those with the given names.

    Frames without a mask are left out, and so are videos with fewer than 3 remaining frames. Raises
    UserError if a mask has no frame, or if no video remains.
    """
    images, annotations = tree_folders(root)
    videos, num_short, num_without_mask = [], 0, 0
    shared: dict[tuple[str, ...], tuple[str, ...]] = {}
    present = video_names(images)
    chosen = present if names is None else names
    for name in chosen:
        found = match_frames(images / name, annotations / name)
        if found.without_frame:
            mask = annotations / name / found.without_frame[0]
            raise UserError(f'{mask}: has no frame in {images}')
        num_without_mask += len(found.without_mask)
        if len(found.frames) < NUM_FRAMES:
            num_short += 1
            continue
        # Most videos number their frames alike; sharing the tuples of names saves memory.
        frames = FilesInFolder(images / name, shared.setdefault(found.frames, found.frames))
        masks = FilesInFolder(annotations / name, shared.setdefault(found.masks, found.masks))
        videos.append(TrainingVideo(name, frames, masks))
    if not videos:
        raise UserError(f'{images}: no video has {NUM_FRAMES} or more frames with masks')
    return FoundVideos(videos, num_short, num_without_mask, len({*present} - {*chosen}))
