"""The results of one clip (masks, overlay video, contact sheet, run.json), and the way there."""

import contextlib
import shutil
import sys
import time
from pathlib import Path

import numpy as np

from util.device import peak_memory
from util.errors import UserError, memory_advice
from util.files import exclusive_lock_in, save_json, writable_folder
from util.masks import load_mask, save_mask
from util.parallel import BackgroundWriter
from util.progress import progress_bar
from util.propagation.journal import WORK, CannotResume, Journal, earlier_run, start_anew
from util.run_info import Stopwatch, versions
from util.visualize import open_album

RESULTS = ('overlay.mp4', 'contact_sheet.png', 'run.json')
NO_ROOM = (
    'the masks so far are kept; make room and go on with --resume, or start again with a smaller '
    '--size or --max_mem_frames, or with --amp'
)


def claim_output(folder, inputs):
    """Make the output folder -> its Path. Raises UserError where results would harm other files.

    inputs: the user's files, which must not lie where results are written.
    """
    folder = writable_folder(folder)
    places = [(folder / name).resolve() for name in ('masks', WORK, *RESULTS)]
    for path in filter(Path.exists, map(Path, inputs)):
        inside = any(path.resolve().is_relative_to(place) for place in places)
        if inside or path.resolve() == folder.resolve():
            raise UserError(f'{path}: lies in the output folder {folder}; choose another --output')
    masks = folder / 'masks'
    ours = (folder / WORK).exists() or (folder / 'run.json').exists()
    taken = [folder / name for name in RESULTS if (folder / name).exists()]
    if masks.exists() and (not masks.is_dir() or any(masks.iterdir())):
        taken.append(masks)
    if taken and not ours:
        raise UserError(f'{taken[0]}: not of this program; choose another --output')
    return folder


def clear_results(folder, *, keep_masks):
    """Remove the results of an earlier run, so that none is taken for one of this run."""
    for name in RESULTS:
        (folder / name).unlink(missing_ok=True)
        (folder / f'.{name}.part').unlink(missing_ok=True)  # of a run that was killed
    if not keep_masks:
        shutil.rmtree(folder / 'masks', ignore_errors=True)
    (folder / 'masks').mkdir(exist_ok=True)


class Clip:
    """The passes over one clip, in whichever direction, into one output folder.

    indices: the chosen frames, a range; annotated: those with a mask, sorted. new_core() gives a
    fresh InferenceCore, open_video(indices) a dataset.video.Video of these frames.
    """

    def __init__(self, folder, indices, annotated, *, new_core, open_video, device):
        self.masks, self.work = folder / 'masks', folder / WORK
        self.before_first = indices[: indices.index(annotated[0])]
        self.from_first = indices[indices.index(annotated[0]) :]
        self.to_last = indices[: indices.index(annotated[-1]) + 1]
        self.new_core, self.open_video = new_core, open_video
        self.watch = Stopwatch(device)

    def run(self, direction, album, progress):
        """Write all masks and feed the album in the order of time -> the number of frames."""
        if direction == 'forward':
            return self.segment(self.from_first, self.masks, progress, album=album)
        if direction == 'backward':
            self.segment(self.to_last[::-1], self.masks, progress)
            return self.replay(self.to_last, self.masks, album)
        # both: the way back goes to the work folder, the way forward has the last word
        behind = self.work / 'masks'
        behind.mkdir(exist_ok=True)
        self.segment(self.to_last[::-1], behind, progress)
        num_before = self.replay(self.before_first, behind, album)
        return num_before + self.segment(
            self.from_first, self.masks, progress, album=album, behind=behind
        )

    def num_steps(self, direction):
        """Frames through the network in all passes; None for a camera without an end."""
        if self.from_first.stop >= sys.maxsize:
            return None
        forward, backward = len(self.from_first), len(self.to_last)
        return {'forward': forward, 'backward': backward, 'both': forward + backward}[direction]

    def segment(self, indices, folder, progress, *, album=None, behind=None):
        """One pass of a fresh core over these frames, masks to `folder` -> number of frames.

        Frames that the journal covers are read back instead. behind: the masks of the way back,
        for objects that this pass has not met yet. Raises CannotResume.
        """
        core = self.new_core()
        journal = Journal(self.work / ('forward' if indices.step > 0 else 'backward'))
        core.restore(journal.load())
        num_done = core.index
        number = 0
        video = self.open_video(indices)
        with BackgroundWriter() as writer, ctrl_c_ends(video):
            for frame in video:
                path = folder / f'{frame.name}.png'
                if number < num_done:
                    mask = read_back(path)
                else:
                    mask = self.next_mask(core, frame, video.size, behind)
                    writer.submit(save_mask, path, mask)
                    if core.last_kept is not None:
                        writer.submit(journal.save, core.last_kept)
                if album is not None:
                    writer.submit(album.add, frame, mask)
                number += 1
                progress.increment()
        return number

    def next_mask(self, core, frame, size, behind):
        with self.watch:
            prob = core.step(frame.image, frame.mask, frame.object_ids)
            mask = core.to_mask(prob, size)
        mask = as_annotated(mask, frame.annotation, frame.object_ids)
        earlier = behind and behind / f'{frame.name}.png'
        if earlier and earlier.exists():
            mask = fill_earlier(mask, load_mask(earlier), core.object_ids)
        return mask

    def replay(self, indices, source, album):
        """Take masks that are there already into the results -> number of frames."""
        if not indices:
            return 0
        for frame in self.open_video(indices):
            mask = load_mask(source / f'{frame.name}.png')
            if source != self.masks:
                save_mask(self.masks / f'{frame.name}.png', mask)
            album.add(frame, mask)
        return len(indices)


@contextlib.contextmanager
def ctrl_c_ends(video):
    """Ctrl-C is how the clip of a camera ends; for other clips it is an interruption."""
    try:
        yield
    except KeyboardInterrupt:
        if not video.is_live:
            raise


def read_back(path):
    """A mask that an earlier run wrote."""
    try:
        return load_mask(path)
    except UserError as error:
        raise CannotResume(str(error)) from error


def as_annotated(mask, annotation, ids):
    """What the user drew comes back as drawn, although the network saw it scaled."""
    if annotation is None:
        return mask
    return np.where((annotation == 0) & ~np.isin(mask, ids), mask, annotation)


def fill_earlier(mask, backward, known_ids):
    """Where a forward mask sees nothing: objects that it has not met yet, from the way back."""
    return np.where((mask == 0) & ~np.isin(backward, known_ids), backward, mask)


def write_clip(folder, clip, direction, settings, album_options, *, resume):
    """Run a Clip into `folder`, with overlay.mp4, contact_sheet.png and run.json.

    settings: everything that the masks depend on; a run is only resumed if they are the same.
    album_options: see `util.visualize.open_album`.
    """
    with exclusive_lock_in(folder), memory_advice(NO_ROOM):
        write_results(folder, clip, direction, settings, album_options, resume)


def write_results(folder, clip, direction, settings, album_options, resume):
    begin = time.perf_counter()
    state = 'new'
    if resume:
        results = RESULTS if album_options['with_video'] else RESULTS[1:]
        state, sentence = earlier_run(folder, settings, results)
        print(sentence)
    if state == 'complete':
        return
    if state == 'new':
        start_anew(folder, settings)
    clear_results(folder, keep_masks=state == 'unfinished')
    try:
        with (
            progress_bar(clip.num_steps(direction)) as progress,
            open_album(folder, **album_options) as album,
        ):
            num_frames = clip.run(direction, album, progress)
            if not num_frames:
                raise UserError('the input gives no frame; choose others with --start and --end')
    except CannotResume as error:
        print(f'starting again: {error}')
        return write_results(folder, clip, direction, settings, album_options, resume=False)
    except BaseException:
        if not any([*clip.masks.glob('*.png'), *clip.work.glob('masks/*.png')]):
            shutil.rmtree(clip.work)  # nothing worth resuming
            clip.masks.rmdir()
        raise
    finish(folder, clip, num_frames, settings, time.perf_counter() - begin)


def finish(folder, clip, num_frames, settings, seconds):
    """Write run.json, remove what only an unfinished run needs, tell where the results are."""
    report = clip.watch.report(seconds)
    save_json(
        folder / 'run.json',
        {
            'frames': num_frames,
            **report,
            'peak_memory_mib': peak_memory(clip.watch.device),
            'versions': versions(),
            'settings': settings,
        },
    )
    shutil.rmtree(clip.work)
    print(
        f'{num_frames} frames, {report["fps_model"]} frames/s in the network, '
        f'{report["fps_end_to_end"]} end to end'
    )
    for name in ('masks', 'overlay.mp4', 'contact_sheet.png'):
        if (folder / name).exists():
            print(f'{name.split(".")[0]}: {folder / name}')
