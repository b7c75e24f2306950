"""Videos as the program ffmpeg shows them, to compare our reading with."""

import importlib.util
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def find_ffmpeg():
    """The path of an ffmpeg program: that of the package imageio-ffmpeg, or the system's."""
    if importlib.util.find_spec('imageio_ffmpeg'):
        import imageio_ffmpeg

        return imageio_ffmpeg.get_ffmpeg_exe()
    return shutil.which('ffmpeg')


FFMPEG = find_ffmpeg()
needs_ffmpeg = pytest.mark.skipif(
    FFMPEG is None, reason='there is no ffmpeg program; install imageio-ffmpeg'
)


def ffmpeg(*words):
    """Run ffmpeg with these arguments. Returns what it printed about its input and output."""
    command = [FFMPEG, '-nostdin', '-hide_banner', '-y', *map(str, words)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stderr


def frames_of_ffmpeg(path):
    """All frames of a video as ffmpeg shows them, each a uint8 array (H, W, 3)."""
    with tempfile.TemporaryDirectory() as folder:
        ffmpeg('-i', path, '-fps_mode', 'passthrough', '-pix_fmt', 'rgb24', f'{folder}/%05d.ppm')
        return [np.asarray(Image.open(file)) for file in sorted(Path(folder).iterdir())]
