"""URLs of files: Google Drive's pages and the data bank's listing, served on loopback."""

import json

import pytest

from util.download.catalogue import BL30K, DATASETS
from util.download.install import download
from util.errors import UserError

ITEM = DATASETS[1]
ADDRESS = f'/uc?id={ITEM.origin.removeprefix("drive:")}'
HTML = {'Content-Type': 'text/html; charset=utf-8'}
FILE = {'Content-Type': 'application/zip', 'Content-Disposition': 'attachment; filename="a.zip"'}

LARGE = """<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title></head><body>
<p class="uc-warning-caption">Google Drive can't scan this file for viruses.</p>
<p class="uc-warning-subcaption"><span class="uc-name-size"><a href="/open?id=X">DAVIS-data.zip</a>
 (1.9G)</span> is too large for Google to scan for viruses.</p>
<form id="download-form" action="{url}/download" method="get"><input type="submit"
 id="uc-download-link" class="goog-inline-block jfk-button" value="Download anyway"/><input
 type="hidden" name="id" value="X"><input type="hidden" name="export" value="download"><input
 type="hidden" name="confirm" value="t"><input type="hidden" name="uuid" value="ab-c"></form>
</body></html>""".replace('\n ', ' ').replace('<input\n', '<input')
QUOTA = """<!DOCTYPE html><html><head><title>Google Drive - Quota exceeded</title></head><body>
<p class="uc-error-caption">Sorry, you can't view or download this file at this time.</p>
<p class="uc-error-subcaption">Too many users have viewed or downloaded this file recently. Please
 try accessing the file again later. If the file you are trying to access is particularly large or
 is shared with many people, it may take up to 24 hours to be able to view or download the file.</p>
<a href="https://accounts.google.com/ServiceLogin">Sign in</a></body></html>"""
PERMISSION = """<!DOCTYPE html><html><head><title>Google Drive: Access Denied</title></head><body>
<p>You need access</p><p>Ask for access, or switch to an account with access.</p></body></html>"""
SIGN_IN = (
    """<html><head><title>Google Drive: Sign-in</title></head><body>to continue</body></html>"""
)
GONE = """<html><head><title>Error 404 (Not Found)!!1</title></head><body></body></html>"""
OTHER = """<html><head><title> Maintenance\n</title></head><body></body></html>"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / ITEM.file


def get(path, item=ITEM, mirror=None):
    download(item, path, mirror, lambda part: None)
    return path.read_bytes()


def test_a_small_file_on_drive_is_downloaded_directly(site, path):
    site.add(ADDRESS, b'content', headers=FILE)
    assert get(path) == b'content'


def test_a_large_file_on_drive_is_downloaded_past_the_warning(site, path):
    content = bytes(range(256)) * 2000
    site.add(ADDRESS, LARGE.format(url=site.url).encode(), headers=HTML)
    behind = '/download?id=X&export=download&confirm=t&uuid=ab-c'
    site.add(behind, content, headers=FILE, cuts=[0, 200_000])
    assert get(path) == content
    assert (behind, 'bytes=200000-') in site.asked, 'resumed after the connection broke'


@pytest.mark.parametrize(
    'page, status, reason',
    [
        (QUOTA, 200, 'the download quota of this file is used up'),
        (QUOTA, 403, 'the download quota of this file is used up'),
        (PERMISSION, 403, 'this file is not public'),
        (SIGN_IN, 200, 'this file is not public'),
        (GONE, 404, 'this file no longer exists'),
        (OTHER, 200, r'it shows a web page instead \(Maintenance\)'),
    ],
)
def test_a_web_page_from_drive_is_reported_with_manual_instructions(
    site, path, page, status, reason
):
    site.add(ADDRESS, page.encode(), headers=HTML, status=status)
    manual = f'open {site.url}/file/d/{ITEM.origin[6:]}/view in a browser, save the file as {path}'
    with pytest.raises(UserError, match=f'^davis-2016: Google Drive: {reason}; {manual} and run'):
        get(path)
    assert not path.parent.exists() or not any(path.parent.iterdir())


def test_a_quota_page_after_the_warning_is_recognised_too(site, path):
    site.add(ADDRESS, LARGE.format(url=site.url).encode(), headers=HTML)
    site.add('/download?id=X&export=download&confirm=t&uuid=ab-c', QUOTA.encode(), headers=HTML)
    with pytest.raises(UserError, match='the download quota of this file is used up; open '):
        get(path)


def test_a_warning_that_comes_again_and_again_is_given_up(site, path):
    site.add(ADDRESS, LARGE.format(url=site.url).encode(), headers=HTML)
    behind = '/download?id=X&export=download&confirm=t&uuid=ab-c'
    site.add(behind, LARGE.format(url=site.url).encode(), headers=HTML)
    with pytest.raises(UserError, match='keeps asking for confirmation; open '):
        get(path)


@pytest.mark.parametrize(
    'entry', [{'web_id': 'abc'}, {'link': '{url}/datafiles/abc/download', 'size': 7}]
)
def test_a_part_of_bl30k_is_found_by_the_listing_of_the_data_bank(site, tmp_path, entry):
    entry = {key: str(value).replace('{url}', site.url) for key, value in entry.items()}
    files = [{'name': 'BL30K_b.tar', 'web_id': 'no'}, {'name': 'BL30K_a.tar', **entry}]
    listing = {'title': 'BL30K', 'datafiles': files}
    site.add('/datasets/IDB-1702934.json', json.dumps(listing).encode())
    site.add('/datafiles/abc/download', b'content')
    assert get(tmp_path / 'BL30K_a.tar', BL30K[0]) == b'content'


@pytest.mark.parametrize('listing', [b'{"datafiles": []}', b'<html>', b'["BL30K_a.tar"]', None])
def test_a_listing_without_the_part_is_reported_with_manual_instructions(site, tmp_path, listing):
    if listing is not None:
        site.add('/datasets/IDB-1702934.json', listing)
    with pytest.raises(
        UserError, match=r'no link to BL30K_a\.tar; open .*/datasets/IDB-1702934 in'
    ):
        get(tmp_path / 'BL30K_a.tar', BL30K[0])


def test_a_mirror_has_the_files_under_their_names_on_this_disk(site, path):
    site.add('/mirror/davis-2016.zip', b'content')
    assert get(path, mirror=f'{site.url}/mirror/') == b'content'
