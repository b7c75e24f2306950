"""Rules about the code itself: where it imports, its parameters, and where options are named."""

import ast
import re

import pytest

from tests.helpers.product import PRODUCT, ROOT

LIBRARIES = [path for room in ('model', 'dataset') for path in (ROOT / room).rglob('*.py')]
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
MAX_DEFERRED_IMPORTS = 12  # one per program that has to load heavy libraries
MAX_PARAMETERS = 6


def functions_in(source):
    return [node for node in ast.walk(ast.parse(source)) if isinstance(node, FUNCTIONS)]


def deferred_imports(source):
    """The line numbers of imports inside functions."""
    imports = (ast.Import, ast.ImportFrom)
    nodes = [node for function in functions_in(source) for node in ast.walk(function)]
    return sorted({node.lineno for node in nodes if isinstance(node, imports)})


def long_signatures(source):
    """'line name' of functions with too many parameters, not counting self, cls and *args."""
    found = []
    for function in functions_in(source):
        arguments = function.args
        names = [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
        names = names[names[:1] in (['self'], ['cls']) :]
        if len(names) > MAX_PARAMETERS:
            found.append(f'{function.lineno} {getattr(function, "name", "lambda")}')
    return found


def options_named(source):
    """The command-line options that string literals mention, docstrings included."""
    nodes = ast.walk(ast.parse(source))
    texts = [n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    return [option for text in texts for option in re.findall(r'--[a-z]\w*', text)]


def in_product(check, paths):
    """What a check finds in these files, by their relative path; files without are left out."""
    found = {str(path.relative_to(ROOT)): check(path.read_text()) for path in paths}
    return {name: lines for name, lines in found.items() if lines}


def test_each_program_defers_at_most_one_import():
    found = in_product(deferred_imports, PRODUCT)
    assert {name: lines for name, lines in found.items() if len(lines) > 1} == {}
    assert sum(map(len, found.values())) <= MAX_DEFERRED_IMPORTS, found


def test_no_function_has_more_than_six_parameters():
    assert in_product(long_signatures, PRODUCT) == {}


def test_model_and_dataset_name_no_command_line_options():
    assert len(LIBRARIES) > 20
    assert in_product(options_named, LIBRARIES) == {}


def test_test_modules_and_conftests_are_not_imported():
    """What several of them need lies in tests/helpers/."""
    private = re.compile(r'(from|import) tests\.(\w+\.)*(test_\w+|conftest)\b')
    tests = list((ROOT / 'tests').rglob('*.py'))
    assert len(tests) > 80
    assert [str(path) for path in tests if private.search(path.read_text())] == []


@pytest.mark.parametrize(
    'check, source',
    [
        (deferred_imports, 'def f():\n    if x:\n        import torch'),
        (deferred_imports, 'class A:\n    def f(self):\n        from a import b'),
        (long_signatures, 'def f(a, b, c, d, e, f, g): pass'),
        (long_signatures, 'class A:\n    def f(self, a, b, c, *, d, e, f, g=1): pass'),
        (options_named, 'raise UserError(f"{x}: choose another --size")'),
    ],
)
def test_violations_of_these_rules_are_found(check, source):
    assert check(source)
    assert not check('import torch\ndef f(self, a, b, c, *args, d, e, f, **more): return "-1 -- 2"')
