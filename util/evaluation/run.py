"""The evaluation loop: videos in, folders of masks out, then scores and run.json.

Works in one process or several (torchrun): every process takes its share of the videos, and the
first one gathers times and scores.
"""

import itertools
import json
import shutil
import time
import zipfile
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from util import distributed
from util.device import choose_device, device_name, peak_memory
from util.errors import UserError, memory_advice
from util.files import atomic_write, save_json, sha256
from util.masks import read_palette, save_mask
from util.options import core_options
from util.parallel import BackgroundWriter
from util.progress import progress_bar
from util.run_info import Stopwatch, difference, versions
from util.scores import print_table, save_table, score_video, table

RESULTS = ('scores.csv', 'scores.json')
NO_ROOM = 'make room and --resume, or use another --output with a smaller --max_mem_frames or --amp'


class Outcome(NamedTuple):
    """What became of one video."""

    name: str
    num_frames: int
    seconds: float  # in the network
    error: str | None


def evaluate(args, benchmark, sequences, new_core_on, *, zip_root=None):
    """Segment and score a benchmark as the options in `args` say.

    benchmark: its name and split; sequences: see dataset.benchmarks. new_core_on(device) -> a
    function that makes an InferenceCore. zip_root: where a submission's archive holds the videos,
    if one is wanted.
    Raises UserError at the end if a video failed; the others are finished then.
    """
    sequences = choose(sequences, args.videos)
    device = distributed.own_device(choose_device(args.device))
    new_core = new_core_on(device)
    settings = {
        'benchmark': benchmark,
        **core_options(args),
        'compile': args.compile,
        'model': str(args.model),
        'model sha256': sha256(args.model),
        'device': device.type,
        'torch': str(torch.__version__),
    }
    with distributed.exclusive_folder(args.output):
        run(args, sequences, new_core, device, settings, zip_root)


def run(args, sequences, new_core, device, settings, zip_root):
    """What the processes of a run do together: see `evaluate`."""
    begin = time.perf_counter()
    with distributed.process_group():
        todo = distributed.run_on_main(start, args, sequences, settings)
        mine = distributed.split_by_cost(todo, cost=num_frames)
        outcomes = segment_all(mine, new_core, device, args)
        outcomes = list(itertools.chain(*distributed.gather(outcomes)))
        broken = {outcome.name: outcome.error for outcome in outcomes if outcome.error}
        to_score = [s for s in sequences if s.truth and s.name not in broken]
        scores, not_scored = score_all(to_score, args.output)
        broken |= not_scored
        memory = distributed.gather(peak_memory(device))
    if distributed.is_main():
        report = report_times(outcomes, time.perf_counter() - begin)
        names = recorded(args.output)['videos']
        report = {'complete': not broken, 'errors': broken, 'videos': names, **report}
        report |= {'device': device_name(device), 'peak_memory_mib': memory}
        report |= {'versions': versions(), 'settings': settings}
        finish(args.output, report, scores)
        if zip_root is not None and not broken:
            write_zip(args.output, sequences, zip_root)
        tell_errors(broken, len(sequences))


def choose(sequences, names):
    """The sequences with these names, all if there are none. Raises UserError for others."""
    unknown = set(names or ()) - {sequence.name for sequence in sequences}
    if unknown:
        raise UserError(f'--videos {min(unknown)}: not in this benchmark')
    return [s for s in sequences if not names or s.name in names]


def start(args, sequences, settings):
    """Make the output folder ready -> the sequences that are still to be done."""
    output = args.output
    names = [sequence.name for sequence in sequences]
    present = [name for name in names if (output / name).exists()]
    before = recorded(output)
    if before is None and (present or (output / 'run.json').exists()):
        name = present[0] if present else 'run.json'
        raise UserError(f'{output / name}: not made by this program; choose another --output')
    others = set(before['videos']) - set(names) if before else set()
    changed = before and difference(before['settings'], settings)
    if changed and (args.resume or others):
        raise UserError(f'{output}: holds results of another run, {changed}; use another --output')
    if args.resume:
        print(f'{len(present)} of {len(names)} videos are whole already')
    else:
        for name in present:
            shutil.rmtree(output / name)
        present = []
    for name in (*RESULTS, *(f'.{name}.part' for name in names)):
        path = output / name
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    record = {'complete': False, 'videos': sorted({*others, *names}), 'settings': settings}
    save_json(output / 'run.json', record)
    return [sequence for sequence in sequences if sequence.name not in present]


def recorded(output):
    """What run.json says of an earlier evaluation; None if it is none of this program."""
    try:
        report = json.loads((output / 'run.json').read_text())
        return report if {'videos', 'settings'} <= report.keys() else None
    except (OSError, ValueError, AttributeError):
        return None


def segment_all(sequences, new_core, device, args):
    """Segment this process's share -> an Outcome each. A video with a fault does not stop it."""
    outcomes = []
    total = sum(map(num_frames, sequences))
    with progress_bar(total, label=24, hidden=not distributed.is_main()) as progress:
        for number, sequence in enumerate(sequences, 1):
            progress.update(label=f'{sequence.name} ({number} of {len(sequences)})')
            watch = Stopwatch(device)
            try:
                with memory_advice(NO_ROOM):
                    segment(sequence, new_core(), watch, args.output, args.num_workers, progress)
                error = None
            except UserError as fault:
                error = str(fault)
            outcomes.append(Outcome(sequence.name, watch.laps, watch.seconds, error))
    return outcomes


def segment(sequence, core, watch, output, num_workers=2, progress=None):
    """Write the masks of one video; its folder takes its name when it is whole."""
    part, folder = output / f'.{sequence.name}.part', output / sequence.name
    part.mkdir()
    try:
        video = sequence.open(num_workers)
        save = save_foreground
        if not sequence.binary:
            save = partial(save_mask, palette=read_palette(sequence.masks[min(sequence.masks)]))
        with BackgroundWriter() as writer:
            for frame in video:
                with watch:
                    prob = core.step(frame.image, frame.mask, frame.object_ids)
                    mask = core.to_mask(prob, video.size)
                writer.submit(save, part / f'{frame.name}.png', mask)
                if progress is not None:
                    progress.increment()
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def save_foreground(path, mask):
    """0 and 255 in a grey image, as DAVIS 2016 has it."""
    save_mask(path, (mask > 0) * np.uint8(255), palette=None)


def score_all(sequences, output):
    """-> dict video -> dict id -> Score, dict video -> why it has none; all processes share it."""
    scores, errors = {}, {}
    for s in distributed.split_by_cost(sequences, cost=num_frames):
        try:
            scores[s.name] = score_video(s.truth, output / s.name, binary=s.binary)
        except UserError as error:
            errors[s.name] = str(error)
    parts = distributed.gather((scores, errors))
    scores, errors = (
        {name: value for part in parts for name, value in part[number].items()} for number in (0, 1)
    )
    return dict(sorted(scores.items())), errors


def num_frames(sequence):
    return len(sequence.frames)


def report_times(outcomes, seconds):
    """Frames a second as papers count them (network alone, per process) and of the whole run."""
    frames = sum(outcome.num_frames for outcome in outcomes)
    network = sum(outcome.seconds for outcome in outcomes)
    return {
        'frames_computed': frames,
        'processes': distributed.world_size(),
        'fps_model': round(frames / network, 3) if frames else None,
        'fps_end_to_end': round(frames / seconds, 3) if frames else None,
        'seconds': round(seconds, 2),
        'videos_computed': {o.name: o._asdict() for o in sorted(outcomes)},
    }


def finish(output, report, scores):
    """Print and write the scores and run.json."""
    if scores:
        rows = table(scores)
        print_table(rows)
        save_table(rows, output)
        report['scores'] = dict(zip(('J&F', 'J', 'F'), rows[0][2:], strict=True))
    save_json(output / 'run.json', report)
    if report['frames_computed']:
        print(
            f'{report["frames_computed"]} frames, {report["fps_model"]} frames/s in the network, '
            f'{report["fps_end_to_end"]} end to end'
        )
    print(f'masks: {output}')


def write_zip(output, sequences, root):
    """OUTPUT.zip for an evaluation server: the required frames, each checked to be there."""
    path = output.with_name(f'{output.name}.zip')
    with atomic_write(path) as part, zipfile.ZipFile(part, 'w') as archive:
        for sequence in sequences:
            for stem in sequence.required:
                mask = output / sequence.name / f'{stem}.png'
                if not mask.is_file():
                    raise UserError(f'{mask}: missing, the evaluation server asks for it')
                archive.write(mask, str(Path(root, sequence.name, mask.name)))
    print(f'submission: {path}')


def tell_errors(errors, num_videos):
    if errors:
        listed = '; '.join(f'{name}: {error}' for name, error in errors.items())
        raise UserError(
            f'{len(errors)} of {num_videos} videos failed, the others are done: {listed}'
        )
