"""What all programs have in common: help at once, mistakes before work, the same exit codes."""

import os
import resource
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.bad_inputs.options import EARLY

ROOT = Path(__file__).parents[2]
# -S: without the folder of installed packages; -E: without what the environment says of others
BARE = [sys.executable, '-S', '-E']
PROGRAMS = sorted(
    str(path.relative_to(ROOT))
    for path in [*ROOT.glob('*.py'), *ROOT.glob('scripts/*.py')]
    if "\nif __name__ == '__main__':" in path.read_text()
)


def run_bare(words, folder):
    """A program without any package, display or network variables -> the ended process."""
    program, *argv = words
    environment = {'PATH': os.environ['PATH'], 'HOME': str(folder)}
    command = [*BARE, ROOT / program, *argv]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_the_programs_are_there():
    assert {'propagate.py', 'train.py', 'scripts/check_dataset.py'} < set(PROGRAMS)
    assert len(PROGRAMS) >= 16


def test_a_package_cannot_be_had_there(tmp_path):
    done = subprocess.run([*BARE, '-c', 'import numpy'], cwd=tmp_path, capture_output=True)
    assert b'ModuleNotFoundError' in done.stderr


@pytest.mark.parametrize('program', PROGRAMS)
def test_help_needs_no_package_and_no_time(program, tmp_path):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = run_bare([program, '--help'], tmp_path)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert (done.returncode, done.stderr) == (0, '')
    assert done.stdout.startswith('usage: ') and '--help' in done.stdout
    # not on the clock, which counts what else the machine does
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 2
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('case', EARLY, ids=[case.wrong for case in EARLY])
def test_bad_options_are_told_before_anything_is_loaded(case, tmp_path):
    done = run_bare(shlex.split(case.command), tmp_path)
    line = done.stderr.splitlines()[-1]
    assert done.returncode == 2 and 'Traceback' not in done.stderr
    words = [case.words] if isinstance(case.words, str) else case.words
    assert all(part in line for part in words), line
    assert not list(tmp_path.iterdir())


INTERRUPTED = """
import sys
from util.errors import entry_point

@entry_point
def main(argv=None):
    {}

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
    program = INTERRUPTED.format(statement)
    done = subprocess.run(
        [*BARE, '-c', f'import sys; sys.path.insert(0, {str(ROOT)!r}){program}'],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stderr[-len(words) :] if words else done.stderr) == (code, words)
    assert ('Traceback' in done.stderr) == (code == 1), 'a bug keeps it'
