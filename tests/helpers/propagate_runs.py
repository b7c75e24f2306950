"""Running propagate.py in this process or in one of its own, and reading its results."""

import contextlib
import io
import json
import subprocess
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

import propagate
from inference_core import InferenceCore
from tests.helpers import stand_in
from tests.helpers.folders import files_in
from tests.helpers.processes import hear_ctrl_c, wait_until
from util.masks import load_mask

PROGRAM = Path(propagate.__file__)
ANY_FILE = stand_in.GOLDEN / 'memory_read.npz'  # --model is hashed even where it is not read


def arguments(
    clip, output, *options, source='images', mask='masks/00000.png', model=ANY_FILE, size=-1
):
    """Arguments of propagate.py. No --size if that is None.

    source, mask and model are absolute, or relative to the clip.
    """
    words = [clip / source, '--mask', clip / mask, '--output', output, '--model', clip / model]
    sizes = [] if size is None else ['--size', size]
    return [str(word) for word in (*words, *sizes, *options)]


def call(network, words):
    """Call propagate.main; with None for the network it loads --model."""
    loaded = mock.patch('inference_core.load_network', lambda *args, **options: network)
    with loaded if network else contextlib.nullcontext():
        propagate.main(words)


def run(network, clip, output, *options, **files):
    """Call propagate.main with `arguments` of these, and return the output folder."""
    call(network, arguments(clip, output, *options, **files))
    return output


def interrupt(network, clip, output, num_steps, *options, **files):
    """`run`, stopped by Ctrl-C after so many frames went through the network."""
    step, steps = InferenceCore.step, iter(range(num_steps))

    def limited_step(core, *args, **options):
        if next(steps, None) is None:
            raise KeyboardInterrupt
        return step(core, *args, **options)

    with mock.patch.object(InferenceCore, 'step', limited_step), pytest.raises(SystemExit) as end:
        run(network, clip, output, *options, **files)
    assert end.value.code == 130


def error_line(network, capsys, words):
    """The one line on stderr with which propagate.main gives up."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        call(network, words)
    errors = capsys.readouterr().err
    assert end.value.code == 2
    assert 'Traceback' not in errors and errors.count('error: ') == 1
    return errors.splitlines()[-1]


def stop_process(words, folder, num_masks, signal_number):
    """Run propagate.py as a process and send it a signal once `folder` holds so many masks.

    Returns its exit code and what it wrote to stderr.
    """
    command = [sys.executable, PROGRAM, *words]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=hear_ctrl_c
    )
    wait_until(lambda: len(list(folder.glob('*.png'))) >= num_masks, process, process.communicate)
    process.send_signal(signal_number)
    errors = process.communicate()[1]
    return process.returncode, errors


def record_progress(monkeypatch):
    """A text file that receives what progress bars show from now on."""
    shown = io.StringIO()
    monkeypatch.setattr(sys, '__stderr__', shown)
    return shown


def results_of(output):
    """Every file of a run but run.json, byte for byte, and the names of all files."""
    files = files_in(output)
    return {name: content for name, content in files.items() if name != 'run.json'}, set(files)


def masks_in(output):
    """The masks of a run, uint8 (H, W), by the name of their frame."""
    return {path.stem: load_mask(path) for path in sorted((output / 'masks').glob('*.png'))}


def report_of(output):
    return json.loads((output / 'run.json').read_text())


def assert_same_masks(masks, expected):
    assert list(masks) == list(expected)
    for name in expected:
        np.testing.assert_array_equal(masks[name], expected[name], err_msg=name)
