"""Source and target side by side with what was found: for the window, and for a file.

Pictures are uint8 (H, W, 3), RGB; points are pixels (x, y), of the canvas or of a picture.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from model.correspondence import Match
from util.visualize import overlay

Point = tuple[int, int]  # x, y
Colour = tuple[int, int, int]  # red, green, blue

BOX = 640  # most pixels that a picture takes in width and height; two fit on a small screen
GAP, TITLE, LINE = 10, 32, 26  # pixels: between pictures; height of the titles, of a line of text
GROUND, TEXT = (32, 32, 32), (235, 235, 235)
COLOURS = ((255, 255, 0), (0, 255, 255), (255, 0, 255), (0, 255, 0), (255, 140, 0), (90, 150, 255))
MASK_ID = 6  # teal in the palette of masks
HEAT_OPACITY = 0.65  # where the heat is 1; the picture shows unchanged where it is 0


class Panel:
    """A picture, scaled to fit its box on the canvas.

    Attributes:
        size: (H, W) of the picture as it was.
        picture: the scaled one.
        left, top: the pixel of the canvas where it begins.
    """

    def __init__(self, picture: np.ndarray, left: int) -> None:
        height, width = self.size = picture.shape[0], picture.shape[1]
        factor = BOX / max(self.size)
        new_width, new_height = max(1, round(width * factor)), max(1, round(height * factor))
        method = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
        self.picture = cv2.resize(picture, (new_width, new_height), interpolation=method)
        self.left, self.top = left + (BOX - new_width) // 2, TITLE

    def to_picture(self, x: int, y: int) -> Point:
        """The pixel of the picture at a pixel of the canvas; may lie outside the picture."""
        return rescale((x - self.left, y - self.top), self.picture.shape[:2], self.size)

    def to_panel(self, point: Point) -> Point:
        """The pixel of `self.picture` that shows the middle of a pixel of the picture."""
        return rescale(point, self.size, self.picture.shape[:2])


def rescale(point: Point, size: tuple[int, ...], new_size: tuple[int, ...]) -> Point:
    """The pixel that holds the middle of `point` once a picture is scaled; sizes are (H, W)."""
    (x, y), (height, width), (new_height, new_width) = point, size, new_size
    return int((x + 0.5) * new_width // width), int((y + 0.5) * new_height // height)


class SideBySide:
    """The canvas for two pictures, with the titles of the source and of the target."""

    def __init__(self, source: np.ndarray, target: np.ndarray, titles: tuple[str, str]) -> None:
        self.source, self.target = Panel(source, GAP), Panel(target, 2 * GAP + BOX)
        self.titles = titles
        self.bottom = TITLE + max(len(panel.picture) for panel in (self.source, self.target))

    def draw(
        self,
        points: Sequence[Point],
        mask: np.ndarray | None,
        matches: Sequence[Match],
        lines: Sequence[str],
    ) -> np.ndarray:
        """Draw the canvas.

        Arguments:
            points, mask: what was chosen in the source; the mask is bool (H, W).
            matches: what was found in the target, drawn over its heat map.
            lines: text below the pictures.
        """
        size = (self.bottom + GAP // 2 + LINE * len(lines), 3 * GAP + 2 * BOX, 3)
        canvas = np.full(size, GROUND, np.uint8)
        source, target = self.source.picture.copy(), self.target.picture.copy()
        if mask is not None:
            height, width = source.shape[:2]
            shown = cv2.resize(
                mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST
            )
            source = overlay(source, MASK_ID * shown)
        if matches:
            target = add_heat(target, np.max([to_one(match.heat) for match in matches], 0))
        for panel, picture, marked in (
            (self.source, source, points),
            (self.target, target, [match.point for match in matches]),
        ):
            for number, point in enumerate(marked):
                if point is None:  # this point of the source was found nowhere in the target
                    continue
                mark(picture, panel.to_panel(point), number, labelled=len(marked) > 1)
            height, width = picture.shape[:2]
            canvas[panel.top : panel.top + height, panel.left : panel.left + width] = picture
        for x, title in zip((GAP, 2 * GAP + BOX), self.titles, strict=True):
            write(canvas, title, (x, TITLE - 10), BOX)
        for number, line in enumerate(lines, 1):
            write(canvas, line, (GAP, self.bottom + LINE * number - 4), 2 * BOX + GAP)
        return canvas


def to_one(heat: np.ndarray) -> np.ndarray:
    """Scale a heat map so that its largest value is 1; one of zeros only is left as it is."""
    return heat / max(heat.max(), np.finfo(np.float32).tiny)


def add_heat(picture: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Lay a heat map (any size, in [0, 1]) over a picture: 1 is red, 0 leaves the picture."""
    height, width = picture.shape[:2]
    heat = cv2.resize(heat, (width, height), interpolation=cv2.INTER_LINEAR)
    colours = cv2.applyColorMap((255 * heat).astype(np.uint8), cv2.COLORMAP_TURBO)[..., ::-1]
    share = HEAT_OPACITY * heat[..., None]
    return (picture * (1 - share) + colours * share).astype(np.uint8)


def mark(picture: np.ndarray, place: Point, number: int, *, labelled: bool) -> None:
    """Draw a ring with a dot at `place`. The number chooses its colour and is its label."""
    colour = COLOURS[number % len(COLOURS)]
    for thickness, shade in ((4, (0, 0, 0)), (2, colour)):  # a dark rim, then the ring
        cv2.circle(picture, place, 11, shade, thickness, cv2.LINE_AA)
    cv2.circle(picture, place, 1, colour, -1)
    if labelled:
        corner = (place[0] + 15, place[1] + 6)
        for thickness, shade in ((4, (0, 0, 0)), (1, colour)):
            write(picture, str(number + 1), corner, BOX, shade, thickness)


def write(
    canvas: np.ndarray,
    text: str,
    corner: Point,
    room: int,
    colour: Colour = TEXT,
    thickness: int = 1,
) -> None:
    """Write a line of text whose lower left corner is given, cut to `room` pixels."""
    font, scale = cv2.FONT_HERSHEY_SIMPLEX, 0.55
    whole = text
    while cv2.getTextSize(text, font, scale, thickness)[0][0] > room:
        whole = whole[:-1]
        text = whole + '...'
    cv2.putText(canvas, text, corner, font, scale, colour, thickness, cv2.LINE_AA)
