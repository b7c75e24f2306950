"""The network that comes with the project: where it is taken, and that it follows objects."""

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
    """An empty saves/."""
    monkeypatch.delenv('RANK', raising=False)
    for name in ('DEFAULT_MODEL', 'OWN_MODEL'):
        monkeypatch.setattr(options, name, tmp_path / getattr(options, name).name)
    return tmp_path


def test_it_is_taken_where_none_is_named_and_the_published_one_is_not_there(saves, capsys):
    published, own = saves / 'propagation_model.pth', saves / 'from_scratch.pth'
    assert options.choose_model(None) == published, 'whose absence load_network tells'
    own.touch()
    assert options.choose_model('other.pth') == 'other.pth'
    assert not capsys.readouterr().out
    assert options.choose_model(None) == own
    assert capsys.readouterr().out.startswith(f'network: {own}, trained on little data')
    published.touch()
    assert options.choose_model(None) == published
    assert not capsys.readouterr().out


def test_one_of_several_processes_says_so(saves, monkeypatch, capsys):
    (saves / 'from_scratch.pth').touch()
    monkeypatch.setenv('RANK', '1')
    assert options.choose_model(None) == saves / 'from_scratch.pth'
    assert not capsys.readouterr().out


def test_it_is_small_and_whole():
    assert options.OWN_MODEL.stat().st_size < 60e6
    network = load_network(options.OWN_MODEL, multi_object=True)
    assert sum(weight.numel() for weight in network.parameters()) > 50e6


@pytest.fixture(scope='module')
def demo_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('demo')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(options, 'DEFAULT_MODEL', folder / 'no.pth')
        demo.main(['--output', str(folder)])
    return folder


def test_it_follows_the_objects_of_the_demo(demo_folder):
    """Through their occlusions, to the last frame."""
    truth, found = demo_folder / 'clip' / 'masks', demo_folder / 'results' / 'masks'
    names = sorted(path.name for path in truth.iterdir())[1:]
    pairs = [(load_mask(truth / name), load_mask(found / name)) for name in names]
    assert mean_score(score_masks(pairs).values()).jf > 80
    last, mask = pairs[-1]
    for number in np.unique(last[last > 0]):
        assert (mask[last == number] == number).mean() > 0.85
    assert (mask[last == 0] == 0).mean() > 0.9
    settings = json.loads((demo_folder / 'results' / 'run.json').read_text())['settings']
    assert settings['model'] == str(options.OWN_MODEL)
