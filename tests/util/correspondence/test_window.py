"""The window of try_correspondence.py: its logic without a display, and real clicks in a real
window on a virtual display (Xvfb and xdotool)."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

import try_correspondence
from model.correspondence import Correspondence, Grid
from model.network import load_network
from tests.helpers import stand_in
from tests.helpers.virtual_display import MISSING, RealWindow, ask_to_close, virtual_display
from util.correspondence.display import VARIABLES, check_display
from util.correspondence.picture import BOX, GAP, TITLE, write
from util.correspondence.run import relate
from util.correspondence.window import Viewer
from util.errors import UserError

LEFT = (cv2.EVENT_LBUTTONDOWN, cv2.EVENT_MOUSEMOVE, cv2.EVENT_LBUTTONUP)
RIGHT = (cv2.EVENT_RBUTTONDOWN, cv2.EVENT_MOUSEMOVE, cv2.EVENT_RBUTTONUP)
needs_display = pytest.mark.skipif(bool(MISSING), reason=f'not installed: {", ".join(MISSING)}')


def identity_viewer(size, folder='.'):
    """A Viewer of two grey pictures of one size, each of whose cells matches its own place."""
    grid = Grid(size, size)
    pair = Correspondence(torch.eye(grid.shape[0] * grid.shape[1]), grid, grid)
    picture = np.full((*size, 3), 128, np.uint8)
    return Viewer(pair, picture, picture, ('source: a', 'target: b'), folder)


def drag(viewer, buttons, *places):
    """Press at the first of these places of the canvas, move to the others, release at the last."""
    down, move, up = buttons
    for event, place in ((down, places[0]), *((move, p) for p in places[1:]), (up, places[-1])):
        viewer.on_mouse(event, *place)


def on_canvas(viewer, x, y, column=0):
    """The pixel of the canvas for a place in a picture, given as fractions of its sides.

    column: 0 for the source, 1 for the target.
    """
    height, width = viewer.board.source.size
    factor = BOX / max(height, width)
    left = GAP + column * (BOX + GAP) + (BOX - width * factor) / 2
    return round(left + x * width * factor), round(TITLE + y * height * factor)


@pytest.mark.parametrize('size', [(96, 128), (50, 71), (1000, 700), (40, 300)])
def test_the_heat_on_the_target_is_where_the_source_was_clicked(size):
    """They agree on the canvas, however much the pictures are scaled."""
    viewer = identity_viewer(size)
    before = viewer.draw()
    half_cell = 8 * BOX / max(size) + 2
    for place in [(0.02, 0.03), (0.5, 0.5), (0.3, 0.8), (0.97, 0.98)]:
        x, y = on_canvas(viewer, *place)
        drag(viewer, LEFT, (x, y))
        viewer.points = []  # no mark in the source, and none in the target: only the heat changes
        viewer.matches = [match._replace(point=None) for match in viewer.matches]
        change = np.abs(
            viewer.draw()[: viewer.board.bottom].astype(int) - before[: viewer.board.bottom]
        )
        hottest = np.argwhere(change.sum(2) > 0.95 * change.sum(2).max()).mean(0)  # y, x
        away = np.abs(hottest - on_canvas(viewer, *place, column=1)[::-1])
        assert away.max() <= half_cell


def test_a_click_is_mapped_back_from_the_scaled_picture():
    viewer = identity_viewer((1000, 700))
    drag(viewer, LEFT, on_canvas(viewer, 0.25, 0.75))
    assert np.abs(np.subtract(viewer.points, (175, 750))).max() <= 2
    assert len(viewer.matches) == 1


def test_dragging_moves_the_point_and_stops_at_the_border():
    viewer = identity_viewer((96, 128))
    drag(viewer, LEFT, on_canvas(viewer, 0.5, 0.5), on_canvas(viewer, 0.25, 0.5))
    assert viewer.points == [(32, 48)]
    drag(viewer, LEFT, on_canvas(viewer, 0.5, 0.5), (5000, -30))
    assert viewer.points == [(127, 0)]


def test_neither_hovering_nor_clicking_beside_the_source_does_anything():
    viewer = identity_viewer((96, 128))
    viewer.on_mouse(cv2.EVENT_MOUSEMOVE, *on_canvas(viewer, 0.5, 0.5))
    for buttons in (LEFT, RIGHT):
        drag(viewer, buttons, on_canvas(viewer, 0.5, 0.5, column=1), on_canvas(viewer, 0.5, 0.5))
        drag(viewer, buttons, (3, 3), on_canvas(viewer, 0.5, 0.5))
    assert not viewer.points and viewer.mask is None and not viewer.matches


def test_a_right_drag_paints_a_mask_in_place_of_the_point_and_a_click_removes_it():
    viewer = identity_viewer((96, 128))
    drag(viewer, LEFT, on_canvas(viewer, 0.5, 0.5))
    drag(viewer, RIGHT, on_canvas(viewer, 0.25, 0.25), on_canvas(viewer, 0.5, 0.25))
    assert viewer.points == [] and len(viewer.matches) == 1
    first = viewer.mask.copy()
    assert first[24, 32:64].all() and not first[60:].any() and first.sum() < 600
    drag(viewer, RIGHT, on_canvas(viewer, 0.75, 0.75))
    assert viewer.mask[first].all() and viewer.mask[72, 96] and not viewer.mask[48, 64]
    drag(viewer, LEFT, on_canvas(viewer, 0.5, 0.5))
    assert viewer.mask is None and viewer.points == [(64, 48)]


def test_c_clears_and_q_and_escape_quit():
    viewer = identity_viewer((96, 128))
    blank = viewer.draw()
    drag(viewer, LEFT, on_canvas(viewer, 0.5, 0.5))
    assert viewer.changed and (viewer.draw() != blank).any() and not viewer.changed
    viewer.on_key(ord('c'))
    assert (viewer.draw() == blank).all()
    for key in (-1, ord('x'), 255):
        viewer.on_key(key)
        assert not viewer.done
    for key in (ord('q'), ord('Q'), 27):
        viewer.done = False
        viewer.on_key(key)
        assert viewer.done


def test_s_saves_what_is_shown_and_never_overwrites_a_file(tmp_path):
    viewer = identity_viewer((96, 128), tmp_path)
    viewer.set_points([(30, 30), (90, 60)])
    seen = viewer.draw()
    viewer.on_key(ord('s'))
    viewer.on_key(ord('s'))
    names = ['correspondence_001.png', 'correspondence_002.png']
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    saved = np.array(Image.open(tmp_path / names[0]))
    assert (saved == seen[: len(saved)]).all()
    assert names[1] in viewer.message and (viewer.draw() != seen).any()


def test_a_failed_save_is_reported_in_the_window(tmp_path):
    viewer = identity_viewer((96, 128), tmp_path / 'gone')
    viewer.on_key(ord('s'))
    assert 'cannot save' in viewer.message and 'No such file' in viewer.message


def test_a_point_found_nowhere_in_the_target_is_reported():
    viewer = identity_viewer((96, 128))
    viewer.pair.weights = torch.zeros_like(viewer.pair.weights)
    blank = viewer.draw()
    viewer.set_points([(30, 30)])
    target = np.s_[: viewer.board.bottom, 2 * GAP + BOX :]
    assert (viewer.draw()[target] == blank[target]).all()
    assert '30, 30 -> nowhere' in viewer.summary()


def test_a_long_line_is_cut_to_its_room():
    canvas = np.zeros((30, 400, 3), np.uint8)
    write(canvas, 'a very long name of a picture ' * 9, (10, 20), 200)
    assert canvas[:, :210].any() and not canvas[:, 212:].any()


def no_display(monkeypatch, **variables):
    """The message of `check_display` with only these environment variables set."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match='no display to open a window on') as error:
        check_display()
    assert '--point X,Y' in str(error.value) and '--save OUT.png' in str(error.value)
    return str(error.value)


@pytest.mark.skipif(sys.platform != 'linux', reason='elsewhere a window needs no DISPLAY')
def test_a_missing_display_is_reported_in_a_sentence(monkeypatch):
    assert 'DISPLAY is not set' in no_display(monkeypatch)


@pytest.mark.skipif(sys.platform != 'linux', reason='elsewhere a window needs no DISPLAY')
def test_a_display_that_does_not_answer_is_reported_in_a_sentence(monkeypatch):
    """Although Qt would abort the process."""
    no_display(monkeypatch, DISPLAY=':987')


@pytest.fixture
def real_window(tmp_path, checkpoint):
    """try_correspondence.py in a window, with left.png and right.png."""
    left, right = two_pictures()
    Image.fromarray(left).save(tmp_path / 'left.png')
    Image.fromarray(right).save(tmp_path / 'right.png')
    command = [try_correspondence.__file__, 'left.png', 'right.png', '--model', checkpoint]
    command += ['--size', '-1', '--device', 'cpu']
    with (
        virtual_display() as display,
        RealWindow(display, '^correspondence$', tmp_path, command) as real,
    ):
        yield real


@pytest.fixture
def expected(checkpoint):
    """A Viewer of the same pictures without a window."""
    network = load_network(checkpoint, for_inference=True)
    left, right = two_pictures()
    pair = relate(network, left, right, None)
    return Viewer(pair, left, right, ('source: left.png', 'target: right.png'))


def two_pictures():
    images, _ = stand_in.clip(2, 64, 96)
    return images[0], images[1, :, :80]


def save(real_window, number):
    """Press s and read the picture that it saves, the `number`-th of this window."""
    path = real_window.folder / f'correspondence_{number:03}.png'
    real_window.tool('windowfocus', real_window.window, 'key', 's')
    real_window.wait_for(path.exists)
    return np.array(Image.open(path))


@needs_display
def test_a_real_click_in_a_real_window(real_window, expected):
    places = [on_canvas(expected, 0.3, 0.4), on_canvas(expected, 0.8, 0.9)]
    first = save(real_window, 1)
    assert (first == expected.picture()).all()
    target = np.s_[TITLE : expected.board.bottom, 2 * GAP + BOX :]
    for number, place in enumerate(places, 2):
        real_window.tool('mousemove', '--window', real_window.window, *place, 'click', 1)
        picture = save(real_window, number)
        drag(expected, LEFT, place)
        best = int(expected.pair.weights[expected.pair.source.cell(expected.points[0])].argmax())
        assert expected.matches[0].point == expected.pair.target.centre(best)
        assert (picture[target] != first[target]).any()
        assert (picture == expected.picture()).all(), (
            'it differs from what is drawn without a window'
        )
    ask_to_close(real_window.display, int(real_window.window))
    assert real_window.process.wait(30) == 0, real_window.errors.read_text()


@needs_display
def test_a_real_drag_with_the_right_button_paints_and_q_quits(real_window, expected):
    places = [on_canvas(expected, 0.3, 0.4), on_canvas(expected, 0.6, 0.5)]
    move = [('mousemove', '--window', real_window.window, *place) for place in places]
    real_window.tool(*move[0], 'mousedown', 3, *move[1], 'mouseup', 3)
    drag(expected, RIGHT, *places)
    assert expected.mask.any()
    assert (save(real_window, 1) == expected.picture()).all()
    real_window.tool('key', 'q')
    assert real_window.process.wait(30) == 0, real_window.errors.read_text()


@needs_display
def test_a_display_that_answers_is_accepted(monkeypatch):
    with virtual_display() as display:
        monkeypatch.setenv('DISPLAY', display)
        check_display()


def test_without_a_display_the_program_says_so_before_it_loads_anything(tmp_path):
    """Run as a process of its own: it does not abort, prints one sentence and exits with 2."""
    if sys.platform != 'linux':
        pytest.skip('elsewhere a window needs no DISPLAY')
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    command = [sys.executable, Path(try_correspondence.__file__), '--model', tmp_path / 'none.pth']
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith('error: no display') and done.stderr.count('\n') == 1
