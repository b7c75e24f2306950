"""Downloading a file over HTTP, from a server on loopback."""

import socket
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.helpers.folders import names_in
from util.download.checksums import check_md5
from util.download.fetch import Refused, fetch
from util.errors import UserError

CONTENT = np.random.default_rng(0).bytes(1_000_000)
HALF = len(CONTENT) // 2
NEW = np.random.default_rng(1).bytes(len(CONTENT))
TAGGED, DATED = {'ETag': '"a"'}, {'Last-Modified': 'Mon, 01 Jan 2024 00:00:00 GMT'}


def get(url, path, verify=lambda part: None, **options):
    fetch(lambda session: url, path, verify=verify, **options)
    return path.read_bytes()


def cut_off(site, path, **options):
    """Let a download break off after half of the file until it is given up; return the URL."""
    url = site.add('/file', CONTENT, cuts=[HALF, 0, 0, 0], **options)
    with pytest.raises(UserError, match=r'0\.5 MB is kept; run this again to continue'):
        get(url, path)
    assert names_in(path.parent) == {'file.zip.part', 'file.zip.part.json'}
    assert (path.parent / 'file.zip.part').read_bytes() == CONTENT[:HALF]
    site.asked.clear()
    site.sent = 0
    site.pages['/file'].cuts.clear()
    return url


@pytest.fixture
def path(tmp_path):
    return tmp_path / 'file.zip'


def test_a_file_is_downloaded_in_one_request(site, path):
    assert get(site.add('/file', CONTENT), path) == CONTENT
    assert names_in(path.parent) == {'file.zip'}
    assert site.asked == [('/file', None)]


def test_a_broken_download_resumes_where_it_stopped(site, path):
    url = site.add('/file', CONTENT, cuts=[HALF, 1000], headers=TAGGED)
    assert get(url, path) == CONTENT
    assert [asked for _, asked in site.asked] == [None, f'bytes={HALF}-', f'bytes={HALF + 1000}-']
    assert site.sent == len(CONTENT)


@pytest.mark.parametrize('headers', [TAGGED, DATED, {}])
def test_the_next_run_downloads_only_the_rest(site, path, headers):
    url = cut_off(site, path, headers=headers)
    assert get(url, path) == CONTENT
    assert site.asked == [('/file', f'bytes={HALF}-')] and site.sent == len(CONTENT) - HALF
    assert names_in(path.parent) == {'file.zip'}


@pytest.mark.parametrize(
    'before, after',
    [
        (TAGGED, {'ETag': '"b"'}),
        (DATED, {'Last-Modified': 'Tue, 02 Jan 2024 00:00:00 GMT'}),
        ({}, TAGGED),
    ],
)
def test_a_file_that_has_changed_is_downloaded_from_the_start(site, path, before, after):
    cut_off(site, path, headers=before)
    assert get(site.add('/file', NEW, headers=after), path) == NEW


@pytest.mark.parametrize('content', [NEW[:-1], NEW + b'x', NEW[: HALF // 2]])
def test_a_file_of_another_length_is_downloaded_from_the_start(site, path, content):
    cut_off(site, path)
    assert get(site.add('/file', content), path) == content


@pytest.mark.parametrize(
    'options', [{'takes_ranges': False}, {'content_range': f'bytes 0-{HALF}/{len(CONTENT)}'}]
)
def test_a_server_that_does_not_support_ranges_sends_the_whole_file_again(site, path, options):
    cut_off(site, path)
    assert get(site.add('/file', CONTENT, **options), path) == CONTENT


def test_a_complete_part_is_renamed_without_another_request(site, path):
    url = site.add('/file', CONTENT)

    def killed(part):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        get(url, path, killed)
    assert names_in(path.parent) == {'file.zip.part', 'file.zip.part.json'}
    site.asked.clear()
    assert get(url, path) == CONTENT and not site.asked


def test_a_part_without_a_recorded_version_is_not_resumed(site, path):
    Path(f'{path}.part').write_bytes(b'written by another program')
    assert get(site.add('/file', CONTENT), path) == CONTENT


def test_a_busy_server_is_asked_again(site, path):
    assert get(site.add('/file', CONTENT, failures=2), path) == CONTENT
    with pytest.raises(
        UserError, match=r'answers 503 Service Unavailable; run this again to continue'
    ):
        get(site.add('/busy', CONTENT, failures=9), path.with_name('other'))


def test_the_refusal_of_a_server_is_reported(site, path):
    with pytest.raises(Refused, match='answers 404 Not Found'):
        get(f'{site.url}/gone', path)
    page = site.add('/page', b'<html>', headers={'Content-Type': 'text/html; charset=utf-8'})
    with pytest.raises(Refused, match='answers with a web page instead of the file'):
        get(page, path)
    assert not names_in(path.parent)


def test_a_failed_connection_is_reported(site, path, monkeypatch):
    with socket.socket() as unused:
        unused.bind(('127.0.0.1', 0))
        url = f'http://127.0.0.1:{unused.getsockname()[1]}/file'
    with pytest.raises(UserError, match=r'no connection to 127\.0\.0\.1 \(ConnectionError\)'):
        get(url, path)
    monkeypatch.setattr('util.download.fetch.TIMEOUT', 0.2)
    with (
        socket.create_server(('127.0.0.1', 0)) as silent,
        pytest.raises(UserError, match=r'no connection to 127\.0\.0\.1 \(ReadTimeout\)'),
    ):
        get(f'http://127.0.0.1:{silent.getsockname()[1]}/file', path)


def test_a_file_with_a_wrong_checksum_is_removed(site, path):
    url = site.add('/file', CONTENT)
    with pytest.raises(
        UserError, match=r'file.zip.part: its MD5 is \w{32} instead of 00, so .*again'
    ):
        get(url, path, partial(check_md5, expected='00'))
    assert not names_in(path.parent)


def test_free_space_is_checked_before_the_first_byte(site, path, monkeypatch):
    url = site.add('/file', CONTENT)
    disk = SimpleNamespace()
    monkeypatch.setattr('shutil.disk_usage', lambda folder: disk)
    for will_unpack, purpose, needed in (
        (False, 'downloading', '1.0'),
        (True, 'downloading and unpacking', '2.0'),
    ):
        disk.free = 10**6 * (will_unpack + 1) - 1
        message = rf': {purpose} file\.zip needs about {needed} MB, but only .* is free; make room'
        with pytest.raises(UserError, match=message):
            get(url, path, will_unpack=will_unpack)
        assert not names_in(path.parent)
    disk.free = 2 * 10**6
    assert get(url, path, will_unpack=True) == CONTENT
