"""A full disk: one line names the file, nothing is left half-written, and the run can continue.

A limit on the size of files stands in for it. Writing beyond the limit fails as on a full disk,
wherever it is done: in Python, Pillow, PyTorch or FFmpeg.
"""

import resource
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch

from scripts import resizing
from tests.helpers.child_process import Child
from tests.helpers.fault_programs import (
    assert_files_are_whole,
    assert_same_results,
    results_in,
    run_to_the_end,
)
from tests.helpers.folders import files_in
from util.files import atomic_write
from util.masks import save_mask
from util.tensor import save_tensors
from util.visualize import ContactSheet, OverlayVideo, VideoFormat

FULL = [  # program, size limit of files in bytes, part of the name of the file that exceeds it
    ('propagate', 0, '.unfinished/settings.json'),
    ('propagate', 800, '.unfinished/settings.json'),
    ('propagate', 1100, '.unfinished/forward/0000'),
    ('propagate', 35_000, 'out/contact_sheet.png'),
    ('long clip', 50_000, 'out/overlay.mp4'),
    ('eval', 200, 'out/run.json'),
    ('eval', 900, 'out/.b.part/0000'),
    ('eval', 1000, 'out/scores.json'),
    ('train', 3000, 'x_2.pth'),
    ('train', 15_000, 'x_checkpoint.pth'),
    ('resize', 700, 'small.20.part/'),
    ('resize', 1000, 'small.20.part/JPEGImages/'),
    ('resize', 1217, 'small.20.part/JPEGImages/'),
]


@pytest.mark.parametrize('name, largest_file, what', FULL)
def test_a_full_disk_is_reported_and_the_run_can_continue(
    programs, undisturbed, tmp_path, name, largest_file, what
):
    program, expected = programs[name], undisturbed(name)[0]
    words = program.command(tmp_path)
    if name == 'train':  # workers hand over samples in files in /dev/shm
        words += ['--num_workers', 0]
    code, _, errors = Child(program.module, words, largest_file).finish()
    (line,) = [line for line in errors.splitlines() if line.startswith('error:')]
    assert code == 2 and 'Traceback' not in errors, errors
    assert 'File too large' in line and str(tmp_path) in line and what in line, line
    assert_files_are_whole(tmp_path)
    assert not [file for file in files_in(tmp_path) if file.endswith('.part')]
    run_to_the_end(program.module, program.resumed(tmp_path))
    assert_same_results(results_in(tmp_path), expected)


@contextmanager
def largest_file(num_bytes):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def tensors(path):
    generator = torch.Generator().manual_seed(0)
    content = {f'{n}': torch.rand(50, 7, generator=generator) for n in range(9)}
    save_tensors(path, content)


def mask(path):
    save_mask(path, np.random.default_rng(0).integers(0, 9, (90, 70), np.uint8))


def resized_image(path):
    noise = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    with mock.patch.object(resizing, 'read_image', lambda _: noise):
        resizing.resize_file(path.parent, path.parent, 20, Path(path.name))


def movie(path):
    pictures = np.random.default_rng(0).integers(0, 255, (9, 32, 48, 3), np.uint8)
    with atomic_write(path) as part, OverlayVideo(part, VideoFormat((32, 48), 24)) as video:
        for picture in pictures:
            video.add(picture)


def contact_sheet(path):
    sheet = ContactSheet(width=40)
    for number in range(12):
        sheet.add(np.full((30, 40, 3), 20 * number, np.uint8), f'{number}')
    sheet.save(path)


@pytest.mark.parametrize(
    'write, name',
    [
        (tensors, 'x.pth'),
        (mask, 'x.png'),
        (resized_image, 'x.jpg'),
        (movie, 'x.mp4'),
        (contact_sheet, 'x.png'),
    ],
)
def test_a_write_that_fails_at_any_byte_leaves_no_file(tmp_path, write, name):
    path = tmp_path / name
    write(path)
    whole = path.read_bytes()
    path.unlink()
    lengths = [*range(0, len(whole), max(1, len(whole) // 40)), *range(len(whole) - 20, len(whole))]
    for length in lengths:
        with largest_file(length), pytest.raises(OSError) as caught:
            write(path)
        assert caught.value.filename == str(path)
        assert not files_in(tmp_path), length
    write(path)
    assert path.read_bytes() == whole
