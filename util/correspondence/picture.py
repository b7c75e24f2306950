"""Source and target side by side with what was found: for the window, and for a file.

Pictures are uint8 (H, W, 3), RGB; points are pixels (x, y), of the canvas or of a picture.
"""

import cv2
import numpy as np

from util.visualize import overlay

BOX = 640  # pixels that a picture may be wide and high on the canvas; two fit on a small screen
GAP, TITLE, LINE = 10, 32, 26
GROUND, TEXT = (32, 32, 32), (235, 235, 235)
COLOURS = ((255, 255, 0), (0, 255, 255), (255, 0, 255), (0, 255, 0), (255, 140, 0), (90, 150, 255))
MASK_ID = 6  # teal in the palette of masks
HEAT_OPACITY = 0.65  # where it is hottest; nothing where it is 0


class Panel:
    """A picture, scaled to fit its box on the canvas. Attribute: `picture`, the scaled one."""

    def __init__(self, picture, left):
        self.size = picture.shape[:2]
        height, width = self.size
        factor = BOX / max(self.size)
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        method = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
        self.picture = cv2.resize(picture, size, interpolation=method)
        self.left, self.top = left + (BOX - size[0]) // 2, TITLE

    def to_picture(self, x, y):
        """A pixel of the canvas -> the pixel of the picture under it; outside it, too."""
        return self._scale((x - self.left, y - self.top), self.picture.shape[:2], self.size)

    def to_panel(self, point):
        """A pixel of the picture -> the pixel of `self.picture` that shows its middle."""
        return self._scale(point, self.size, self.picture.shape[:2])

    @staticmethod
    def _scale(point, size, new_size):
        sides = zip(point, size[::-1], new_size[::-1], strict=True)
        return tuple(int((place + 0.5) * new // old) for place, old, new in sides)


class SideBySide:
    """The canvas for two pictures. titles: of the source and of the target."""

    def __init__(self, source, target, titles):
        self.source, self.target = Panel(source, GAP), Panel(target, 2 * GAP + BOX)
        self.titles = titles
        self.bottom = TITLE + max(len(panel.picture) for panel in (self.source, self.target))

    def draw(self, points, mask, matches, lines):
        """-> the canvas: points and mask (bool (H, W) or None) of the source, their matches in
        the target over its heat map, and lines of text below."""
        size = (self.bottom + GAP // 2 + LINE * len(lines), 3 * GAP + 2 * BOX, 3)
        canvas = np.full(size, GROUND, np.uint8)
        source, target = self.source.picture.copy(), self.target.picture.copy()
        if mask is not None:
            shown = cv2.resize(
                mask.astype(np.uint8), source.shape[1::-1], interpolation=cv2.INTER_NEAREST
            )
            source = overlay(source, MASK_ID * shown)
        if matches:
            target = add_heat(target, np.max([to_one(match.heat) for match in matches], 0))
        for panel, picture, marked in (
            (self.source, source, points),
            (self.target, target, [match.point for match in matches]),
        ):
            for number, point in enumerate(marked):
                if point is None:  # a point of the source that is nowhere in the target
                    continue
                mark(picture, panel.to_panel(point), number, labelled=len(marked) > 1)
            height, width = picture.shape[:2]
            canvas[panel.top : panel.top + height, panel.left : panel.left + width] = picture
        for x, title in zip((GAP, 2 * GAP + BOX), self.titles, strict=True):
            write(canvas, title, (x, TITLE - 10), BOX)
        for number, line in enumerate(lines, 1):
            write(canvas, line, (GAP, self.bottom + LINE * number - 4), 2 * BOX + GAP)
        return canvas


def to_one(heat):
    """Scaled so that its largest value is 1; all zeros stay."""
    return heat / max(heat.max(), np.finfo(np.float32).tiny)


def add_heat(picture, heat):
    """Lay a heat map (any size, in [0, 1]) over a picture: 1 is red, 0 leaves the picture."""
    heat = cv2.resize(heat, picture.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    colours = cv2.applyColorMap((255 * heat).astype(np.uint8), cv2.COLORMAP_TURBO)[..., ::-1]
    share = HEAT_OPACITY * heat[..., None]
    return (picture * (1 - share) + colours * share).astype(np.uint8)


def mark(picture, place, number, *, labelled):
    """Draw a ring with a dot at `place`, in a colour and with a label that go with the number."""
    colour = COLOURS[number % len(COLOURS)]
    for thickness, shade in ((4, (0, 0, 0)), (2, colour)):
        cv2.circle(picture, place, 11, shade, thickness, cv2.LINE_AA)
    cv2.circle(picture, place, 1, colour, -1)
    if labelled:
        corner = (place[0] + 15, place[1] + 6)
        for thickness, shade in ((4, (0, 0, 0)), (1, colour)):
            write(picture, str(number + 1), corner, BOX, shade, thickness)


def write(canvas, text, corner, room, colour=TEXT, thickness=1):
    """Write a line whose lower left corner is given, cut to `room` pixels."""
    font = (cv2.FONT_HERSHEY_SIMPLEX, 0.55)
    whole = text
    while cv2.getTextSize(text, *font, thickness)[0][0] > room:
        whole = whole[:-1]
        text = whole + '...'
    cv2.putText(canvas, text, corner, *font, colour, thickness, cv2.LINE_AA)
