"""Where a published file lies: a URL to fetch it from, and how to get it by hand if that fails."""

import re

from gdown.download import get_url_from_gdrive_confirmation
from gdown.exceptions import FileURLRetrievalError

from util.download.fetch import TIMEOUT, BrokenOff, Refused

DRIVE = 'https://drive.google.com'
DATABANK = 'https://databank.illinois.edu'
BL30K_ID = 'IDB-1702934'
REASONS = {  # what Drive's pages say: what it means
    r'Quota exceeded|Too many users|download quota': 'the quota of this file is used up',
    r'You need access|Request access|ServiceLogin|Sign.in': 'this file is not shared with everyone',
    r'Not Found|does not exist': 'there is no such file any more',
}


def find_url(item, mirror=None):
    """item: catalogue.Published -> a function session -> URL, for `fetch`.

    mirror: a URL below which the files lie under the names that they get here.
    """
    kind, _, key = item.source.partition(':')
    if mirror:
        return lambda session: f'{mirror.rstrip("/")}/{item.file}'
    find = {'drive': drive_url, 'databank': databank_url}[kind]
    return lambda session: find(session, key)


def by_hand(item, path):
    """What a user can do who has a browser."""
    kind, _, key = item.source.partition(':')
    page = f'{DRIVE}/file/d/{key}/view' if kind == 'drive' else f'{DATABANK}/datasets/{BL30K_ID}'
    return f'open {page} in a browser, save the file as {path} and run this again'


def drive_url(session, file_id):
    """The URL of the bytes of a file on Google Drive, behind its page about large files."""
    url = f'{DRIVE}/uc?id={file_id}'
    for _ in range(3):
        with session.get(url, stream=True, timeout=TIMEOUT) as response:
            if response.status_code >= 500:
                raise BrokenOff(f'Google Drive answers {response.status_code} {response.reason}')
            if response.ok and 'html' not in response.headers.get('Content-Type', ''):
                return response.url
            page = response.url + response.text
        try:
            url = get_url_from_gdrive_confirmation(page)
        except FileURLRetrievalError as error:
            raise Refused(f'Google Drive: {reason_in(page)}') from error
    raise Refused('Google Drive asks for a confirmation again and again')


def reason_in(page):
    found = [reason for sign, reason in REASONS.items() if re.search(sign, page)]
    title = re.search(r'<title>(.*?)</title>', page, re.DOTALL)
    return (found or [f'it shows a page instead ({title[1].strip() if title else "no title"})'])[0]


def databank_url(session, name):
    """The URL of one of the files of BL30K, by the public listing of the Illinois Data Bank.

    Known are the dataset's page and the files' names and MD5s. How the listing names its fields is
    not promised anywhere, so this looks for the entry that has the name for one of its values, and
    takes its link, or the `web_id` of which the bank's own links are made. A wrong one does no
    harm: the MD5 tells.
    """
    with session.get(f'{DATABANK}/datasets/{BL30K_ID}.json', timeout=TIMEOUT) as response:
        if response.status_code >= 500:
            raise BrokenOff(f'the data bank answers {response.status_code} {response.reason}')
        try:
            listing = response.json() if response.ok else {}
        except ValueError:
            listing = {}
    for entry in entries(listing):
        if name in entry.values():
            links = [str(value) for value in entry.values() if str(value).startswith('http')]
            if 'web_id' in entry:
                links.append(f'{DATABANK}/datafiles/{entry["web_id"]}/download')
            if links:
                return links[0]
    raise Refused(f'the listing of the Illinois Data Bank shows no link to {name}')


def entries(document):
    """Every dict in a JSON document."""
    if isinstance(document, dict):
        yield document
        document = document.values()
    elif not isinstance(document, list):
        return
    for child in document:
        yield from entries(child)
