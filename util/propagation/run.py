"""The work of propagate.py: open and check the inputs, segment the frames, report."""

import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from dataset.sizes import size_for_network
from dataset.sources import Source, open_source, unpack
from dataset.video import Video, all_indices, match_masks
from dataset.video_file import VideoFile
from inference_core import InferenceCore, amp_dtype, load_for_inference
from util.device import configure_torch, device_name, peak_memory
from util.errors import UserError, memory_advice, naming_options
from util.files import exclusive_lock_in, fingerprint
from util.options import choose_model, choose_short_side
from util.progress import progress_bar
from util.propagation.clip import Clip, Passes
from util.propagation.folder import ResultFolder
from util.propagation.journal import CannotResume
from util.propagation.options import PropagationOptions
from util.propagation.outputs import open_outputs
from util.run_info import Stopwatch, describe_rates, frame_rates, settings_record, versions
from util.signals import interruptible

NO_ROOM = (
    'the masks so far are kept; free some memory and continue with --resume, or start again with '
    'a smaller --size or --max_mem_frames, or with --amp'
)


def propagate(options: PropagationOptions) -> None:
    """Follow the objects of a mask through a clip, and write the results to options.output."""
    configure_torch()
    with interruptible(), naming_options(
        short_side='--size', stride='--stride, --start', start='--start, --end', mask='--mask',
        model='--model', compiled='--compile', clean='--clean_mask',
    ):  # fmt: skip
        run(options)


def run(options: PropagationOptions) -> None:
    """Do what `propagate` does; errors name function parameters instead of options."""
    # 1. Open and check the inputs, so that mistakes are reported before the network is loaded.
    source = open_source(options.input, options.mask)
    indices = choose_frames(options, source)
    check_direction(options, source)
    matched = match_masks(
        options.mask, source, indices, clean=options.clean_mask, keep_empty=options.whole_masks
    )
    # 2. Load the network, and choose the frame size for it.
    model = choose_model(options.network.model)
    network = load_for_inference(model, options.network.device, compiled=options.network.compiled)
    short_side = choose_short_side(options.size, network.short_side)
    size_for_network(options.input, source.size, short_side)
    # 3. Set up the passes over the clip and its output folder.
    inputs = [Path(path) for path in (options.input, options.mask, model)]
    folder = ResultFolder(options.output, options.outputs, inputs)

    def open_video(indices: Sequence[int]) -> Video:
        frames = source
        if isinstance(source, VideoFile) and indices[0] > indices[-1]:
            # Video files can only be read forward.
            frames = unpack(source, indices, folder.work / 'frames')
        return Video(
            frames, matched.paths, matched.reader.read, short_side=short_side, indices=indices
        )

    def new_core() -> InferenceCore:
        core = InferenceCore(network, **asdict(options.core))
        if options.references:
            every_id = {i for ids in matched.reader.ids.values() for i in ids}
            for frame in open_video(list(matched.paths)):
                assert frame.mask is not None
                ids = sorted(every_id) if options.whole_masks else frame.object_ids
                core.memorize(frame.image, frame.mask, ids)
        return core

    clip = Clip(
        folder,
        choose_passes(options, indices, matched.paths),
        new_core,
        open_video,
        Stopwatch(network.device),
        whole_masks=options.whole_masks,
    )
    notes = [*source.notes, *matched.notes]
    print_notes(notes)
    colours = matched.reader.colours
    if colours:
        print('colours:', ', '.join(f'{colour} is {i}' for colour, i in colours.items()))
    # 4. Segment the frames.
    settings = {
        **describe_run(options, model, short_side, network.device),
        'colours': colours,
        'notes': matched.notes,
    }
    with exclusive_lock_in(folder.path), memory_advice(NO_ROOM):
        write_results(options, clip, source, settings, resume=options.resume)
    print_notes(note for note in source.notes if note not in notes)


def print_notes(notes: Iterable[str]) -> None:
    for note in notes:
        print(f'note: {note}')


def choose_frames(options: PropagationOptions, source: Source) -> range:
    """The indices of the frames that --start, --end and --stride select."""
    every = all_indices(source)
    indices = every[options.start : options.end : options.stride]
    if not indices:
        raise UserError(
            f'--start {options.start}: the input has only {len(every)} frames; choose a smaller '
            'number'
        )
    return indices


def choose_passes(
    options: PropagationOptions, indices: range, annotated: Collection[int]
) -> Passes:
    """Which frames each pass goes through, given those that have a mask.

    References alone can start a pass at any frame, so a single pass goes through all of them.
    """
    first, last = indices.index(min(annotated)), indices.index(max(annotated))
    if options.references and options.direction != 'both':
        first, last = 0, len(indices) - 1
    return Passes(indices[:first], indices[first:], indices[: last + 1])


def check_direction(options: PropagationOptions, source: Source) -> None:
    """Raise UserError for a direction that a camera or a single mask does not allow."""
    again = {
        '--resume': options.resume,
        '--references': options.references,
        f'--direction {options.direction}': options.direction != 'forward',
    }
    option = next((option for option, is_given in again.items() if is_given), None)
    if source.is_live and option:
        raise UserError(f'{option}: not available for a camera; its frames cannot be read again')
    alone = Path(options.mask).is_file() and not options.references
    if options.direction == 'backward' and alone:
        raise UserError(
            '--direction backward: a single mask belongs to the first frame, and there are no '
            'frames before it; give a folder of masks named like their frames'
        )


def describe_run(
    options: PropagationOptions, model: Path, short_side: int | None, device: torch.device
) -> dict[str, Any]:
    """Everything that the masks depend on; a run is resumed only if none of it has changed."""
    names = (
        'input', 'mask', 'direction', 'whole_masks', 'references', 'clean_mask', 'start', 'end',
        'stride',
    )  # fmt: skip
    return {
        **{name: getattr(options, name) for name in names},
        'size': short_side or -1,
        'input files': fingerprint(options.input),
        'mask files': fingerprint(options.mask),
        **settings_record(
            model,
            options.core,
            compiled=options.network.compiled,
            device=device_name(device),
            dtype=amp_dtype(device) if options.core.amp else torch.float32,
        ),
    }


def write_results(
    options: PropagationOptions, clip: Clip, source: Source, settings: dict[str, Any], resume: bool
) -> None:
    """Segment a clip and write the results, continuing an earlier run if `resume` is set."""
    begin, folder = time.perf_counter(), clip.folder
    state = 'new'
    if resume:
        state, message = folder.earlier_run(settings)
        print(message)
    if state == 'complete':
        return
    if state == 'new':
        folder.start(settings)
    folder.clear(keep_masks=state == 'unfinished')
    fps = source.fps / options.stride
    try:
        with (
            progress_bar(clip.num_steps(options.direction)) as progress,
            open_outputs(folder.path, options.outputs, source, fps) as add,
        ):
            num_frames = clip.run(options.direction, add, progress)
            if not num_frames:
                raise UserError('no frames in the selected range; change --start or --end')
    except CannotResume as error:
        print(f'starting again: {error}')
        return write_results(options, clip, source, settings, resume=False)
    except BaseException:
        folder.drop_if_empty()
        raise
    report(clip, num_frames, settings, time.perf_counter() - begin)


def report(clip: Clip, num_frames: int, settings: dict[str, Any], seconds: float) -> None:
    """Write run.json, and print where the results are."""
    folder, watch = clip.folder, clip.watch
    rates = frame_rates(watch.laps, watch.seconds, seconds)
    folder.complete(
        {
            'frames': num_frames,
            **rates,
            'peak_memory_mib': peak_memory(watch.device),
            'versions': versions(),
            'settings': settings,
        }
    )
    print(describe_rates({**rates, 'frames_computed': num_frames}))
    for name in ('masks', *folder.files()[:-1]):
        print(f'{name.split(".")[0]}: {folder.path / name}')
