"""Running propagate.py in tests: in this process, or as one of its own that can be killed.

Clips are folders with images/ and masks/, frames of 48 x 32.
"""

import contextlib
import io
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

import av
import numpy as np
import pytest
from PIL import Image

import propagate
from inference_core import InferenceCore
from tests.conftest import write_clip
from tests.helpers import stand_in
from util.masks import load_mask, save_mask

PROGRAM = Path(propagate.__file__)
ANY_FILE = stand_in.GOLDEN / 'memory_read.npz'  # a checkpoint is hashed also where none is read


def make_clip(folder, num_frames=8):
    """Two boxes that move -> the folder."""
    return write_clip(folder, *stand_in.clip(num_frames, 32, 48))


def annotate(folder, drawn):
    """Masks by frame: {0: [1], 5: [2]} draws object 1 on frame 0, 2 on 5 -> the folder of masks."""
    folder.mkdir()
    for number, ids in drawn.items():
        mask = np.zeros((32, 48), np.uint8)
        for i in ids:
            mask[4 * i : 4 * i + 10, 8 * i + number : 8 * i + number + 12] = i
        save_mask(folder / f'{number:05}.png', mask)
    return folder


def make_video(clip, path, fps=10):
    """The images of a clip as a lossless video -> its path."""
    with av.open(str(path), 'w', format='matroska') as container:
        stream = container.add_stream('ffv1', rate=fps)
        stream.width, stream.height, stream.pix_fmt = 48, 32, 'bgr0'
        for image in sorted((clip / 'images').iterdir()):
            frame = av.VideoFrame.from_ndarray(np.array(Image.open(image)), format='rgb24')
            container.mux(stream.encode(frame.reformat(format='bgr0')))
        container.mux(stream.encode())
    return path


def words_for(
    clip, output, *options, source='images', mask='masks/00000.png', model=ANY_FILE, size=-1
):
    """Arguments of propagate.py; source, mask and model are absolute or lie in the clip."""
    words = [clip / source, '--mask', clip / mask, '--output', output, '--model', clip / model]
    return [str(word) for word in (*words, '--size', size, *options)]


def call(network, words):
    """propagate.main with the network at hand, or with None: that of --model."""
    loaded = mock.patch('inference_core.load_network', lambda *args, **options: network)
    with loaded if network else contextlib.nullcontext():
        propagate.main(words)


def run(network, clip, output, *options, **files):
    """propagate.main with `words_for` these -> the output."""
    call(network, words_for(clip, output, *options, **files))
    return output


def interrupt(network, clip, output, num_steps, *options, **files):
    """`run`, stopped by Ctrl-C after so many frames went through the network."""
    step, steps = InferenceCore.step, iter(range(num_steps))

    def limited_step(core, *args):
        if next(steps, None) is None:
            raise KeyboardInterrupt
        return step(core, *args)

    with mock.patch.object(InferenceCore, 'step', limited_step), pytest.raises(SystemExit) as end:
        run(network, clip, output, *options, **files)
    assert end.value.code == 130


def refused(network, capsys, words):
    """The one sentence on stderr with which propagate.main gives up."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        call(network, words)
    errors = capsys.readouterr().err
    assert end.value.code == 2
    assert 'Traceback' not in errors and errors.count('error: ') == 1
    return errors.splitlines()[-1]


def hear_ctrl_c():
    """Jobs in the background ignore SIGINT, and hand that down."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def stop_process(words, folder, num_masks, signal_number):
    """propagate.py as a process of its own, which gets a signal once `folder` holds so many masks.

    -> its exit code, what it wrote to stderr.
    """
    command = [sys.executable, PROGRAM, *words]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=hear_ctrl_c
    )
    deadline = time.monotonic() + 100
    while len(list(folder.glob('*.png'))) < num_masks:
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.005)
    process.send_signal(signal_number)
    errors = process.communicate()[1]
    return process.returncode, errors


def shown_progress(monkeypatch):
    """-> a file that holds what progress bars show from now on."""
    shown = io.StringIO()
    monkeypatch.setattr(sys, '__stderr__', shown)
    return shown


def names(numbers):
    return [f'{number:05}' for number in numbers]


def names_in(folder):
    return {path.name for path in folder.iterdir()}


def files_in(folder):
    """Every file below a folder: path relative to it -> content."""
    files = (path for path in sorted(folder.rglob('*')) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def pictures_in(output):
    """The masks and the contact sheet of a run, byte for byte, and the names of all files."""
    files = files_in(output)
    return {name: content for name, content in files.items() if name != 'run.json'}, set(files)


def masks_in(output):
    """Name of the frame -> uint8 (H, W)."""
    return {path.stem: load_mask(path) for path in sorted((output / 'masks').glob('*.png'))}


def report_of(output):
    return json.loads((output / 'run.json').read_text())


def assert_same(masks, expected):
    assert list(masks) == list(expected)
    for name in expected:
        np.testing.assert_array_equal(masks[name], expected[name], err_msg=name)
