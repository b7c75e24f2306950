"""The window of try_correspondence.py: what clicks and keys do, and a thin loop around OpenCV."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from model.correspondence import Correspondence, Match
from util.correspondence.picture import Point, SideBySide
from util.files import atomic_write

WINDOW = 'correspondence'
HINT = 'click in the source picture'
KEYS = 'click, drag: point   right-drag: paint a mask   s: save   c: clear   q, Esc: quit'
BRUSH = 12  # radius in pixels of the canvas


class Viewer:
    """What is shown, and how clicks and keys change it; needs no display.

    Arguments:
        pair: finds the match of a point or of a mask.
        source, target: pictures, uint8 (H, W, 3), RGB.
        titles: one for the source and one for the target.
        folder: where the key s saves.

    Attributes:
        points: pixels (x, y) of the source to find; empty if there is a mask.
        mask: what to find instead, bool (H, W) in the source, or None.
        matches: one for each point, or one for the mask.
        changed: whether anything has changed since the last `draw`.
        done: whether a key has asked to quit.
    """

    def __init__(
        self,
        pair: Correspondence,
        source: np.ndarray,
        target: np.ndarray,
        titles: tuple[str, str],
        folder: Path | str = '.',
    ) -> None:
        self.pair, self.folder = pair, Path(folder)
        self.board = SideBySide(source, target, titles)
        self.done = False
        self._button: str | None = None  # the mouse button that is held down in the source
        self._last: Point | None = None  # the last pixel that the brush painted in this stroke
        self.clear()

    def clear(self) -> None:
        """Forget the points or the mask."""
        self._set([], None, [])

    def set_points(self, points: Sequence[Point]) -> None:
        """Find these pixels (x, y) of the source."""
        self._set(points, None, [self.pair.of_point(point) for point in points])

    def set_mask(self, mask: np.ndarray) -> None:
        """Find what this mask of the source covers, bool (H, W)."""
        self._set([], mask, [self.pair.of_mask(mask)])

    def on_mouse(self, event: int, x: int, y: int) -> None:
        """React to an event of OpenCV (cv2.EVENT_...) at a pixel of the canvas."""
        pressed = {cv2.EVENT_LBUTTONDOWN: 'left', cv2.EVENT_RBUTTONDOWN: 'right'}.get(event)
        place = self.board.source.to_picture(x, y)
        if pressed:
            self._button = pressed if place == self._inside(place) else None
            self._last = None
        elif event in (cv2.EVENT_LBUTTONUP, cv2.EVENT_RBUTTONUP):
            self._button = None
        if self._button == 'left':
            self.set_points([self._inside(place)])
        elif self._button == 'right':
            self._paint(place)

    def on_key(self, key: int) -> None:
        """React to a key, given by its code; -1 stands for no key."""
        name = 'Esc' if key == 27 else chr(key).lower() if key >= 0 else ''
        if name in ('q', 'Esc'):
            self.done = True
        elif name == 'c':
            self.clear()
        elif name == 's':
            self._save()

    def findings(self) -> list[str]:
        """One line for each match."""
        sources = ['{}, {}'.format(*point) for point in self.points] or ['mask']
        if len(sources) > 1:
            sources = [f'{number}: {source}' for number, source in enumerate(sources, 1)]
        pairs = zip(sources, self.matches, strict=False)  # nothing chosen yet: no matches
        return [f'{source} -> {describe(match)}' for source, match in pairs]

    def summary(self) -> str:
        """The line below the pictures."""
        return '   '.join([*self.findings(), '(red: the best match)']) if self.matches else HINT

    def picture(self) -> np.ndarray:
        """The canvas to save, which leaves out what only a window needs: uint8 (H, W, 3)."""
        return self.board.draw(self.points, self.mask, self.matches, [self.summary()])

    def draw(self) -> np.ndarray:
        """The canvas for the window, with a line about the keys: uint8 (H, W, 3)."""
        self.changed = False
        lines = [self.message or self.summary(), KEYS]
        return self.board.draw(self.points, self.mask, self.matches, lines)

    def _set(
        self, points: Sequence[Point], mask: np.ndarray | None, matches: Sequence[Match]
    ) -> None:
        self.points, self.mask, self.matches = points, mask, matches
        self.message, self.changed = '', True

    def _inside(self, place: Point) -> Point:
        """The pixel of the source that is nearest to this place."""
        height, width = self.board.source.size
        return min(max(place[0], 0), width - 1), min(max(place[1], 0), height - 1)

    def _paint(self, place: Point) -> None:
        """Add a stroke of the brush, from where it was last to `place`, to the mask."""
        size = self.board.source.size
        mask = np.zeros(size, np.uint8) if self.mask is None else self.mask.astype(np.uint8)
        radius = round(BRUSH * max(size) / max(self.board.source.picture.shape))
        cv2.line(mask, self._last or place, place, 1, max(1, 2 * radius))
        self._last = place
        self.set_mask(mask > 0)

    def _save(self) -> None:
        names = (self.folder / f'correspondence_{number:03}.png' for number in range(1, 10**6))
        path = next(path for path in names if not path.exists())
        try:
            save_picture(path, self.picture())
            self.message = f'saved as {path}'
        except OSError as error:
            self.message = f'cannot save {path}: {error.strerror}'
        self.changed = True


def describe(match: Match) -> str:
    if match.point is None:
        return 'nowhere: no place in the target reads from it'
    return '{}, {} with probability {:.3g}'.format(*match.point, match.probability)


def save_picture(path: Path, picture: np.ndarray) -> None:
    """Write a picture, uint8 (H, W, 3), as a PNG."""
    with atomic_write(path) as part:
        Image.fromarray(picture).save(part, format='PNG')


def show(viewer: Viewer) -> None:
    """Open the window; returns when it is closed or a key asks to quit."""
    # WINDOW_GUI_NORMAL: without it, a right click would open Qt's own menu
    cv2.namedWindow(WINDOW, cv2.WINDOW_AUTOSIZE | cv2.WINDOW_GUI_NORMAL)
    cv2.setMouseCallback(WINDOW, lambda event, x, y, *_: viewer.on_mouse(event, x, y))
    while not viewer.done:
        if viewer.changed:
            cv2.imshow(WINDOW, np.ascontiguousarray(viewer.draw()[..., ::-1]))
        viewer.on_key(cv2.waitKey(20))
        if is_closed():
            return
    cv2.destroyAllWindows()


def is_closed() -> bool:
    """Whether the user has closed the window."""
    try:
        return cv2.getWindowProperty(WINDOW, cv2.WND_PROP_VISIBLE) < 1
    except cv2.error:  # Qt shuts down when its last window closes
        return True
