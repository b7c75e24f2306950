"""Atomic writes, file listings, and fingerprints. Locks are in tests/faults/test_two_runs.py."""

import random

import pytest

from util.errors import UserError
from util.files import (
    atomic_write,
    fingerprint,
    list_files,
    natural_key,
    save_json,
    writable_folder,
)


@pytest.mark.parametrize('before', [None, 'old'])
@pytest.mark.parametrize('error', [ValueError, KeyboardInterrupt])
def test_a_failed_write_leaves_no_temporary_file_and_changes_nothing(tmp_path, before, error):
    path = tmp_path / 'file.txt'
    if before:
        path.write_text(before)
    with pytest.raises(error), atomic_write(path) as part:
        part.write_text('half of the')
        raise error
    assert [file.name for file in tmp_path.iterdir()] == (['file.txt'] if before else [])
    assert not before or path.read_text() == before


def test_a_file_is_replaced_only_when_the_block_has_ended(tmp_path):
    path = tmp_path / 'file.txt'
    path.write_text('old')
    with atomic_write(path) as part:
        part.write_text('new')
        assert path.read_text() == 'old'
    assert path.read_text() == 'new'
    assert list(tmp_path.iterdir()) == [path]


def test_a_json_file_stays_if_its_new_content_cannot_be_written(tmp_path):
    save_json(tmp_path / 'run.json', {'a': 1})
    circular = []
    circular.append(circular)
    with pytest.raises(ValueError):
        save_json(tmp_path / 'run.json', circular)
    assert (tmp_path / 'run.json').read_text() == '{\n  "a": 1\n}\n'


def test_natural_order_compares_numbers_by_value():
    names = ['1', '2', '10', 'a1', 'a2b', 'a10', 'a10b2', 'a10b11', 'b', 'x²', 'x³']
    for seed in range(20):
        shuffled = random.Random(seed).sample(names, len(names))
        assert sorted(shuffled, key=natural_key) == names


def test_list_files_leaves_out_hidden_files_and_other_suffixes(tmp_path):
    for name in ('b.PNG', 'a.jpg', '.c.png', 'd.txt'):
        (tmp_path / name).touch()
    assert [file.name for file in list_files(tmp_path, ('.png', '.jpg'))] == ['a.jpg', 'b.PNG']


def test_a_folder_that_is_not_writable_is_refused(tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(UserError, match=r'cannot write there .*; choose another --output'):
        writable_folder(tmp_path / 'file')


def test_a_fingerprint_changes_with_sizes_and_names(tmp_path):
    assert fingerprint(tmp_path / 'gone') is None
    seen = [fingerprint(tmp_path)]
    for content in ('a', 'ab'):
        (tmp_path / 'x').write_text(content)
        seen.append(fingerprint(tmp_path))
    (tmp_path / 'x').rename(tmp_path / 'y')
    seen.append(fingerprint(tmp_path))
    assert len(set(seen)) == 4
    assert fingerprint(tmp_path) == seen[-1]
