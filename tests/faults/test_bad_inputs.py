"""Every program answers a mistake with one line that says what is wrong, where, and what to do.

The run leaves nothing behind, and the user's files are unchanged. Cases that need more than a line
of a table are in the tests of the program at fault.
"""

import shutil

import pytest

from tests.faults.bad_inputs import checkpoints, datasets, folders, masks, options, pictures, videos
from tests.faults.bad_inputs.case import call, world_of
from tests.helpers.folders import snapshot
from tests.helpers.product import PROGRAMS

TOPICS = (pictures, masks, videos, folders, checkpoints, datasets, options)
READ_WEIGHTS = ('download_model.py', 'scripts/shrink_checkpoint.py')  # without --model
CASES = [case for topic in TOPICS for case in topic.CASES]


@pytest.fixture(scope='module')
def worlds(tmp_path_factory):
    """A function from one that fills a folder to a folder that it has filled, once."""
    made = {}

    def world(fill):
        if fill not in made:
            made[fill] = tmp_path_factory.mktemp(fill.__name__)
            fill(made[fill])
        return made[fill]

    return world


def program_of(case):
    return case.command.split()[0]


def test_the_cases_are_many_and_have_different_names():
    assert len(CASES) == len({case.mistake for case in CASES}) >= 80


def test_every_program_has_a_case():
    assert set(PROGRAMS) == {program_of(case) for case in CASES}


@pytest.mark.parametrize('case', CASES, ids=[case.mistake for case in CASES])
def test_a_mistake_is_reported_in_one_line(case, worlds, folder, request, capsys):
    shutil.copytree(worlds(world_of(case.command)), folder, dirs_exist_ok=True)
    if '--model' not in case.command and program_of(case) not in READ_WEIGHTS:
        request.getfixturevalue('coarse')
    if 'model.pth' not in case.command:
        request.getfixturevalue('untrained')
    if case.spoil:
        case.spoil(folder)
    before = snapshot(folder)
    with pytest.raises(SystemExit) as end:
        call(case.command)
    errors = capsys.readouterr().err
    assert end.value.code == 2 and 'Traceback' not in errors
    assert errors.count('error: ') == 1, errors
    line = errors.splitlines()[-1]
    for part in [case.expected] if isinstance(case.expected, str) else case.expected:
        assert part in line
    after = snapshot(folder)
    new = {path for path in after if path not in before and path.parts[0] not in case.leaves}
    assert not new and {path: after.get(path) for path in before} == before
