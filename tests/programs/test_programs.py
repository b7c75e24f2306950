"""What all programs have in common: quick help, mistakes found before work, equal exit codes."""

import resource
import shlex
import subprocess
import sys

import pytest

from tests.faults.bad_inputs.options import EARLY
from tests.helpers.product import HEAVY, PROGRAMS, ROOT, run_without_heavy_libraries

CPU_SECONDS = 1


def cpu_time_of_children():
    """Not the clock, because other processes may share the machine."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def test_the_programs_are_found():
    assert {'propagate.py', 'train.py', 'scripts/check_dataset.py'} < set(PROGRAMS)
    assert len(PROGRAMS) >= 16


@pytest.mark.parametrize('library', HEAVY)
def test_heavy_libraries_cannot_be_imported_in_these_tests(library, tmp_path):
    (tmp_path / 'program.py').write_text(f'import {library}')
    done = run_without_heavy_libraries([tmp_path / 'program.py'], tmp_path)
    assert f'ModuleNotFoundError: import of {library} halted' in done.stderr


@pytest.mark.parametrize('program', PROGRAMS)
def test_help_comes_quickly_and_loads_no_heavy_library(program, tmp_path):
    before = cpu_time_of_children()
    done = run_without_heavy_libraries([program, '--help'], tmp_path)
    seconds = cpu_time_of_children() - before
    assert (done.returncode, done.stderr) == (0, '')
    assert done.stdout.startswith('usage: ') and '--help' in done.stdout
    assert seconds < CPU_SECONDS
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('case', EARLY, ids=[case.mistake for case in EARLY])
def test_mistakes_in_options_are_reported_before_anything_is_loaded(case, tmp_path):
    before = cpu_time_of_children()
    done = run_without_heavy_libraries(shlex.split(case.command), tmp_path)
    seconds = cpu_time_of_children() - before
    line = done.stderr.splitlines()[-1]
    assert done.returncode == 2 and 'Traceback' not in done.stderr
    expected = [case.expected] if isinstance(case.expected, str) else case.expected
    assert all(part in line for part in expected), line
    assert seconds < CPU_SECONDS
    assert not list(tmp_path.iterdir())


GUARDED = """
import sys
sys.path.insert(0, {root!r})
from util.errors import entry_point

@entry_point
def main(argv=None):
    {statement}

main()
"""


@pytest.mark.parametrize(
    'statement, code, words',
    [
        ('raise KeyboardInterrupt', 130, 'error: interrupted\n'),
        ('open("gone.txt")', 2, 'error: No such file or directory: gone.txt\n'),
        ('raise AssertionError("a bug")', 1, 'AssertionError: a bug\n'),
        ('print(chr(0xdcff))', 0, ''),
    ],
)
def test_exit_codes(tmp_path, statement, code, words):
    program = GUARDED.format(root=str(ROOT), statement=statement)
    # -S: without installed packages; -E: ignoring environment variables
    done = subprocess.run(
        [sys.executable, '-S', '-E', '-c', program], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr[-len(words) :] if words else done.stderr) == (code, words)
    assert ('Traceback' in done.stderr) == (code == 1), 'only a bug has one'
