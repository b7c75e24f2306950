"""exclusive_lock: one process at a time works on a file."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.folders import names_in
from util.errors import UserError
from util.files import exclusive_lock

HOLD_LOCK = """
import sys, pathlib
from util.files import exclusive_lock
with exclusive_lock(pathlib.Path(sys.argv[1])):
    print('locked', flush=True)
    sys.stdin.read()
"""


def test_a_lock_keeps_other_processes_out_and_dies_with_its_own(tmp_path):
    path = tmp_path / 'file.zip'
    with subprocess.Popen(
        [sys.executable, '-c', HOLD_LOCK, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    ) as other:
        assert other.stdout.readline() == b'locked\n'
        with (
            pytest.raises(UserError, match='in use by another process'),
            exclusive_lock(path),
        ):
            pass
        other.kill()
        other.wait()
        with exclusive_lock(path):
            assert names_in(tmp_path) == {'.file.zip.lock'}
    assert not names_in(tmp_path)
