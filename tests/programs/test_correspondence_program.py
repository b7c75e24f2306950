"""try_correspondence.py and its benchmark: files, mistakes and figures, without a window."""

import contextlib
import json
import subprocess
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.data import stereo_motorcycle

import try_correspondence
from dataset.sizes import scaled
from model.correspondence import Correspondence, Grid, correspond
from scripts import benchmark
from scripts.benchmarks.correspondence import true_places
from tests.helpers import stand_in
from tests.helpers.coarse_network import CoarseNetwork
from tests.helpers.propagate_runs import ANY_FILE
from util.correspondence.run import relate
from util.files import sha256
from util.masks import save_mask

NETWORK = CoarseNetwork()


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """left.png (64 x 48), right.png (80 x 40) and mask.png in the working directory."""
    images, masks = stand_in.clip(2, 48, 80)
    Image.fromarray(images[0, :, :64]).save(tmp_path / 'left.png')
    Image.fromarray(images[1, :40]).save(tmp_path / 'right.png')
    save_mask(tmp_path / 'mask.png', masks[0, :, :64])
    save_mask(tmp_path / 'empty.png', np.zeros((48, 64), np.uint8))
    save_mask(tmp_path / 'small.png', np.ones((20, 30), np.uint8))
    (tmp_path / 'text.png').write_text('no picture')
    (tmp_path / 'folder.png').mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(line, *, network=NETWORK):
    """Run try_correspondence.py with this network or, if it is None, with the one --model names."""
    words = [*line.split(), *(() if '--model' in line else ('--model', str(ANY_FILE)))]
    loaded = mock.patch('util.correspondence.run.load_network', lambda *args, **options: network)
    with loaded if network else contextlib.nullcontext():
        try_correspondence.main(words)


def refused(capsys, line, **options):
    """The one line on stderr with which the program refuses these options."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        call(line, **options)
    errors = capsys.readouterr().err
    assert end.value.code == 2
    assert 'Traceback' not in errors and errors.count('error: ') == 1
    return errors.splitlines()[-1]


def test_json_holds_each_best_match_and_its_probability(pictures, capsys):
    call('left.png right.png --point 10,20 --point 63,47 --json out.json --size -1')
    found = json.loads((pictures / 'out.json').read_text())['matches']
    images = [
        torch.from_numpy(np.array(Image.open(name))).permute(2, 0, 1) / 255
        for name in ('left.png', 'right.png')
    ]
    weights = correspond(NETWORK, *images)  # 3 * 4 cells, 3 * 5 cells
    for entry, point, cell in zip(found, ([10, 20], [63, 47]), (4, 11), strict=True):
        assert entry['point'] == point
        assert entry['probability'] == pytest.approx(weights[cell].max().item())
        row, column = divmod(int(weights[cell].argmax()), 5)
        assert entry['match'] == [16 * column + 8, 16 * row + 8 - 4]  # 40 high: 4 above, 4 below
    assert '1: 10, 20 -> ' in capsys.readouterr().out


def test_json_of_a_mask_names_it(pictures):
    call('left.png right.png --mask mask.png --json out.json')
    (entry,) = json.loads((pictures / 'out.json').read_text())['matches']
    assert entry['mask'] == 'mask.png' and 0 < entry['probability'] <= 1


def test_the_picture_depends_on_the_point_and_on_nothing_else(pictures):
    for name, point in (('a', '10,20'), ('b', '10,20'), ('c', '60,40')):
        call(f'left.png right.png --point {point} --save {name}.png')
    a, b, c = (np.array(Image.open(f'{name}.png')) for name in 'abc')
    assert (a == b).all() and (a != c).any()


def test_without_pictures_it_uses_the_motorcycle(pictures):
    call('--point 370,250 --save out.png --json out.json --size 64')
    assert 'motorcycle_left' in json.loads((pictures / 'out.json').read_text())['source']
    assert (pictures / 'out.png').exists()


@pytest.mark.parametrize(
    'best, option, used',
    [(None, '', 480), (64, '', 64), (64, '--size 96', 96), (64, '--size -1', -1)],
)
def test_size_is_what_the_network_is_best_at_unless_it_is_given(
    pictures, monkeypatch, best, option, used
):
    monkeypatch.setattr(NETWORK, 'short_side', best)
    call(f'left.png right.png --point 3,4 --json out.json {option}')
    assert json.loads((pictures / 'out.json').read_text())['size'] == used


MISTAKES = [
    ('left.png', 'left.png: give a second picture'),
    ('left.png none.png --point 3,4 --save out.png', 'none.png: no such file'),
    ('left.png text.png --point 3,4 --save out.png', 'text.png: cannot be read as an image'),
    ('left.png right.png --point 3;4 --save out.png', "--point: '3;4': give two whole numbers"),
    ('left.png right.png --point 3 --save out.png', "--point: '3': give two whole numbers"),
    ('left.png right.png --point 1,2,3 --save out.png', "--point: '1,2,3': give two"),
    ('left.png right.png --point 64,4 --save out.png', '--point 64,4: outside the source, which'),
    ('left.png right.png --point 4,48 --save out.png', 'choose X in 0..63 and Y in 0..47'),
    ('left.png right.png --point=-1,4 --save out.png', '--point -1,4: outside the source'),
    (
        'left.png right.png --point 3,4 --mask mask.png --save out.png',
        '--point and --mask: only one',
    ),
    ('left.png right.png --mask none.png --save out.png', 'none.png: no such file'),
    ('left.png right.png --mask text.png --save out.png', 'text.png: cannot be read as an image'),
    ('left.png right.png --mask small.png --save out.png', 'small.png: the mask is 30x20, its'),
    ('left.png right.png --mask empty.png --save out.png', 'empty.png: every pixel is background'),
    ('left.png right.png --save out.png', '--save: nothing to find; say what with --point X,Y or'),
    ('left.png right.png --json out.json', '--json: nothing to find; say what with --point X,Y or'),
    ('left.png right.png --point 3,4 --save out.gif', '--save out.gif: must end in .png'),
    ('left.png right.png --point 3,4 --json out.png', '--json out.png: must end in .json'),
    ('left.png right.png --point 3,4 --save no/out.png', '--save no/out.png: cannot be written'),
    ('left.png right.png --point 3,4 --save mask.png/o.png', 'mask.png/o.png: cannot be written'),
    ('left.png right.png --point 3,4 --save folder.png', '--save folder.png: cannot be written'),
    ('left.png right.png --point 3,4 --save ./left.png', '--save left.png: is an input; choose'),
    ('left.png right.png --point 3,4 --save out.png --device fast', '--device fast: not on this'),
]


@pytest.mark.parametrize('line, sentence', MISTAKES)
def test_a_mistake_is_named_and_leaves_nothing(pictures, capsys, line, sentence):
    before = hashes(pictures)
    assert sentence in refused(capsys, line)
    assert hashes(pictures) == before


def hashes(folder):
    return {path: path.is_file() and sha256(path) for path in folder.iterdir()}


def test_a_size_too_small_is_named(pictures, capsys):
    assert '--size 8: must be at least 16' in refused(capsys, 'left.png right.png --size 8')


def test_a_missing_checkpoint_is_named(pictures, capsys):
    line = 'left.png right.png --point 3,4 --save out.png --model none.pth'
    refusal = refused(capsys, line, network=None)
    assert 'none.pth: no such checkpoint; ' in refusal and '(--model)' in refusal


def test_help_imports_nothing_heavy():
    code = (
        'import sys, try_correspondence\n'
        'try: try_correspondence.main(["--help"])\n'
        'except SystemExit: print(sorted({"torch", "cv2", "numpy", "skimage"} & {*sys.modules}))'
    )
    folder = Path(try_correspondence.__file__).parent
    done = subprocess.run(
        [sys.executable, '-c', code], cwd=folder, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == '[]'


def test_the_network_sees_the_short_side_and_answers_are_in_pixels_of_the_picture(pictures):
    picture = np.array(Image.open('left.png'))
    pair = relate(NETWORK, picture, picture, 96)
    assert pair.source.network_size == scaled((48, 64), 96) == (96, 128)
    assert pair.source.shape == (6, 8) and pair.weights.shape == (48, 48)
    x, y = pair.of_point((50, 30)).point
    assert 0 <= x < 64 and 0 <= y < 48


def motorcycle_pair():
    """A Correspondence of the motorcycle whose weights are still 0, and its disparity."""
    disparity = stereo_motorcycle()[2]
    grid = Grid(disparity.shape, scaled(disparity.shape, 480))
    num_cells = grid.shape[0] * grid.shape[1]
    return Correspondence(torch.zeros(num_cells, num_cells), grid, grid), disparity


def test_the_true_places_of_the_benchmark_show_the_same_colours():
    """A check of the sign: scikit-image's docstring states the opposite direction."""
    left, right, disparity = stereo_motorcycle()
    pair, _ = motorcycle_pair()
    cells, places = true_places(pair, disparity)
    x, y = np.array([pair.source.centre(cell) for cell in cells]).T
    there = right[places[:, 1].astype(int), places[:, 0].round().astype(int)]
    here = right[y, x]
    true, same = (np.abs(left[y, x].astype(int) - found).mean() for found in (there, here))
    assert len(cells) > 1000 and true < same / 3


def run_benchmark(monkeypatch, capsys, pair):
    """The figures that it prints for a Correspondence given in advance."""
    module = 'scripts.benchmarks.correspondence'
    monkeypatch.setattr(f'{module}.relate', lambda *args: pair)
    monkeypatch.setattr(f'{module}.load_network', lambda *args, **options: NETWORK)
    benchmark.main(['correspondence'])
    return dict(line.split(': ') for line in capsys.readouterr().out.splitlines())


def test_the_benchmark_finds_all_points_with_perfect_weights_and_none_with_zeros(
    monkeypatch, capsys
):
    pair, disparity = motorcycle_pair()
    figures = run_benchmark(monkeypatch, capsys, pair)
    assert figures['within 2 cells, network'] == '0.0%'
    assert figures['points that no cell reads from'] == figures['pair'].split()[4]
    for cell, place in zip(*true_places(pair, disparity), strict=True):
        pair.weights[cell, pair.target.cell(place)] = 1
    perfect = run_benchmark(monkeypatch, capsys, pair)
    assert perfect['within 1 cells, network'] == '100.0%'
    for name in ('mean colour', 'same place', 'chance'):
        assert perfect[f'within 1 cells, {name}'] == figures[f'within 1 cells, {name}'] != '0.0%'
