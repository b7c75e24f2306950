"""SIGKILL at any moment: all files are whole, and a resumed run ends as an undisturbed one does.

Each program is killed at a few moments, or at as many as the environment variable TRIES says.
"""

import os
import random

import pytest

from tests.helpers.child_process import Child
from tests.helpers.fault_programs import (
    assert_files_are_whole,
    assert_same_results,
    results_in,
    run_to_the_end,
)

TRIES = int(os.environ.get('TRIES', 3))
NAMES = ['propagate', 'both ways', 'references', 'eval', 'train', 'resize']


@pytest.mark.parametrize('name', NAMES)
def test_a_killed_run_leaves_whole_files_and_can_be_resumed(programs, undisturbed, tmp_path, name):
    program = programs[name]
    expected, seconds = undisturbed(name)
    rng = random.Random(name)
    num_killed = 0
    for number in range(TRIES):
        folder = tmp_path / str(number)
        folder.mkdir()
        # divide the run into equal parts, and pick a random moment in each
        moment = seconds * (number + rng.random()) / TRIES
        num_killed += Child(program.module, program.command(folder)).kill(moment)
        assert_files_are_whole(folder)
        if rng.random() < 0.3 and not is_complete(program, folder):
            again = Child(program.module, program.resumed(folder))
            num_killed += again.kill(moment * rng.random())
            assert_files_are_whole(folder)
        if not is_complete(program, folder):
            run_to_the_end(program.module, program.resumed(folder))
        assert_files_are_whole(folder)
        assert_same_results(results_in(folder), expected)
    print(f'{name}: killed {num_killed} times in {TRIES} runs of {seconds:.2f} s')
    assert num_killed


def is_complete(program, folder):
    """Whether it is a training with all its iterations done, which refuses to be resumed."""
    return (
        program.module == 'train'
        and (folder / 'saves' / 'x' / 'x_12.pth').exists()
        and (results_in(folder)['saves/x/x_checkpoint.pth'].content['iteration'] == 12)
    )
