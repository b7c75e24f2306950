"""Unpacking archives: what they may hold, what is refused, and where their content goes."""

import io
import os
import stat
import tarfile
import zipfile
from types import SimpleNamespace

import pytest

from tests.helpers.folders import files_in, names_in
from tests.helpers.loopback import archive
from util.download.catalogue import BL30K, DATASETS, Download
from util.download.install import unpack_to
from util.download.unpack import unpack
from util.errors import UserError

TREE = Download('x', 'drive:X', 'x.zip', 'davis', 'out/x', ('JPEGImages', 'Annotations'))
LINK = stat.S_IFLNK | 0o777


def make_tree(folder, videos='ab'):
    """A tree with these one-letter videos."""
    for kind in ('JPEGImages', 'Annotations'):
        for video in videos:
            (folder / kind / video).mkdir(parents=True)
            (folder / kind / video / '0.x').write_text(f'{kind} {video}')
    return folder


def tar_of(path, *members, mode='w'):
    """A tar file; members: (name, content), or (name, kind, target) for links and devices."""
    with tarfile.open(path, mode) as out:
        for name, *rest in members:
            info = tarfile.TarInfo(name)
            if len(rest) == 2:
                info.type, info.linkname = rest
                out.addfile(info)
            else:
                info.size = len(rest[0])
                out.addfile(info, io.BytesIO(rest[0]))
    return path


def zip_of(path, *members):
    """A zip file; members: (name, content), or (name, content, Unix file mode)."""
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as out:
        for name, content, *mode in members:
            info = zipfile.ZipInfo('x')
            info.filename = info.orig_filename = name
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = mode[0] << 16 if mode else 0
            out.writestr(info, content)
    return path


UNSAFE_NAMES = ['../evil', 'a/../../evil', '/tmp/evil', 'a\\..\\..\\evil', 'C:/evil', 'C:evil']


@pytest.mark.parametrize('name', UNSAFE_NAMES)
@pytest.mark.parametrize('make, suffix', [(tar_of, 'tar'), (zip_of, 'zip')])
def test_a_member_outside_the_folder_is_refused(tmp_path, make, suffix, name):
    path = make(tmp_path / f'x.{suffix}', ('good', b'good'), (name, b'evil'))
    message = rf'x\.{suffix}: its member .* lies outside .*do not trust this file'
    with pytest.raises(UserError, match=message):
        unpack(path, tmp_path / 'out')
    assert set(files_in(tmp_path)) == {f'x.{suffix}', 'out/good'}


def test_a_zero_byte_in_a_name_is_refused(tmp_path):
    path = zip_of(tmp_path / 'x.zip', ('good', b'good'), ('aNb', b'evil'))
    path.write_bytes(path.read_bytes().replace(b'aNb', b'a\0b'))
    with pytest.raises(UserError, match=r'x\.zip: '):
        unpack(path, tmp_path / 'out')
    assert set(files_in(tmp_path)) == {'x.zip', 'out/good'}


@pytest.mark.parametrize(
    'kind, target',
    [
        (tarfile.SYMTYPE, '../../outside'),
        (tarfile.SYMTYPE, '/etc'),
        (tarfile.SYMTYPE, 'good'),
        (tarfile.LNKTYPE, '../outside'),
        (tarfile.LNKTYPE, 'good'),
        (tarfile.CHRTYPE, ''),
        (tarfile.FIFOTYPE, ''),
    ],
)
def test_links_and_devices_in_a_tar_are_refused(tmp_path, kind, target):
    (tmp_path / 'outside').mkdir()
    members = (('good', b'good'), ('link', kind, target), ('link/evil', b'evil'))
    path = tar_of(tmp_path / 'x.tar', *members)
    message = r"x\.tar: its member 'link' is a link or a device; not unpacked"
    with pytest.raises(UserError, match=message):
        unpack(path, tmp_path / 'out')
    assert set(files_in(tmp_path)) == {'x.tar', 'out/good'}


def test_links_in_a_zip_are_refused(tmp_path):
    path = zip_of(tmp_path / 'x.zip', ('link', b'/tmp', LINK), ('link/evil', b'evil'))
    message = r"x\.zip: its member 'link' is a link or a device; not unpacked"
    with pytest.raises(UserError, match=message):
        unpack(path, tmp_path / 'out')
    assert set(files_in(tmp_path)) == {'x.zip'}


def test_the_last_of_two_members_with_the_same_name_counts(tmp_path):
    members = (('a', b'first'), ('./a', b'second'))
    for path in (tar_of(tmp_path / 'x.tar', *members), zip_of(tmp_path / 'x.zip', *members)):
        unpack(path, tmp_path / path.suffix)
        assert files_in(tmp_path / path.suffix) == {'a': b'second'}


@pytest.mark.parametrize('mode', ['w', 'w:gz', 'w:bz2', 'w:xz'])
def test_compressed_and_uncompressed_tar_files_are_unpacked(tmp_path, mode):
    path = tar_of(tmp_path / 'x', ('__MACOSX/a', b'-'), ('d/a', b'1' * 5000), mode=mode)
    unpack(path, tmp_path / 'out')
    assert files_in(tmp_path / 'out') == {'d/a': b'1' * 5000}


@pytest.mark.parametrize('mode', ['w', 'w:gz', 'w:bz2', 'w:xz'])
def test_a_damaged_tar_file_is_reported(tmp_path, mode):
    path = tar_of(tmp_path / 'x', *((f'{i}', bytes([i]) * 9999) for i in range(30)), mode=mode)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UserError, match=f'{path}: cannot be unpacked .*; remove it'):
        unpack(path, tmp_path / 'out')


def test_a_damaged_zip_file_is_reported(tmp_path):
    path = zip_of(tmp_path / 'x', ('a', b'1' * 50), ('b', b'2' * 50))
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    with pytest.raises(UserError, match=f'{path}: .*neither a zip nor a tar file.*; remove it'):
        unpack(path, tmp_path / '1')
    path.write_bytes(whole[:33] + b'\xff\xff' + whole[35:])
    with pytest.raises(UserError, match=f'{path}: cannot be unpacked .*; remove it'):
        unpack(path, tmp_path / '2')


def test_an_archive_that_does_not_fit_on_the_disk_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr('shutil.disk_usage', lambda folder: SimpleNamespace(free=10**6))
    bomb = zip_of(tmp_path / 'x.zip', ('a', bytes(600_000)), ('b', bytes(600_000)))
    assert bomb.stat().st_size < 5000
    with pytest.raises(
        UserError, match=r'unpacking x.zip needs about 1\.2 MB, but only 1\.0 MB is'
    ):
        unpack(bomb, tmp_path / 'zip')
    bomb = tar_of(tmp_path / 'x.tgz', ('a', bytes(100)), ('b', bytes(10**6 + 1)), mode='w:gz')
    with pytest.raises(UserError, match=r'unpacking b needs about 1\.0 MB, but only 1\.0 MB is'):
        unpack(bomb, tmp_path / 'tar')
    assert set(files_in(tmp_path)) == {'x.zip', 'x.tgz', 'tar/a'}


@pytest.mark.parametrize('top', ['', 'DAVIS/', 'some/where/', './'])
@pytest.mark.parametrize('suffix', ['zip', 'tar'])
def test_the_tree_is_found_at_any_place_in_the_archive(tmp_path, top, suffix):
    source = make_tree(tmp_path / 'source')
    packed = tmp_path / f'x.{suffix}'
    archive(packed, source, top)
    unpack_to(tmp_path / 'out' / 'x', packed, TREE)
    assert files_in(tmp_path / 'out' / 'x') == files_in(source)
    assert names_in(tmp_path / 'out') == {'x'}


@pytest.mark.parametrize('top, found', [(('a/b/c/d/',), 'no'), (('a/', 'b/'), '2')])
def test_an_archive_without_the_tree_is_kept(tmp_path, top, found):
    with zipfile.ZipFile(tmp_path / 'x.zip', 'w') as out:
        for folder in top:
            out.writestr(f'{folder}JPEGImages/v/0.jpg', b'')
            out.writestr(f'{folder}Annotations/v/0.png', b'')
    with pytest.raises(UserError, match=f'x.zip: {found} folders in it hold JPEGImages/ and Anno'):
        unpack_to(tmp_path / 'out' / 'x', tmp_path / 'x.zip', TREE)
    assert names_in(tmp_path) == {'x.zip'}


def test_static_sets_that_are_installed_already_stay(tmp_path):
    for name in ('DUTS-TR', 'fss', 'BIG_small'):
        (tmp_path / 'source' / name).mkdir(parents=True)
        (tmp_path / 'source' / name / 'a.jpg').write_text('new')
    archive(tmp_path / 'static.zip', tmp_path / 'source', 'static/')
    (tmp_path / 'static' / 'BIG_small').mkdir(parents=True)
    (tmp_path / 'static' / 'BIG_small' / 'a.jpg').write_text('mine')
    unpack_to(tmp_path / 'static', tmp_path / 'static.zip', DATASETS[0])
    assert files_in(tmp_path / 'static') == {
        'BIG_small/a.jpg': b'mine', 'DUTS-TR/a.jpg': b'new', 'fss/a.jpg': b'new',
    }  # fmt: skip


def test_parts_are_merged_into_one_tree_even_after_an_interruption(tmp_path, monkeypatch):
    target = tmp_path / 'BL30K'
    for item, videos in zip(BL30K, ('ab', 'cd'), strict=False):
        archive(
            tmp_path / item.file, make_tree(tmp_path / item.name, videos), f'BL30K/{item.name}/'
        )
    replace, calls = os.replace, iter(range(3))

    def interrupted(*args):
        if next(calls, None) is None:
            raise KeyboardInterrupt
        replace(*args)

    unpack_to(target, tmp_path / 'BL30K_a.tar', BL30K[0])
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr('os.replace', interrupted)
        unpack_to(target, tmp_path / 'BL30K_b.tar', BL30K[1])
    assert names_in(target / 'Annotations') == set('abcd')
    assert names_in(target / 'JPEGImages') == set('abc'), 'no video is without its masks'
    (target / '.BL30K_b.tar.unpacked' / 'left by a run that was killed').mkdir(parents=True)
    unpack_to(target, tmp_path / 'BL30K_b.tar', BL30K[1])
    (target / 'merged.json').unlink()
    assert files_in(target) == files_in(make_tree(tmp_path / 'all', 'abcd'))
    assert names_in(target) == {'JPEGImages', 'Annotations'}
