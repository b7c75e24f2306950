"""The passes over one clip: forward, backward, or both, from masks to masks."""

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import progressbar

from dataset.video import Frame, Video
from inference_core import InferenceCore, segment_frames
from util.errors import UserError
from util.masks import load_mask, save_mask
from util.parallel import BackgroundWriter
from util.propagation.folder import ResultFolder
from util.propagation.journal import CannotResume, Journal
from util.propagation.options import Direction
from util.propagation.outputs import AddFrame
from util.run_info import Stopwatch


class Clip:
    """The chosen frames of one clip, on their way into one result folder.

    Arguments:
      indices: the chosen frames.
      annotated: those that have a mask.
      new_core: makes a fresh InferenceCore.
      open_video: opens the video of some frames, in the order of their indices.
      watch: measures the time spent in the network.
    """

    def __init__(
        self,
        folder: ResultFolder,
        indices: range,
        annotated: Sequence[int],
        new_core: Callable[[], InferenceCore],
        open_video: Callable[[range], Video],
        watch: Stopwatch,
    ) -> None:
        self.folder = folder
        first, last = indices.index(min(annotated)), indices.index(max(annotated))
        self.before_first, self.from_first = indices[:first], indices[first:]
        self.to_last = indices[: last + 1]
        self.new_core, self.open_video, self.watch = new_core, open_video, watch

    def run(self, direction: Direction, add: AddFrame, progress: progressbar.ProgressBar) -> int:
        """Write all masks, and `add` every frame in the order of time. Returns their number.

        Raises CannotResume if what an earlier run left is damaged.
        """
        if direction == 'forward':
            return self._forward(add, progress)
        if direction == 'backward':
            self._segment(self.to_last[::-1], self.folder.masks, progress)
            return self._replay(self.to_last, self.folder.masks, add)
        # Both: the way back goes to the work folder first. What the way forward says counts; it
        # takes from the way back only what it cannot know, objects before their first mask.
        behind = self.folder.work / 'masks'
        behind.mkdir(exist_ok=True)
        self._segment(self.to_last[::-1], behind, progress)
        num_before = self._replay(self.before_first, behind, add)
        return num_before + self._forward(add, progress, behind)

    def num_steps(self, direction: Direction) -> int | None:
        """Frames through the network in all passes; None for a camera, which has no end."""
        if self.from_first.stop >= sys.maxsize:
            return None
        forward, backward = len(self.from_first), len(self.to_last)
        return {'forward': forward, 'backward': backward, 'both': forward + backward}[direction]

    def _forward(
        self, add: AddFrame, progress: progressbar.ProgressBar, behind: Path | None = None
    ) -> int:
        return self._segment(self.from_first, self.folder.masks, progress, add=add, behind=behind)

    def _segment(
        self,
        indices: range,
        masks: Path,
        progress: progressbar.ProgressBar,
        *,
        add: AddFrame | None = None,
        behind: Path | None = None,
    ) -> int:
        """One pass of a fresh core over these frames. Returns their number.

        Arguments:
          masks: the folder that masks are written to.
          behind: masks of the way back, for objects that this pass has not met yet.
        """
        # 1. Take up memory where an earlier run left it.
        core = self.new_core()
        journal = Journal(self.folder.work / ('forward' if indices.step > 0 else 'backward'))
        core.restore(journal.load())
        num_done = num_frames = core.index
        video = self.open_video(indices)
        frames = iter(video)
        with BackgroundWriter() as writer, ctrl_c_ends(video):
            # 2. Frames that are done already: read their masks back.
            for frame in islice(frames, num_done):
                mask = read_back(masks / f'{frame.name}.png')
                if add is not None:
                    writer.submit(add, frame, mask)
                progress.increment()
            # 3. All others go through the network.
            for frame, mask in segment_frames(core, frames, self.watch):
                mask = as_annotated(frame, mask)
                if behind is not None and (behind / f'{frame.name}.png').exists():
                    backward = load_mask(behind / f'{frame.name}.png')
                    mask = fill_unmet(mask, backward, core.object_ids)
                writer.submit(save_mask, masks / f'{frame.name}.png', mask)
                if core.last_kept is not None:
                    writer.submit(journal.save, core.last_kept)
                if add is not None:
                    writer.submit(add, frame, mask)
                num_frames += 1
                progress.increment()
        return num_frames

    def _replay(self, indices: range, source: Path, add: AddFrame) -> int:
        """Take finished masks into the results. Returns their number."""
        if not indices:
            return 0
        for frame in self.open_video(indices):
            mask = load_mask(source / f'{frame.name}.png')
            if source != self.folder.masks:
                save_mask(self.folder.masks / f'{frame.name}.png', mask)
            add(frame, mask)
        return len(indices)


@contextlib.contextmanager
def ctrl_c_ends(video: Video) -> Iterator[None]:
    """Ctrl-C is how the clip of a camera ends; for other clips it is an interruption."""
    try:
        yield
    except KeyboardInterrupt:
        if not video.is_live:
            raise


def read_back(path: Path) -> np.ndarray:
    """Read a mask that an earlier run wrote."""
    try:
        return load_mask(path)
    except UserError as error:
        raise CannotResume(str(error)) from error


def as_annotated(frame: Frame, mask: np.ndarray) -> np.ndarray:
    """What the user drew comes back as drawn, although the network saw it scaled."""
    annotation, ids = frame.annotation, frame.object_ids
    if annotation is None or ids is None:
        return mask
    return np.where((annotation == 0) & ~np.isin(mask, ids), mask, annotation)


def fill_unmet(mask: np.ndarray, backward: np.ndarray, known_ids: Sequence[int]) -> np.ndarray:
    """Where a forward mask is empty, take objects it has not met yet from the way back."""
    return np.where((mask == 0) & ~np.isin(backward, known_ids), backward, mask)
