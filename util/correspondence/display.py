"""Whether there is a display that a window can open on. Nothing heavy is imported here."""

import os
import subprocess
import sys

from util.errors import UserError

VARIABLES = ('DISPLAY', 'WAYLAND_DISPLAY', 'QT_QPA_PLATFORM')
OPEN_WINDOW = 'import cv2; cv2.namedWindow(".")'  # OpenCV refuses an empty name


def check_display() -> None:
    """Raise UserError if OpenCV cannot open a window.

    A process of its own tries it, because Qt aborts the process if DISPLAY does not answer.
    """
    reason = 'DISPLAY is not set'
    if sys.platform != 'linux' or any(os.environ.get(name) for name in VARIABLES):
        command = [sys.executable, '-c', OPEN_WINDOW]
        tried = subprocess.run(command, capture_output=True, text=True)
        if tried.returncode == 0:
            return
        lines = [line for line in tried.stderr.splitlines() if 'display' in line or 'error' in line]
        reason = lines[0].strip() if lines else f'OpenCV exits with code {tried.returncode}'
    raise UserError(
        f'no display to open a window on ({reason}); name a source with --point X,Y or --mask and '
        'write the picture with --save OUT.png'
    )
