"""Where a published file can be downloaded, and how to get it by hand if that fails."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests
from gdown.download import get_url_from_gdrive_confirmation
from gdown.exceptions import FileURLRetrievalError

from util.download.catalogue import Download
from util.download.fetch import TIMEOUT, Refused, TemporaryFailure, UrlFinder

DRIVE = 'https://drive.google.com'
DATABANK = 'https://databank.illinois.edu'
BL30K_ID = 'IDB-1702934'
MAX_PAGES = 3  # Google Drive shows one page, a warning, before a large file
REASONS = {  # words on a page of Google Drive -> what they mean
    r'Quota exceeded|Too many users|download quota': 'the download quota of this file is used up',
    r'You need access|Request access|ServiceLogin|Sign.in': 'this file is not public',
    r'Not Found|does not exist': 'this file no longer exists',
}


def url_finder(item: Download, mirror: str | None = None) -> UrlFinder:
    """What `fetch` calls for the URL of a file.

    mirror: a URL below which the files lie, under the names that they get on this disk.
    """
    kind, _, key = item.origin.partition(':')
    if mirror:
        return lambda session: f'{mirror.rstrip("/")}/{item.file}'
    find = drive_url if kind == 'drive' else databank_url
    return lambda session: find(session, key)


def manual_instructions(item: Download, path: Path) -> str:
    """How to get a file with a browser."""
    kind, _, key = item.origin.partition(':')
    page = f'{DRIVE}/file/d/{key}/view' if kind == 'drive' else f'{DATABANK}/datasets/{BL30K_ID}'
    return f'open {page} in a browser, save the file as {path} and run this again'


def drive_url(session: requests.Session, file_id: str) -> str:
    """The URL of a file on Google Drive, which shows a page with a warning before a large one."""
    url = f'{DRIVE}/uc?id={file_id}'
    for _ in range(MAX_PAGES):
        with session.get(url, stream=True, timeout=TIMEOUT) as response:
            if response.status_code >= 500:
                failure = f'Google Drive answers {response.status_code} {response.reason}'
                raise TemporaryFailure(failure)
            if response.ok and 'html' not in response.headers.get('Content-Type', ''):
                return response.url
            page = response.url + response.text
        try:
            url = get_url_from_gdrive_confirmation(page)
        except FileURLRetrievalError as error:
            raise Refused(f'Google Drive: {drive_reason(page)}') from error
    raise Refused('Google Drive keeps asking for confirmation')


def drive_reason(page: str) -> str:
    """Why Google Drive shows this page instead of a file."""
    for words, reason in REASONS.items():
        if re.search(words, page):
            return reason
    title = re.search(r'<title>(.*?)</title>', page, re.DOTALL)
    return f'it shows a web page instead ({title[1].strip() if title else "without a title"})'


def databank_url(session: requests.Session, name: str) -> str:
    """The URL of a file of BL30K, looked up in the public listing of the Illinois Data Bank.

    The bank does not document the listing, so this relies on little: some JSON object in it has the
    file's name as one of its values, and either a link as another or the `web_id` that the bank
    builds its own links from. A wrong guess does no harm, because the MD5 is checked afterwards.
    """
    with session.get(f'{DATABANK}/datasets/{BL30K_ID}.json', timeout=TIMEOUT) as response:
        if response.status_code >= 500:
            failure = f'the Illinois Data Bank answers {response.status_code} {response.reason}'
            raise TemporaryFailure(failure)
        try:
            listing = response.json() if response.ok else {}
        except ValueError:
            listing = {}
    for entry in json_objects(listing):
        if name in entry.values():
            links = [str(value) for value in entry.values() if str(value).startswith('http')]
            if 'web_id' in entry:
                links.append(f'{DATABANK}/datafiles/{entry["web_id"]}/download')
            if links:
                return links[0]
    raise Refused(f'the listing of the Illinois Data Bank has no link to {name}')


def json_objects(document: Any) -> Iterator[dict[str, Any]]:
    """Every object (dict) in a JSON document, at any depth."""
    if isinstance(document, dict):
        yield document
        document = list(document.values())
    if isinstance(document, list):
        for child in document:
            yield from json_objects(child)
