"""A mistake, in whichever program, is one line that says what, where and what to do.

Nothing is left of the run then, and no file of the user's has changed. Cases that need more than a
line of a table are in the tests of their own part.
"""

import shutil

import pytest

from model.network import PropagationNetwork
from tests.faults.bad_inputs import checkpoints, datasets, folders, masks, options, pictures, videos
from tests.faults.bad_inputs.case import call, contents, world_of
from tests.helpers.coarse_network import CoarseNetwork
from tests.helpers.propagate_runs import ANY_FILE
from tests.programs.test_programs import PROGRAMS

TOPICS = (pictures, masks, videos, folders, checkpoints, datasets, options)
READ_WEIGHTS = ('download_model.py', 'scripts/shrink_checkpoint.py')  # without --model
CASES = [case for topic in TOPICS for case in topic.CASES]


@pytest.fixture(scope='module')
def worlds(tmp_path_factory):
    """Function -> a folder that it has filled; each is filled once."""
    made = {}

    def world(fill):
        if fill not in made:
            made[fill] = tmp_path_factory.mktemp(fill.__name__)
            fill(made[fill])
        return made[fill]

    return world


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working directory of a command, with a network that takes no time but for `--model`."""
    monkeypatch.setattr('util.options.DEFAULT_MODEL', ANY_FILE)
    monkeypatch.delenv('DISPLAY', raising=False)
    monkeypatch.setattr('sys.stdin', None)
    folder = tmp_path / 'here'
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def coarse(monkeypatch):
    for place in ('model.network', 'inference_core'):
        monkeypatch.setattr(f'{place}.load_network', lambda *args, **options: CoarseNetwork())


def program_of(case):
    return case.command.split()[0]


@pytest.fixture
def start_at_once(monkeypatch, untrained):
    monkeypatch.setattr('train.start_network', lambda args: untrained)


@pytest.fixture(scope='module')
def untrained():
    return PropagationNetwork()


def test_there_are_as_many_as_were_asked_for_and_none_twice():
    assert len(CASES) == len({case.wrong for case in CASES}) >= 80


def test_every_program_is_asked():
    assert set(PROGRAMS) == {program_of(case) for case in CASES}


@pytest.mark.parametrize('case', CASES, ids=[case.wrong for case in CASES])
def test_a_mistake_is_one_line(case, worlds, folder, request, capsys):
    shutil.copytree(worlds(world_of(case.command)), folder, dirs_exist_ok=True)
    if '--model' not in case.command and program_of(case) not in READ_WEIGHTS:
        request.getfixturevalue('coarse')
    if 'model.pth' not in case.command:
        request.getfixturevalue('start_at_once')
    if case.spoil:
        case.spoil(folder)
    before = contents(folder)
    with pytest.raises(SystemExit) as end:
        call(case.command)
    errors = capsys.readouterr().err
    assert end.value.code == 2 and 'Traceback' not in errors
    assert errors.count('error: ') == 1, errors
    line = errors.splitlines()[-1]
    for words in [case.words] if isinstance(case.words, str) else case.words:
        assert words in line
    after = contents(folder)
    new = {path for path in after if path not in before and path.parts[0] not in case.leaves}
    assert not new and {path: after.get(path) for path in before} == before
