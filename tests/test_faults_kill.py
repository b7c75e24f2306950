"""SIGKILL at any moment: what exists is whole, and going on ends as if nothing had happened.

A few moments each; TRIES=30 in the environment tries so many.
"""

import os
import random
import time

import pytest

from tests.children import Child
from tests.programs import assert_whole, programs, results_in

TRIES = int(os.environ.get('TRIES', 3))
NAMES = ['propagate', 'both ways', 'eval', 'train', 'resize']


@pytest.fixture(scope='module')
def every(tmp_path_factory):
    return programs(tmp_path_factory.mktemp('data'))


@pytest.fixture(scope='module')
def undisturbed(every, tmp_path_factory):
    """name -> results of an undisturbed run, the seconds that it took; run once each."""
    known = {}

    def run(name):
        if name not in known:
            program, folder = every[name], tmp_path_factory.mktemp('whole')
            for again in ('first', 'timed'):
                place = folder / again
                place.mkdir()
                begin = time.perf_counter()
                end_well(program, program.command(place))
            known[name] = results_in(place), time.perf_counter() - begin
        return known[name]

    return run


def end_well(program, words):
    code, _, errors = Child(program.module, words).finish()
    assert code == 0, errors


@pytest.mark.parametrize('name', NAMES)
def test_a_killed_run_leaves_whole_files_and_is_gone_on_with(every, undisturbed, tmp_path, name):
    program = every[name]
    expected, seconds = undisturbed(name)
    rng = random.Random(name)
    num_killed = 0
    for number in range(TRIES):
        folder = tmp_path / str(number)
        folder.mkdir()
        # the moments spread over the run, and each lies anywhere in its part
        moment = seconds * (number + rng.random()) / TRIES
        num_killed += Child(program.module, program.command(folder)).kill(moment)
        assert_whole(folder)
        if rng.random() < 0.3 and not is_complete(program, folder):
            again = Child(program.module, program.resumed(folder))
            num_killed += again.kill(moment * rng.random())
            assert_whole(folder)
        if not is_complete(program, folder):
            end_well(program, program.resumed(folder))
        assert_whole(folder)
        found = results_in(folder)
        assert found.keys() == expected.keys()
        assert [file for file in expected if found[file] != expected[file]] == []
    print(f'{name}: killed {num_killed} times in {TRIES} runs of {seconds:.2f} s')
    assert num_killed


def is_complete(program, folder):
    """A training that has done all its iterations refuses to go on."""
    return (
        program.module == 'train'
        and (folder / 'saves' / 'x' / 'x_12.pth').exists()
        and (results_in(folder)['saves/x/x_checkpoint.pth'].content['iteration'] == 12)
    )
