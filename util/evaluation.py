"""The evaluation loop: videos in, folders of masks out, then scores and run.json.

Works in one process or several (torchrun): every process takes its share of the videos, and the
first one gathers times and scores.
"""

import itertools
import json
import shutil
import time
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from util import distributed
from util.ahead import WriteBehind
from util.errors import UserError
from util.files import save_json, sha256, whole_file, writable_folder
from util.journal import difference
from util.masks import save_mask
from util.options import check_least, core_options
from util.progress import progress_bar
from util.run_info import Stopwatch, choose_device, device_name, peak_memory, versions
from util.scores import print_table, save_table, score_video, table

RESULTS = ('scores.csv', 'scores.json')


class Outcome(NamedTuple):
    """What became of one video."""

    name: str
    num_frames: int
    seconds: float  # in the network
    error: str | None


def evaluate(args, sequences, new_core_on, *, zip_root=None):
    """Segment and score a benchmark as the options in `args` say.

    sequences: see dataset.benchmarks. new_core_on(device) -> a function that makes an
    InferenceCore. zip_root: where a submission's archive holds the videos, if one is wanted.
    Raises UserError at the end if a video failed; the others are finished then.
    """
    check_least(args, num_workers=1)
    sequences = choose(sequences, args.videos)
    device = distributed.own_device(choose_device(args.device))
    new_core = new_core_on(device)
    settings = {
        **core_options(args),
        'model': str(args.model),
        'model sha256': sha256(args.model),
        'device': device.type,
    }
    begin = time.perf_counter()
    with distributed.process_group():
        todo = distributed.from_main(start, args, sequences, settings)
        mine = distributed.share(todo, cost=num_frames)
        outcomes = segment_all(mine, new_core, device, args)
        outcomes = list(itertools.chain(*distributed.gather(outcomes)))
        broken = {outcome.name for outcome in outcomes if outcome.error}
        scores = score_all([s for s in sequences if s.truth and s.name not in broken], args.output)
        memory = distributed.gather(peak_memory(device))
    if distributed.is_main():
        report = report_times(outcomes, time.perf_counter() - begin)
        names = sorted({*recorded_videos(args.output), *(s.name for s in sequences)})
        report = {'complete': not broken, 'videos': names, **report}
        report |= {'device': device_name(device), 'peak_memory_mib': memory}
        report |= {'versions': versions(), 'settings': settings}
        finish(args.output, report, scores)
        if zip_root is not None and not broken:
            write_zip(args.output, sequences, zip_root)
        tell_errors(outcomes, len(sequences))


def choose(sequences, names):
    """The sequences with these names, all if there are none. Raises UserError for others."""
    unknown = set(names or ()) - {sequence.name for sequence in sequences}
    if unknown:
        raise UserError(f'--videos {min(unknown)}: not in this benchmark')
    return [s for s in sequences if not names or s.name in names]


def start(args, sequences, settings):
    """Make the output folder ready -> the sequences that are still to be done."""
    output = writable_folder(args.output)
    names = [sequence.name for sequence in sequences]
    present = [name for name in names if (output / name).exists()]
    record = output / 'run.json'
    before = json.loads(record.read_text()) if record.is_file() else None
    if before is None and present:
        raise UserError(f'{output / present[0]}: not made by this program; choose another --output')
    if before and args.resume:
        changed = difference(before['settings'], settings)
        if changed:
            raise UserError(f'{output}: cannot resume, {changed}; choose another --output')
        print(f'{len(present)} of {len(names)} videos are whole already')
    elif before:
        for name in before['videos']:
            shutil.rmtree(output / name, ignore_errors=True)
        present = []
    for name in (*RESULTS, *(f'.{name}.part' for name in names)):
        path = output / name
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    known = before['videos'] if before and args.resume else []
    videos = sorted({*known, *names})
    save_json(record, {'complete': False, 'videos': videos, 'settings': settings})
    return [sequence for sequence in sequences if sequence.name not in present]


def segment_all(sequences, new_core, device, args):
    """Segment this process's share -> an Outcome each. A video with a fault does not stop it."""
    outcomes = []
    total = sum(map(num_frames, sequences))
    with progress_bar(total, label=24, hidden=not distributed.is_main()) as progress:
        for number, sequence in enumerate(sequences, 1):
            progress.update(label=f'{sequence.name} ({number} of {len(sequences)})')
            watch = Stopwatch(device)
            try:
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
    video = sequence.open(num_workers)
    try:
        with WriteBehind() as writer:
            for frame in video:
                with watch:
                    prob = core.step(frame.image, frame.mask, frame.object_ids)
                    mask = core.to_mask(prob, video.size)
                save = save_foreground if sequence.binary else save_mask
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
    """-> dict video -> dict id -> Score; the work is shared by all processes."""
    mine = distributed.share(sequences, cost=num_frames)
    scores = {s.name: score_video(s.truth, output / s.name) for s in mine}
    gathered = {name: score for part in distributed.gather(scores) for name, score in part.items()}
    return dict(sorted(gathered.items()))


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


def recorded_videos(output):
    return json.loads((output / 'run.json').read_text())['videos']


def write_zip(output, sequences, root):
    """OUTPUT.zip for an evaluation server: the required frames, each checked to be there."""
    path = output.with_name(f'{output.name}.zip')
    with whole_file(path) as part, zipfile.ZipFile(part, 'w') as archive:
        for sequence in sequences:
            for stem in sequence.required:
                mask = output / sequence.name / f'{stem}.png'
                if not mask.is_file():
                    raise UserError(f'{mask}: missing, the evaluation server asks for it')
                archive.write(mask, str(Path(root, sequence.name, mask.name)))
    print(f'submission: {path}')


def tell_errors(outcomes, num_videos):
    errors = [f'{outcome.name}: {outcome.error}' for outcome in outcomes if outcome.error]
    if errors:
        listed = '; '.join(errors)
        raise UserError(
            f'{len(errors)} of {num_videos} videos failed, the others are done: {listed}'
        )
