"""The weights that come with the project: when they are used, and that they follow objects."""

import json

import numpy as np
import pytest

from model.network import load_network
from scripts import demo
from util import options
from util.masks import load_mask
from util.scores import mean_score, score_masks


@pytest.fixture
def saves(tmp_path, monkeypatch):
    """An empty folder in place of saves/."""
    monkeypatch.delenv('RANK', raising=False)
    for name in ('PUBLISHED_WEIGHTS', 'BUNDLED_WEIGHTS'):
        monkeypatch.setattr(options, name, tmp_path / getattr(options, name).name)
    return tmp_path


def test_bundled_weights_are_used_if_no_others_are_named_or_downloaded(saves, capsys):
    published, bundled = saves / 'propagation_model.pth', saves / 'from_scratch.pth'
    assert options.choose_model(None) == published, 'loading then reports that it is missing'
    bundled.touch()
    assert options.choose_model('other.pth') == 'other.pth'
    assert not capsys.readouterr().out
    assert options.choose_model(None) == bundled
    assert capsys.readouterr().out.startswith(f'network: {bundled}, trained on little data')
    published.touch()
    assert options.choose_model(None) == published
    assert not capsys.readouterr().out


def test_only_the_first_of_several_processes_prints_the_notice(saves, monkeypatch, capsys):
    (saves / 'from_scratch.pth').touch()
    monkeypatch.setenv('RANK', '1')
    assert options.choose_model(None) == saves / 'from_scratch.pth'
    assert not capsys.readouterr().out


def test_the_file_is_small_and_complete():
    assert options.BUNDLED_WEIGHTS.stat().st_size < 60e6
    network = load_network(options.BUNDLED_WEIGHTS, multi_object=True)
    assert sum(weight.numel() for weight in network.parameters()) > 50e6
    assert network.short_side == 240


@pytest.fixture(scope='module')
def demo_folder(tmp_path_factory):
    """The output of the demo with the bundled weights."""
    folder = tmp_path_factory.mktemp('demo')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(options, 'PUBLISHED_WEIGHTS', folder / 'none.pth')
        demo.main(['--output', str(folder)])
    return folder


def test_they_follow_the_objects_of_the_demo(demo_folder):
    """Through occlusions, to the last frame."""
    exact, found = demo_folder / 'clip' / 'masks', demo_folder / 'results' / 'masks'
    names = sorted(path.name for path in exact.iterdir())[1:]
    pairs = [(load_mask(exact / name), load_mask(found / name)) for name in names]
    assert mean_score(score_masks(pairs).values()).jf > 80
    last, mask = pairs[-1]
    for number in np.unique(last[last > 0]):
        assert (mask[last == number] == number).mean() > 0.85
    assert (mask[last == 0] == 0).mean() > 0.9
    settings = json.loads((demo_folder / 'results' / 'run.json').read_text())['settings']
    assert settings['model'] == str(options.BUNDLED_WEIGHTS)
