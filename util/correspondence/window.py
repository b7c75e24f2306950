"""The window of try_correspondence.py: what clicks and keys do, and a thin loop around OpenCV."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from util.correspondence.picture import SideBySide
from util.errors import UserError
from util.files import atomic_write

WINDOW = 'correspondence'
HINT = 'click in the source picture'
KEYS = 'click, drag: point   right-drag: paint a mask   s: save   c: clear   q, Esc: quit'
BRUSH = 12  # radius in pixels of the canvas
TRY_WINDOW = 'import cv2; cv2.namedWindow(".")'  # the name must not be empty


class Viewer:
    """What is shown, and how clicks and keys change it; knows nothing of a display.

    pair: finds the match of a point and of a mask (model.correspondence.Correspondence). source,
    target: uint8 pictures (H, W, 3); titles: of both. folder: where the key s saves. Attributes:
    `points`, a list of (x, y), or `mask`, bool (H, W), of the source, never both; `matches`, one
    for each point, or one for the mask; `changed` since the last `draw`; `done`.
    """

    def __init__(self, pair, source, target, titles, folder='.'):
        self.pair, self.folder = pair, Path(folder)
        self.board = SideBySide(source, target, titles)
        self.done = False
        self._held = self._last = None  # the button that is down, and where the brush was last
        self.clear()

    def clear(self):
        self._set([], None, [])

    def set_points(self, points):
        self._set(points, None, [self.pair.of_point(point) for point in points])

    def set_mask(self, mask):
        self._set([], mask, [self.pair.of_mask(mask)])

    def on_mouse(self, event, x, y):
        """event: of OpenCV (cv2.EVENT_...); x, y: the pixel of the canvas."""
        pressed = {cv2.EVENT_LBUTTONDOWN: 'left', cv2.EVENT_RBUTTONDOWN: 'right'}.get(event)
        place = self.board.source.to_picture(x, y)
        if pressed:
            self._held = pressed if place == self._inside(place) else None
            self._last = None
        elif event in (cv2.EVENT_LBUTTONUP, cv2.EVENT_RBUTTONUP):
            self._held = None
        if self._held == 'left':
            self.set_points([self._inside(place)])
        elif self._held == 'right':
            self._paint(place)

    def on_key(self, key):
        """key: its code, -1 for none."""
        name = 'Esc' if key == 27 else chr(key).lower() if key >= 0 else ''
        if name in ('q', 'Esc'):
            self.done = True
        elif name == 'c':
            self.clear()
        elif name == 's':
            self._save()

    def findings(self):
        """A sentence on each match."""
        sources = ['{}, {}'.format(*point) for point in self.points] or ['mask']
        if len(sources) > 1:
            sources = [f'{number}: {source}' for number, source in enumerate(sources, 1)]
        pairs = zip(sources, self.matches, strict=False)  # no match without a point or a mask
        return [f'{source} -> {describe(match)}' for source, match in pairs]

    def summary(self):
        """The line below the pictures."""
        return '   '.join([*self.findings(), '(red: the best match)']) if self.matches else HINT

    def picture(self):
        """The canvas without what only a window needs: what is saved."""
        return self.board.draw(self.points, self.mask, self.matches, [self.summary()])

    def draw(self):
        """The canvas for the window."""
        self.changed = False
        lines = [self.message or self.summary(), KEYS]
        return self.board.draw(self.points, self.mask, self.matches, lines)

    def _set(self, points, mask, matches):
        self.points, self.mask, self.matches = points, mask, matches
        self.message, self.changed = '', True

    def _inside(self, place):
        """The pixel of the source that is nearest to this one."""
        height, width = self.board.source.size
        return min(max(place[0], 0), width - 1), min(max(place[1], 0), height - 1)

    def _paint(self, place):
        """A stroke of the brush from where it was to `place`, over what was painted before."""
        size = self.board.source.size
        mask = np.zeros(size, np.uint8) if self.mask is None else self.mask.astype(np.uint8)
        radius = round(BRUSH * max(size) / max(self.board.source.picture.shape))
        cv2.line(mask, self._last or place, place, 1, max(1, 2 * radius))
        self._last = place
        self.set_mask(mask > 0)

    def _save(self):
        names = (self.folder / f'correspondence_{number:03}.png' for number in range(1, 10**6))
        path = next(path for path in names if not path.exists())
        try:
            save_picture(path, self.picture())
            self.message = f'saved as {path}'
        except OSError as error:
            self.message = f'cannot save {path}: {error.strerror}'
        self.changed = True


def describe(match):
    if match.point is None:
        return 'nowhere, no cell of the target takes anything from there'
    return '{}, {} with probability {:.3g}'.format(*match.point, match.probability)


def save_picture(path, picture):
    with atomic_write(path) as part:
        Image.fromarray(picture).save(part, format='PNG')


def check_display():
    """Raise UserError where OpenCV cannot open a window.

    Tried in a process of its own: with a DISPLAY that does not answer, Qt ends the process.
    """
    variables = ('DISPLAY', 'WAYLAND_DISPLAY', 'QT_QPA_PLATFORM')
    reason = 'DISPLAY is not set'
    if sys.platform != 'linux' or any(os.environ.get(name) for name in variables):
        tried = subprocess.run([sys.executable, '-c', TRY_WINDOW], capture_output=True, text=True)
        if tried.returncode == 0:
            return
        lines = [line for line in tried.stderr.splitlines() if 'display' in line or 'error' in line]
        reason = lines[0].strip() if lines else f'OpenCV ends with {tried.returncode}'
    raise UserError(
        f'no display to open a window on ({reason}); name a source with --point X,Y or --mask and '
        'write the picture with --save OUT.png'
    )


def show(viewer):
    """Open the window; returns when it is closed or a key ends it."""
    # without Qt's own menu, which would open on a right click
    cv2.namedWindow(WINDOW, cv2.WINDOW_AUTOSIZE | cv2.WINDOW_GUI_NORMAL)
    cv2.setMouseCallback(WINDOW, lambda event, x, y, *_: viewer.on_mouse(event, x, y))
    while not viewer.done:
        if viewer.changed:
            cv2.imshow(WINDOW, np.ascontiguousarray(viewer.draw()[..., ::-1]))
        viewer.on_key(cv2.waitKey(20))
        if is_closed():
            return
    cv2.destroyAllWindows()


def is_closed():
    try:
        return cv2.getWindowProperty(WINDOW, cv2.WND_PROP_VISIBLE) < 1
    except cv2.error:  # with its last window, Qt has gone
        return True
