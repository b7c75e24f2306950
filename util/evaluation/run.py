"""The evaluation loop: videos in, folders of masks out, then scores and run.json.

Works in one process or several (torchrun): each takes its share of the videos, and the first one
gathers times and scores.
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

NO_ROOM = 'make room and --resume, or use another --output with a smaller --max_mem_frames or --amp'
NewCore = Callable[[], InferenceCore]


class Outcome(NamedTuple):
    """What became of one video."""

    name: str
    num_frames: int
    seconds: float  # in the network
    error: str | None


def evaluate(benchmark: BenchmarkOptions, options: EvaluationOptions) -> None:
    """Segment and score a benchmark.

    Raises UserError at the end if a video failed; all others are finished by then.
    """
    configure_torch()
    # 1. The videos.
    videos = choose_videos(BENCHMARKS[benchmark.name](benchmark.root, benchmark.split), options)
    # 2. The network, and the size it gets: unless the checkpoint knows better, the benchmark's.
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
    with distributed.exclusive_folder(options.output):
        run(videos, new_core, options, settings, device)
        if options.zip and distributed.is_main():
            write_zip(options.output, videos, benchmark.zip_root)


def choose_videos(
    videos: Sequence[BenchmarkVideo], options: EvaluationOptions
) -> list[BenchmarkVideo]:
    """The videos that --videos names, all if there are none. Raises UserError for unknown names."""
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
    """What the processes of a run do together. Raises UserError if a video failed."""
    begin, output = time.perf_counter(), options.output
    with distributed.process_group():
        # 1. The first process looks at the folder; all share what is still to be segmented.
        todo = distributed.run_on_main(
            partial(prepare_output, output, videos, settings, resume=options.resume)
        )
        mine = distributed.split_by_cost(todo, cost=num_frames)
        outcomes = segment_all(mine, new_core, options, device)
        outcomes = list(itertools.chain(*distributed.gather(outcomes)))
        errors = {outcome.name: outcome.error for outcome in outcomes if outcome.error}
        # 2. Scores, where ground truth is public.
        to_score = [v for v in videos if v.ground_truth and v.name not in errors]
        scores, not_scored = score_all(to_score, output)
        errors |= not_scored
        memory = distributed.gather(peak_memory(device))
    # 3. The first process reports.
    if distributed.is_main():
        machine = {'device': device_name(device), 'peak_memory_mib': memory}
        record = {**machine, 'versions': versions(), 'settings': settings}
        report(output, scores, errors, {**rates_of(outcomes, begin), **record})
        if errors:
            listed = '; '.join(f'{name}: {error}' for name, error in errors.items())
            raise UserError(
                f'{len(errors)} of {len(videos)} videos failed, the others are finished: {listed}'
            )


def segment_all(
    videos: Sequence[BenchmarkVideo],
    new_core: NewCore,
    options: EvaluationOptions,
    device: torch.device,
) -> list[Outcome]:
    """Segment this process's share. A video with a fault does not stop the others."""
    outcomes = []
    total = sum(map(num_frames, videos))
    with progress_bar(total, label=24, hidden=not distributed.is_main()) as progress:
        for number, video in enumerate(videos, 1):
            progress.update(label=f'{video.name} ({number} of {len(videos)})')
            watch = Stopwatch(device)
            error = None
            try:
                with memory_advice(NO_ROOM):
                    segment_video(
                        video, new_core(), watch, options.output, options.num_workers, progress
                    )
            except UserError as fault:
                error = str(fault)
            outcomes.append(Outcome(video.name, watch.laps, watch.seconds, error))
    return outcomes


def segment_video(
    video: BenchmarkVideo,
    core: InferenceCore,
    watch: Stopwatch,
    output: Path,
    num_workers: int = 2,
    progress: progressbar.ProgressBar | None = None,
) -> None:
    """Write the masks of one video; its folder takes its name when it is whole.

    Arguments:
      core: a new InferenceCore, or whatever steps like one.
      watch: measures the time spent in it.
      output: the folder for all videos.
      num_workers: threads that read images.
    """
    part, folder = output / f'.{video.name}.part', output / video.name
    part.mkdir()
    try:
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


def mean_of(videos: Sequence[BenchmarkVideo], new_core: NewCore, device: torch.device) -> Score:
    """Mean score over the objects of all videos, which the processes share. No masks are kept."""
    scores: list[Score] = []
    with tempfile.TemporaryDirectory() as folder:
        for video in distributed.split_by_cost(videos, cost=num_frames):
            assert video.ground_truth is not None
            segment_video(video, new_core(), Stopwatch(device), Path(folder))
            scores += score_video(video.ground_truth, Path(folder) / video.name).values()
    return mean_score(itertools.chain(*distributed.gather(scores)))


def rates_of(outcomes: Sequence[Outcome], begin: float) -> dict[str, Any]:
    """Frames per second of a whole run that began at this time, and what each video took."""
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
    """Print the scores; write them and run.json."""
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
