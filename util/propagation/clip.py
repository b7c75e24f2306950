"""The passes over one clip: forward, backward or both."""

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

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


class Passes(NamedTuple):
    """The frames of the passes over a clip."""

    before_first: range  # those that only a backward pass reaches
    from_first: range  # the forward pass
    to_last: range  # the backward pass, in chronological order


class Clip:
    """Segments the chosen frames of one clip and writes the results to a folder.

    Arguments:
        folder: the output folder.
        passes: the frames of each pass.
        new_core: creates an InferenceCore.
        open_video: opens the frames with the given indices, in their order.
        watch: a stopwatch for the time spent in the network.
        whole_masks: see `InferenceCore.step`.
    """

    def __init__(
        self,
        folder: ResultFolder,
        passes: Passes,
        new_core: Callable[[], InferenceCore],
        open_video: Callable[[range], Video],
        watch: Stopwatch,
        *,
        whole_masks: bool = False,
    ) -> None:
        self.folder = folder
        self.before_first, self.from_first, self.to_last = passes
        self.new_core, self.open_video, self.watch = new_core, open_video, watch
        self.whole_masks = whole_masks

    def run(self, direction: Direction, add: AddFrame, progress: progressbar.ProgressBar) -> int:
        """Write all masks, and pass every frame to `add` in chronological order.

        Returns the number of frames. Raises CannotResume if files of an earlier run are damaged.
        """
        if direction == 'forward':
            return self._forward(add, progress)
        if direction == 'backward':
            self._segment(self.to_last[::-1], self.folder.masks, progress)
            return self._replay(self.to_last, self.folder.masks, add)
        # Both: first, the backward pass writes its masks to the work folder. The forward pass then
        # writes the final masks, copying from the backward ones only objects that it has not met
        # yet.
        behind = self.folder.work / 'masks'
        behind.mkdir(exist_ok=True)
        self._segment(self.to_last[::-1], behind, progress)
        num_before = self._replay(self.before_first, behind, add)
        return num_before + self._forward(add, progress, behind)

    def num_steps(self, direction: Direction) -> int | None:
        """The number of frames to segment in all passes together; None for a camera."""
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
        """Run one pass over these frames. Returns their number.

        Arguments:
            indices: the frames, in the order of the pass.
            masks: the folder that masks are written to.
            progress: advanced by one for every frame.
            add: called with every frame and its mask; None in a pass whose masks are not final.
            behind: folder of backward masks, for objects that this pass has not met yet.
        """
        # 1. Restore the memory from an earlier run, if there was one.
        core = self.new_core()
        journal = Journal(self.folder.work / ('forward' if indices.step > 0 else 'backward'))
        core.restore(journal.load())
        num_done = num_frames = core.index
        video = self.open_video(indices)
        frames = iter(video)
        with BackgroundWriter() as writer, ctrl_c_ends(video):
            # 2. For frames that are already done, read the masks from disk.
            for frame in islice(frames, num_done):
                mask = read_back(masks / f'{frame.name}.png')
                if add is not None:
                    writer.submit(add, frame, mask)
                progress.increment()
            # 3. Segment the others.
            steps = segment_frames(core, frames, self.watch, whole=self.whole_masks)
            for frame, mask in steps:
                mask = as_annotated(frame, mask, whole=self.whole_masks)
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
        """Copy finished masks to the results and `add` their frames. Returns their number."""
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
    """Let Ctrl-C end the recording of a camera normally; otherwise, it remains an interruption."""
    try:
        yield
    except KeyboardInterrupt:
        if not video.is_live:
            raise


def read_back(path: Path) -> np.ndarray:
    """Read a mask that an earlier run wrote. Raises CannotResume if that fails."""
    try:
        return load_mask(path)
    except UserError as error:
        raise CannotResume(str(error)) from error


def as_annotated(frame: Frame, mask: np.ndarray, *, whole: bool) -> np.ndarray:
    """Put the user's annotation back into a mask exactly as drawn; the network saw it resized."""
    annotation, ids = frame.annotation, frame.object_ids
    if annotation is None or ids is None:
        return mask
    if whole:
        return annotation
    return np.where((annotation == 0) & ~np.isin(mask, ids), mask, annotation)


def fill_unmet(mask: np.ndarray, backward: np.ndarray, known_ids: Sequence[int]) -> np.ndarray:
    """Where a forward mask is empty, copy objects it has not met yet from the backward mask."""
    return np.where((mask == 0) & ~np.isin(backward, known_ids), backward, mask)
