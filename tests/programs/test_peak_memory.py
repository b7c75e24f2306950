import subprocess
import sys

import numpy as np
from PIL import Image

from tests.helpers.propagate_runs import ANY_FILE, PROGRAM, arguments, report_of
from util.masks import save_mask

COARSE = """
import sys
from tests.helpers.coarse_network import CoarseNetwork
from tests.helpers.propagate_runs import call
call(CoarseNetwork(), sys.argv[1:])
"""


def run_python(*words):
    command = [sys.executable, *map(str, words)]
    return subprocess.run(
        command, cwd=PROGRAM.parent, capture_output=True, text=True, check=True
    ).stdout


def peak(program, model, folder, num_frames, size):
    """MiB that a run over so many frames, (height, width), takes at most."""
    (folder / 'images').mkdir(parents=True)
    for number in range(num_frames):
        picture = np.full((*size, 3), number % 256, np.uint8)
        Image.fromarray(picture).save(folder / 'images' / f'{number:05}.jpg')
    save_mask(folder / 'mask.png', np.eye(*size, dtype=np.uint8))
    options = ('--max_mem_frames', 10, '--mem_every', 2)
    run_python(*program, *arguments(folder, folder / 'out', *options, mask='mask.png', model=model))
    report = report_of(folder / 'out')
    assert report['frames'] == num_frames
    return report['peak_memory_mib']['host']


def test_peak_memory_does_not_grow_with_the_clip(checkpoint, tmp_path):
    short, long = (
        peak([PROGRAM], checkpoint, tmp_path / str(num_frames), num_frames, (16, 16))
        for num_frames in (40, 400)
    )
    assert abs(long - short) < 0.05 * short, (short, long)


def test_pictures_do_not_pile_up(tmp_path):
    """Without weights, whose loading is the peak of all, so that 100 KiB a frame are seen."""
    short, long = (
        peak(['-c', COARSE], ANY_FILE, tmp_path / str(num_frames), num_frames, (160, 240))
        for num_frames in (40, 240)
    )
    assert abs(long - short) < 0.05 * short, (short, long)


def test_peak_memory_is_not_that_of_the_process_that_started_this_one():
    ballast = bytearray(1000 << 20)  # importing torch with CUDA takes 530
    out = run_python('-c', 'from util.run_info import peak_resident as p; print(p() >> 20)')
    assert int(out) < len(ballast) >> 20
