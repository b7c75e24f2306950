"""Fixtures of the tests of faults: programs to disturb, and folders to run wrong commands in."""

import functools
import time

import pytest

from model.network import PropagationNetwork
from tests.helpers.coarse_network import CoarseNetwork
from tests.helpers.fault_programs import make_programs, results_in, run_to_the_end
from tests.helpers.propagate_runs import ANY_FILE


@pytest.fixture(scope='module')
def programs(tmp_path_factory):
    """The programs of tests.helpers.fault_programs by name."""
    return make_programs(tmp_path_factory.mktemp('data'))


@pytest.fixture(scope='module')
def undisturbed(programs, tmp_path_factory):
    """A function from the name of a program to the results of an undisturbed run and its
    seconds."""

    @functools.cache
    def run(name):
        folder = tmp_path_factory.mktemp('whole')
        for place in ('first', 'timed'):  # the very first run also starts the server of children
            begin = time.perf_counter()
            run_to_the_end(programs[name].module, programs[name].command(folder / place))
        return results_in(folder / place), time.perf_counter() - begin

    return run


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working directory; without --model, some other file is taken for the checkpoint."""
    for name in ('PUBLISHED_WEIGHTS', 'BUNDLED_WEIGHTS'):
        monkeypatch.setattr(f'util.options.{name}', ANY_FILE)
    monkeypatch.delenv('DISPLAY', raising=False)
    monkeypatch.setattr('sys.stdin', None)
    folder = tmp_path / 'here'
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def coarse(monkeypatch):
    """Programs get a network that takes no time, whatever --model says."""
    for place in ('inference_core', 'util.correspondence.run'):
        monkeypatch.setattr(f'{place}.load_network', lambda *args, **options: CoarseNetwork())


@pytest.fixture
def untrained(monkeypatch, random_network):
    """A training starts from random weights without the time that these take."""
    monkeypatch.setattr('util.training.start.start_network', lambda *_: random_network)


@pytest.fixture(scope='session')
def random_network():
    return PropagationNetwork()
