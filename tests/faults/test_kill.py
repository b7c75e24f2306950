"""SIGKILL at any moment: what exists is whole, and going on ends as if nothing had happened.

A few moments each; TRIES=30 in the environment tries so many.
"""

import os
import random

import pytest

from tests.helpers.child_process import Child
from tests.helpers.fault_programs import (
    assert_same,
    assert_whole,
    end_well,
    results_in,
)

TRIES = int(os.environ.get('TRIES', 3))
NAMES = ['propagate', 'both ways', 'eval', 'train', 'resize']


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
            end_well(program.module, program.resumed(folder))
        assert_whole(folder)
        assert_same(results_in(folder), expected)
    print(f'{name}: killed {num_killed} times in {TRIES} runs of {seconds:.2f} s')
    assert num_killed


def is_complete(program, folder):
    """A training that has done all its iterations refuses to go on."""
    return (
        program.module == 'train'
        and (folder / 'saves' / 'x' / 'x_12.pth').exists()
        and (results_in(folder)['saves/x/x_checkpoint.pth'].content['iteration'] == 12)
    )
