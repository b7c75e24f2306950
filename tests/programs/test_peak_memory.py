"""Memory that a run takes at most, as run.json records it."""

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
    """Peak memory in MiB of a run over frames of a size (height, width)."""
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


def test_decoded_frames_do_not_accumulate(tmp_path):
    """Loading weights would be the peak. Without them, 100 KiB per frame would show."""
    short, long = (
        peak(['-c', COARSE], ANY_FILE, tmp_path / str(num_frames), num_frames, (160, 240))
        for num_frames in (40, 240)
    )
    assert abs(long - short) < 0.05 * short, (short, long)


def test_peak_memory_does_not_include_the_parent_process():
    ballast = bytearray(1000 << 20)  # importing torch with CUDA takes the child 530 MiB
    out = run_python('-c', 'from util.device import peak_resident as p; print(p() >> 20)')
    assert int(out) < len(ballast) >> 20
