"""The evaluation loop: segment all videos of a benchmark, score them and write run.json.

With several processes (torchrun), each segments its share of the videos, and the first one reports
the times and scores of all.
"""

import itertools
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import progressbar
import torch

from dataset.benchmarks import BENCHMARKS, BenchmarkVideo
from inference_core import InferenceCore, amp_dtype, load_for_inference, segment_frames
from util import distributed
from util.device import choose_device, configure_torch, device_name, peak_memory
from util.errors import UserError, memory_advice
from util.evaluation.options import BenchmarkOptions, EvaluationOptions
from util.evaluation.results import (
    REPORT,
    Scores,
    num_frames,
    prepare_output,
    read_results,
    save_foreground,
    score_all,
    write_zip,
)
from util.files import save_json
from util.masks import read_palette, save_mask
from util.options import choose_model, choose_short_side
from util.parallel import BackgroundWriter
from util.progress import progress_bar
from util.run_info import Stopwatch, describe_rates, frame_rates, settings_record, versions
from util.scores import Score, mean_score, print_table, save_table, score_video, table

NO_ROOM = (
    'free some memory and continue with --resume, or use another --output with a smaller '
    '--max_mem_frames or --amp'
)
NewCore = Callable[[], InferenceCore]


class Outcome(NamedTuple):
    """The result of segmenting one video."""

    name: str
    num_frames: int  # frames segmented
    seconds: float  # spent in the network
    error: str | None  # None if the video is finished
    notes: list[str]  # on objects missing from the first mask


def evaluate(benchmark: BenchmarkOptions, options: EvaluationOptions) -> None:
    """Segment and score a benchmark.

    If a video fails, the others are still finished before a UserError is raised.
    """
    configure_torch()
    # 1. Choose the videos.
    videos = choose_videos(BENCHMARKS[benchmark.name](benchmark.root, benchmark.split), options)
    # 2. Load the network. The frame size is --size, else the one the checkpoint works best at, else
    #    the benchmark's.
    device = distributed.own_device(choose_device(options.network.device))
    model = choose_model(options.network.model)
    network = load_for_inference(model, device, compiled=options.network.compiled)
    sides = [choose_short_side(options.size, network.short_side, v.short_side) for v in videos]
    videos = [v._replace(short_side=side) for v, side in zip(videos, sides, strict=True)]
    new_core = partial(InferenceCore, network, **asdict(options.core))
    settings = {
        'benchmark': f'{benchmark.name} {benchmark.split}, {benchmark.root.resolve()}',
        'size': options.size or network.short_side,
        **settings_record(
            model,
            options.core,
            compiled=options.network.compiled,
            device=device.type,
            dtype=amp_dtype(device) if options.core.amp else torch.float32,
        ),
    }
    # 3. Segment and score.
    with distributed.exclusive_folder(options.output):
        run(videos, new_core, options, settings, device)
        if options.zip and distributed.is_main():
            write_zip(options.output, videos, benchmark.zip_root)


def choose_videos(
    videos: Sequence[BenchmarkVideo], options: EvaluationOptions
) -> list[BenchmarkVideo]:
    """The videos named by --videos; all if it names none. Raises UserError for unknown names."""
    unknown = set(options.videos) - {video.name for video in videos}
    if unknown:
        raise UserError(f'--videos {min(unknown)}: not in this benchmark')
    return [video for video in videos if not options.videos or video.name in options.videos]


def run(
    videos: list[BenchmarkVideo],
    new_core: NewCore,
    options: EvaluationOptions,
    settings: dict[str, Any],
    device: torch.device,
) -> None:
    """Segment, score and report, in all processes of a run. Raises UserError if a video failed."""
    begin, output = time.perf_counter(), options.output
    with distributed.process_group():
        # 1. The first process prepares the folder. All processes divide the remaining videos.
        todo = distributed.run_on_main(
            partial(prepare_output, output, videos, settings, resume=options.resume)
        )
        mine = distributed.split_by_cost(todo, cost=num_frames)
        outcomes = segment_all(mine, new_core, options, device)
        outcomes = list(itertools.chain(*distributed.gather(outcomes)))
        errors = {outcome.name: outcome.error for outcome in outcomes if outcome.error}
        # 2. Score the videos whose ground truth is public.
        to_score = [v for v in videos if v.ground_truth and v.name not in errors]
        scores, not_scored = score_all(to_score, output)
        errors |= not_scored
        memory = distributed.gather(peak_memory(device))
    # 3. Report, in the first process.
    if distributed.is_main():
        for note in itertools.chain(*(outcome.notes for outcome in sorted(outcomes))):
            print(note)
        machine = {'device': device_name(device), 'peak_memory_mib': memory}
        record = {**machine, 'versions': versions(), 'settings': settings}
        report(output, scores, errors, {**rates_of(outcomes, begin), **record})
        if errors:
            listed = '; '.join(f'{name}: {error}' for name, error in errors.items())
            raise UserError(
                f'{len(errors)} of {len(videos)} videos failed (the others are finished): {listed}'
            )


def segment_all(
    videos: Sequence[BenchmarkVideo],
    new_core: NewCore,
    options: EvaluationOptions,
    device: torch.device,
) -> list[Outcome]:
    """Segment this process's share of the videos. If one fails, the others are still segmented."""
    outcomes = []
    total = sum(map(num_frames, videos))
    with progress_bar(total, label=24, hidden=not distributed.is_main()) as progress:
        for number, video in enumerate(videos, 1):
            progress.update(label=f'{video.name} ({number} of {len(videos)})')
            watch = Stopwatch(device)
            error, notes = None, []
            try:
                with memory_advice(NO_ROOM):
                    notes = segment_video(
                        video, new_core(), watch, options.output, options.num_workers, progress
                    )
            except UserError as fault:
                error = str(fault)
            outcomes.append(Outcome(video.name, watch.laps, watch.seconds, error, notes))
    return outcomes


def segment_video(
    video: BenchmarkVideo,
    core: InferenceCore,
    watch: Stopwatch,
    output: Path,
    num_workers: int = 2,
    progress: progressbar.ProgressBar | None = None,
) -> list[str]:
    """Segment one video and write its masks to a folder, which appears once it is complete.

    Arguments:
        video: the video.
        core: a new InferenceCore, or an object with the same methods.
        watch: a stopwatch for the time spent in the core.
        output: the parent folder of all videos' folders.
        num_workers: number of threads that read images.
        progress: advanced by one for every frame.
    Returns:
        Notes on objects missing from the first mask, which start later.
    """
    part, folder = output / f'.{video.name}.part', output / video.name
    video = video.with_late_objects()
    try:
        part.mkdir()
        save: Callable[..., None] = save_foreground
        if not video.binary:
            save = partial(save_mask, palette=read_palette(video.masks[min(video.masks)]))
        with BackgroundWriter() as writer:
            for frame, mask in segment_frames(core, video.open(num_workers), watch):
                writer.submit(save, part / f'{frame.name}.png', mask)
                if progress is not None:
                    progress.increment()
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return video.notes()


def mean_of(videos: Sequence[BenchmarkVideo], new_core: NewCore, device: torch.device) -> Score:
    """Segment and score videos without keeping the masks, and return the mean score over objects.

    The videos are divided among the processes, all of which get the result.
    """
    scores: list[Score] = []
    with tempfile.TemporaryDirectory() as folder:
        for video in distributed.split_by_cost(videos, cost=num_frames):
            assert video.ground_truth is not None
            segment_video(video, new_core(), Stopwatch(device), Path(folder))
            scores += score_video(video.ground_truth, Path(folder) / video.name).values()
    return mean_score(itertools.chain(*distributed.gather(scores)))


def rates_of(outcomes: Sequence[Outcome], begin: float) -> dict[str, Any]:
    """The speed of a run that began at time `begin`, overall and per video, for run.json."""
    frames = sum(outcome.num_frames for outcome in outcomes)
    seconds = sum(outcome.seconds for outcome in outcomes)
    return {
        **frame_rates(frames, seconds, time.perf_counter() - begin),
        'processes': distributed.world_size(),
        'videos_computed': {outcome.name: outcome._asdict() for outcome in sorted(outcomes)},
    }


def report(
    output: Path,
    scores: Scores,
    errors: dict[str, str],
    record: dict[str, Any],
) -> None:
    """Print the scores, and write them and run.json."""
    if scores:
        rows = table(scores)
        print_table(rows)
        save_table(rows, output)
        record['scores'] = dict(zip(('J&F', 'J', 'F'), rows[0][2:], strict=True))
    before = read_results(output)
    assert before is not None
    state = {'complete': not errors, 'errors': errors, 'videos': before['videos']}
    save_json(output / REPORT, {**state, **record})
    if record['frames_computed']:
        print(describe_rates(record))
    print(f'masks: {output}')
