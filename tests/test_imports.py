"""Imports point one way, and requirements state their oldest versions.

Each of these imports only from those before it: util/*.py and util/masks/, model/ and dataset/,
inference_core.py, util/<program>/, programs and scripts/.
"""

import ast
import re
from functools import cache
from graphlib import TopologicalSorter

import pytest

from tests.helpers.product import PRODUCT, ROOT

LIBRARY = {'util', 'model', 'dataset', 'inference_core', 'scripts'}
MAY_IMPORT = {
    'util/*.py': {'util'},
    'util/masks/*.py': {'util'},
    'model/*.py': {'util', 'model'},
    'dataset/*.py': {'util', 'dataset'},
    'inference_core.py': {'util', 'model', 'dataset'},
    'util/*/*.py': LIBRARY - {'scripts'},
}
PROGRAMS = {path.stem for path in ROOT.glob('*.py')} - LIBRARY
OURS = LIBRARY | PROGRAMS | {'tests'}


@cache
def imported_modules(path):
    """The dotted names of our own modules that a file imports, at its top or in a function."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f'{path}: relative import'
            assert all(alias.name != '*' for alias in node.names), f'{path}: star import'
            names |= {node.module, *(f'{node.module}.{alias.name}' for alias in node.names)}
    return {name for name in names if name.split('.')[0] in OURS}


def imported_rooms(path):
    return {name.split('.')[0] for name in imported_modules(path)}


@pytest.mark.parametrize('files', MAY_IMPORT)
def test_each_part_imports_only_from_parts_below_it(files):
    paths = list(ROOT.glob(files))
    assert paths
    for path in paths:
        assert imported_rooms(path) <= MAY_IMPORT[files], path


def test_shared_code_imports_nothing_that_belongs_to_one_program():
    own = {f'util.{path.parent.name}' for path in ROOT.glob('util/*/__init__.py')} - {'util.masks'}
    assert 'util.training' in own
    shared = ('util', 'util/masks', 'model', 'dataset')
    for path in [path for room in shared for path in ROOT.glob(f'{room}/*.py')]:
        assert not {'.'.join(name.split('.')[:2]) for name in imported_modules(path)} & own, path


def test_only_scripts_import_programs():
    assert 'propagate' in PROGRAMS
    for path in ROOT.glob('*.py'):
        assert not imported_rooms(path) & PROGRAMS, path


def test_the_product_imports_no_tests():
    assert len(PRODUCT) > 80
    assert [path for path in PRODUCT if 'tests' in imported_rooms(path)] == []


def test_imports_form_no_circle():
    names = {'.'.join(path.relative_to(ROOT).with_suffix('').parts): path for path in PRODUCT}
    graph = {name: imported_modules(path) & names.keys() for name, path in names.items()}
    TopologicalSorter(graph).prepare()  # raises CycleError
    assert 'util.errors' in graph['inference_core']


def test_every_requirement_states_its_oldest_version():
    """`make test-oldest` installs exactly these versions."""
    lines = (ROOT / 'requirements.txt').read_text().splitlines()
    requirements = [line.split('#')[0].strip() for line in lines]
    unbounded = [
        line for line in requirements if line and not re.fullmatch(r'[a-z0-9-]+>=[0-9.]+', line)
    ]
    assert unbounded == []
