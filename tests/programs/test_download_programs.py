"""download_datasets.py and download_bl30k.py end to end, with a mirror on loopback."""

import io
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import download_bl30k
import download_datasets
from dataset.stage_options import DEFAULT_ROOTS, STATIC_SETS
from tests.helpers.downloads import make_content, serve, serve_bl30k
from tests.helpers.folders import files_in, names_in
from tests.helpers.loopback import refused
from tests.helpers.processes import hear_ctrl_c
from tests.helpers.training_trees import own_tree
from util.download.catalogue import BL30K, DATASETS, STATIC, TERMS
from util.options import PROJECT

ROOT = Path(__file__).parents[2]


@pytest.fixture
def words(site, tmp_path, monkeypatch):
    """Options with which download_datasets.py finds all archives on loopback."""
    monkeypatch.setattr('builtins.input', None)
    content = make_content(tmp_path / 'content')
    small = serve(site, content, DATASETS)
    monkeypatch.setattr('download_datasets.DATASETS', small)
    return ['--mirror', f'{site.url}/mirror', '--yes', '--root', str(tmp_path / 'root')]


def test_everything_is_installed_where_training_and_evaluation_look(words, tmp_path, site, capsys):
    download_datasets.main(words)
    found, expected = files_in(tmp_path / 'root'), files_in(tmp_path / 'content')
    assert found == expected
    printed = capsys.readouterr().out
    assert f'{"YouTube/train_480p":36} INCOMPLETE   missing; run scripts/resize_youtube' in printed
    assert f'{"DAVIS/2017/trainval":36} complete     2 videos, 7 frames, 7 masks' in printed
    site.asked.clear()
    download_datasets.main(words)
    assert not site.asked, 'a second run has nothing to download'


def test_only_what_is_missing_is_downloaded(words, tmp_path, site):
    (tmp_path / 'root' / 'DAVIS').mkdir(parents=True)
    (tmp_path / 'root' / 'DAVIS' / '2016').symlink_to(tmp_path / 'content' / 'DAVIS' / '2016')
    (tmp_path / 'root' / 'DAVIS' / '2017').mkdir()
    download_datasets.main([*words, '--only', 'davis-2016', 'davis-2017', '--keep'])
    assert [path for path, _ in site.asked] == ['/mirror/davis-2017.zip']
    assert names_in(tmp_path / 'root') == {'DAVIS', 'davis-2017.zip'}
    assert names_in(tmp_path / 'root' / 'DAVIS' / '2017') == {'trainval'}


def test_scribbles_need_the_tree_that_they_go_into(words, tmp_path, site, capsys):
    """A tree with nothing but scribbles would be taken for a complete one."""
    error = refused(capsys, download_datasets.main, *words, '--only', 'davis-2017-scribbles')
    assert 'which is not there; name both (--only davis-2017 davis-2017-scribbles)' in error
    assert not site.asked and not (tmp_path / 'root').exists()
    trainval = tmp_path / 'root' / 'DAVIS' / '2017' / 'trainval'
    own_tree(trainval)
    download_datasets.main([*words, '--only', 'davis-2017-scribbles'])
    assert (trainval / 'Scribbles' / 'a' / '001.json').is_file()
    assert 'complete     1 videos, 1 scribbles' in capsys.readouterr().out
    assert [path for path, _ in site.asked] == ['/mirror/davis-2017-scribbles.zip']
    (trainval / 'Scribbles' / 'a' / '001.json').unlink()
    with pytest.raises(SystemExit):
        download_datasets.main([*words, '--check', '--only', 'davis-2017-scribbles'])
    assert '0 videos, 0 scribbles; 1 videos are published' in capsys.readouterr().out


def test_the_original_youtube_train_may_be_removed_once_it_is_resized(words, tmp_path, site):
    own_tree(tmp_path / 'root' / 'YouTube' / 'train_480p')
    download_datasets.main([*words, '--only', 'youtube-train'])
    assert not site.asked


def test_an_archive_obtained_by_hand_is_used(words, tmp_path, site):
    path, root = '/mirror/davis-2016.zip', tmp_path / 'root'
    only = ['--only', 'davis-2016']
    elsewhere = tmp_path / 'elsewhere'
    for folder, more in ((elsewhere, ['--from', str(elsewhere)]), (root, [])):
        folder.mkdir(exist_ok=True)
        (folder / 'davis-2016.zip').write_bytes(site.pages[path].content)
        download_datasets.main([*words, *only, *more])
        assert (root / 'DAVIS' / '2016' / 'JPEGImages').is_dir()
        (root / 'DAVIS' / '2016').rename(tmp_path / f'from_{folder.name}')
    assert not site.asked
    assert names_in(elsewhere) == {'davis-2016.zip'} and names_in(root) == {'DAVIS'}


def test_an_archive_that_is_missing_in_the_given_folder_is_reported(words, tmp_path, capsys, site):
    error = refused(capsys, download_datasets.main, *words, '--from', tmp_path)
    assert error.endswith('static.zip: no such file; put it there or, with --only, name the '
                          'archives that you have')  # fmt: skip
    assert not site.asked and not (tmp_path / 'root').exists()


def test_check_counts_and_its_exit_code_says_whether_all_is_complete(words, tmp_path, capsys):
    check = ['--check', '--root', str(tmp_path / 'root'), '--only', 'davis-2017', 'static']
    with pytest.raises(SystemExit) as end:
        download_datasets.main(check)
    assert end.value.code == 1
    download_datasets.main([*words, '--only', 'davis-2017', 'static'])
    download_datasets.main(check)
    trainval = tmp_path / 'root' / 'DAVIS' / '2017' / 'trainval'
    (trainval / 'Annotations' / '480p' / 'a' / '00001.png').unlink()
    (trainval / 'ImageSets' / '2017' / 'val.txt').unlink()
    (tmp_path / 'root' / 'static' / 'fss' / 'xyz.png').unlink()
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        download_datasets.main(check)
    assert end.value.code == 1
    lines = capsys.readouterr().out.splitlines()
    faults = [' '.join(line.split()) for line in lines if 'INCOMPLETE' in line]
    again = 'move it away and download it again'
    assert faults == [
        f'static/fss INCOMPLETE 0 pairs; 1 pairs are published; it is empty; {again}',
        'DAVIS/2017/trainval INCOMPLETE 2 videos, 7 frames, 6 masks; 1 frames without a mask; '
        f'ImageSets/2017/val.txt is missing; {again}',
    ]
    assert len(lines) == 1 + len(STATIC_SETS)


def test_list_downloads_nothing(words, capsys, site):
    download_datasets.main([*words, '--list'])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [item.name for item in DATASETS]
    assert all('missing' in line for line in lines) and not site.asked


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize('answer, agreed', [('y', True), ('', False), ('no', False), (None, False)])
def test_the_terms_are_shown_and_must_be_confirmed(
    words, capsys, site, monkeypatch, answer, agreed
):
    def reply(question):
        assert question == 'Download under these terms? [y/N] '
        if answer is None:
            raise EOFError
        return answer

    words.remove('--yes')
    only = ['--only', 'davis-2016', 'davis-2017']
    error = refused(capsys, download_datasets.main, *words, *only)
    assert error.endswith('there is no terminal to ask on; pass --yes to accept them')
    monkeypatch.setattr('sys.stdin', Terminal())
    monkeypatch.setattr('builtins.input', reply)
    if agreed:
        download_datasets.main([*words, *only])
        assert TERMS['davis'] in capsys.readouterr().out
    else:
        error = refused(capsys, download_datasets.main, *words, *only)
        assert error == 'error: the terms are not accepted; nothing is downloaded'
    assert bool(site.asked) == agreed


def test_ctrl_c_keeps_what_has_arrived(words, tmp_path, site):
    page = site.pages['/mirror/davis-2016.zip']
    page.content = b'x' * 400_000 + page.content  # a zip file may begin with other bytes
    page.cuts, page.stall = [300_000], threading.Event()
    words += ['--only', 'davis-2016']
    process = subprocess.Popen(
        [sys.executable, ROOT / 'download_datasets.py', *words],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, 'NO_PROXY': '*'},
        preexec_fn=hear_ctrl_c,
    )
    part = tmp_path / 'root' / 'davis-2016.zip.part'
    deadline = time.monotonic() + 60
    while not (part.exists() and part.stat().st_size > 200_000):
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    errors = process.communicate()[1]
    page.stall.set()
    page.stall = None
    assert process.returncode == 130 and errors.splitlines()[-1] == 'error: interrupted'
    assert 'Traceback' not in errors
    names = {'davis-2016.zip.part', 'davis-2016.zip.part.json'}
    assert names_in(tmp_path / 'root') == names
    kept = part.stat().st_size
    download_datasets.main(words)
    assert site.asked[-1] == ('/mirror/davis-2016.zip', f'bytes={kept}-')
    assert (tmp_path / 'root' / 'DAVIS' / '2016' / 'JPEGImages').is_dir()


def test_ctrl_c_while_unpacking_keeps_the_archive(words, tmp_path, monkeypatch, site):
    words += ['--only', 'davis-2016']

    def interrupted(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(SystemExit) as end:
        patch.setattr('shutil.copyfileobj', interrupted)
        download_datasets.main(words)
    assert end.value.code == 130
    assert names_in(tmp_path / 'root') == {'davis-2016.zip'}
    site.asked.clear()
    download_datasets.main(words)
    assert not site.asked and names_in(tmp_path / 'root') == {'DAVIS'}


@pytest.fixture
def bl30k(site, tmp_path, monkeypatch):
    """Options with which download_bl30k.py finds two parts, of three videos in all."""
    monkeypatch.setattr('builtins.input', None)
    small = serve_bl30k(site, tmp_path, ('ab', 'c'))
    monkeypatch.setattr('download_bl30k.BL30K', small)
    return ['--mirror', f'{site.url}/mirror', '--yes', '--root', str(tmp_path / 'root')]


def test_parts_of_bl30k_become_one_tree_and_are_not_downloaded_again(bl30k, tmp_path, site, capsys):
    download_bl30k.main([*bl30k, '--only', 'BL30K_a'])
    printed = capsys.readouterr().out
    assert 'INCOMPLETE   2 videos, 6 frames, 6 masks; 3 videos are published' in printed
    download_bl30k.main(bl30k)
    assert [path for path, _ in site.asked] == ['/mirror/BL30K_a.tar', '/mirror/BL30K_b.tar']
    root = tmp_path / 'root'
    assert names_in(root / 'BL30K') == {'JPEGImages', 'Annotations', 'merged.json'}
    assert names_in(root / 'BL30K' / 'JPEGImages') == set('abc') and names_in(root) == {'BL30K'}
    download_bl30k.main([*bl30k, '--check'])
    assert len(site.asked) == 2


def test_a_part_with_another_md5_is_not_unpacked(bl30k, tmp_path, site, capsys):
    site.pages['/mirror/BL30K_b.tar'].content += b'x'
    error = refused(capsys, download_bl30k.main, *bl30k)
    assert 'BL30K_b.tar.part: its MD5 is ' in error and error.endswith('; download it again')
    assert names_in(tmp_path / 'root' / 'BL30K' / 'JPEGImages') == set('ab')
    (tmp_path / 'BL30K_b.tar').write_bytes(b'from somewhere else')
    error = refused(capsys, download_bl30k.main, *bl30k, '--from', tmp_path)
    assert f'{tmp_path / "BL30K_b.tar"}: its MD5 is ' in error
    assert names_in(tmp_path / 'root') == {'BL30K'}


def test_bl30k_is_not_started_without_space_for_all_of_it(tmp_path, monkeypatch, capsys, site):
    for options, needed in (([], 805), (['--keep'], 1380), (['--only', 'BL30K_c'], 230)):
        monkeypatch.setattr(
            'shutil.disk_usage', lambda _, n=needed: type('', (), {'free': n * 10**9 - 1})
        )
        error = refused(capsys, download_bl30k.main, '--yes', '--root', tmp_path, *options)
        assert 'downloading and unpacking BL30K_' in error
        assert f'needs about {needed}.0 GB' in error
    assert not site.asked


def test_the_default_folders_are_those_of_training():
    assert {tree.folder for tree in STATIC} == {f'static/{name}' for name in STATIC_SETS}
    assert PROJECT == ROOT
    folders = {item.folder.split('/')[0] for item in (*DATASETS, *BL30K)}
    assert {f'../{folder}' for folder in folders} == set(DEFAULT_ROOTS.values())


def test_a_mirror_that_is_not_a_url_is_reported(capsys):
    error = refused(capsys, download_datasets.main, '--mirror', 'example.org', '--yes')
    assert error == 'error: --mirror example.org: must start with http:// or https://'
