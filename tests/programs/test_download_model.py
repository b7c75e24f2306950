"""download_model.py end to end, with a mirror on loopback and the stand-in weights."""

import hashlib

import pytest
import torch

import download_model
from tests.helpers.folders import names_in
from tests.helpers.loopback import refused
from util.options import PUBLISHED_WEIGHTS

CONTENT = b'weights'
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def words(site, tmp_path):
    """Options with which download_model.py finds the weights on loopback."""
    for name in ('propagation_model.pth', 'propagation_model_s02.pth'):
        site.add(f'/mirror/{name}', CONTENT)
    return ['--mirror', f'{site.url}/mirror', '--root', str(tmp_path), '--yes']


@pytest.fixture
def any_file_loads(monkeypatch):
    """Any file is a checkpoint; reading 200 MB each time would take long."""
    monkeypatch.setattr('util.download.weights.load_network', lambda path, multi_object: None)


def test_weights_of_this_network_are_downloaded(words, tmp_path, checkpoint, site):
    content = site.pages['/mirror/propagation_model.pth'].content = checkpoint.read_bytes()
    download_model.main(words)
    assert names_in(tmp_path) == {'propagation_model.pth', 'propagation_model.pth.sha256'}
    assert (tmp_path / 'propagation_model.pth').read_bytes() == content


@pytest.mark.usefixtures('any_file_loads')
def test_weights_are_downloaded_once_and_checked_from_then_on(words, tmp_path, site, capsys):
    download_model.main(words)
    path = tmp_path / 'propagation_model.pth'
    assert path.with_name('propagation_model.pth.sha256').read_text() == f'{DIGEST}  {path.name}\n'
    capsys.readouterr()
    download_model.main(words)
    assert len(site.asked) == 1
    assert capsys.readouterr().out == f'{path}: weights of this network, SHA-256 {DIGEST}\n'
    path.write_bytes(b'other weights')
    for options in ([], ['--check']):
        error = refused(capsys, download_model.main, *words, *options)
        assert f'{path}: its SHA-256 is ' in error and f'not the one in {path}.sha256' in error


@pytest.mark.usefixtures('any_file_loads')
def test_s02_has_its_own_file_name(words, tmp_path):
    download_model.main([*words, '--s02'])
    assert names_in(tmp_path) == {'propagation_model_s02.pth', 'propagation_model_s02.pth.sha256'}


@pytest.mark.usefixtures('any_file_loads')
def test_the_checksum_of_weights_obtained_by_hand_is_recorded(words, tmp_path, site):
    (tmp_path / 'propagation_model.pth').write_bytes(CONTENT)
    download_model.main(words)
    assert not site.asked
    assert (tmp_path / 'propagation_model.pth.sha256').read_text().startswith(DIGEST)


def test_a_file_that_is_not_a_checkpoint_of_this_network_is_removed(words, tmp_path, capsys, site):
    torch.save({'mask_rgb_encoder.conv1.weight': torch.zeros(64, 5, 7, 7)}, tmp_path / 'other.pth')
    for content, reason in (
        ((tmp_path / 'other.pth').read_bytes(), '596 missing: '),
        (b'no checkpoint', 'not a readable checkpoint'),
    ):
        site.pages['/mirror/propagation_model.pth'].content = content
        assert reason in refused(capsys, download_model.main, *words)
        assert names_in(tmp_path) == {'other.pth'}


@pytest.mark.usefixtures('any_file_loads')
def test_weights_with_another_checksum_than_the_recorded_one_are_refused(words, tmp_path, capsys):
    (tmp_path / 'propagation_model.pth.sha256').write_text('00  propagation_model.pth\n')
    assert 'its SHA-256 is ' in refused(capsys, download_model.main, *words)
    assert names_in(tmp_path) == {'propagation_model.pth.sha256'}


def test_check_and_list_download_nothing(words, tmp_path, site, capsys):
    with pytest.raises(SystemExit) as end:
        download_model.main([*words, '--check'])
    assert end.value.code == 1
    download_model.main([*words, '--list'])
    assert capsys.readouterr().out.count('missing') == 3
    assert not site.asked and not names_in(tmp_path)


def test_without_yes_the_terms_must_be_confirmed(words, capsys):
    assert 'pass --yes' in refused(capsys, download_model.main, *words[:-1])


def test_the_default_is_the_file_that_every_program_looks_for():
    assert PUBLISHED_WEIGHTS.name == 'propagation_model.pth' == download_model.S012.file
