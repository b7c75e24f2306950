"""Imports point one way: util <- model, dataset <- inference_core <- entry scripts and scripts/."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAY_IMPORT = {
    'util': {'util'},
    'model': {'util', 'model'},
    'dataset': {'util', 'dataset'},
    'inference_core': {'util', 'model'},
}
LIBRARY = {*MAY_IMPORT, 'scripts'}
ENTRY_SCRIPTS = {path.stem for path in ROOT.glob('*.py')} - LIBRARY
OURS = LIBRARY | ENTRY_SCRIPTS | {'tests'}


def imported_rooms(path):
    """The rooms of ours that a file imports from, wherever in it."""
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f'{path}: relative import'
            assert all(alias.name != '*' for alias in node.names), f'{path}: star import'
            names.append(node.module)
    return {name.split('.')[0] for name in names} & OURS


@pytest.mark.parametrize('room', MAY_IMPORT)
def test_library_imports_only_what_lies_below_it(room):
    files = [ROOT / f'{room}.py'] if (ROOT / f'{room}.py').exists() else (ROOT / room).glob('*.py')
    for path in files:
        assert imported_rooms(path) <= MAY_IMPORT[room], path


def test_entry_scripts_are_there_and_nobody_but_scripts_imports_them():
    assert 'propagate' in ENTRY_SCRIPTS
    for path in ROOT.glob('*.py'):
        assert not imported_rooms(path) & (ENTRY_SCRIPTS | {'tests'}), path


def test_every_requirement_states_its_oldest_version():
    """`make test-oldest` installs just these."""
    lines = (ROOT / 'requirements.txt').read_text().splitlines()
    requirements = [line.split('#')[0].strip() for line in lines]
    unbounded = [
        line for line in requirements if line and not re.fullmatch(r'[a-z0-9-]+>=[0-9.]+', line)
    ]
    assert unbounded == []
