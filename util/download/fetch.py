"""Fetching a file over HTTP: into NAME.part, going on there after an interruption."""

import contextlib
import json
import os
import sys
import time
from urllib.parse import urlsplit

import requests
import urllib3

from util.download.disk import check_space, in_mb, naming, readable, size_of
from util.errors import UserError
from util.files import save_json
from util.progress import progress_bar

BLOCK = 1 << 16  # bytes; what an interruption may lose
TIMEOUT = 30  # seconds without a byte
DELAYS = (1, 4, 15)  # seconds before the next try; started over once a try has gained something


class BrokenOff(Exception):
    """The connection broke, or the server is busy: worth another try."""


class Refused(UserError):
    """The server answers, but not with the file: it may still be had by hand."""


def fetch(find_url, path, *, verify, reserve=0):
    """Download to `path`, which appears once it is whole and verified.

    find_url(session) -> URL, asked for each try, since some expire. verify(part) raises UserError
    for a wrong file, which is then removed. reserve: free space to be left, in sizes of the file.
    What has come stays in NAME.part until then, also on Ctrl-C. Raises UserError, Refused.
    """
    part = path.with_name(f'{path.name}.part')
    most, delays = size_of(part), list(DELAYS)
    with requests.Session() as session:
        while True:
            try:
                receive(session, find_url, part, reserve)
                break
            except (BrokenOff, requests.RequestException) as error:
                if size_of(part) > most:
                    most, delays = size_of(part), list(DELAYS)
                if not delays:
                    kept = f'{readable(size_of(part))} are kept, ' if size_of(part) else ''
                    again = f'{kept}run this again to go on'
                    raise UserError(f'{path.name}: {in_words(error)}; {again}') from error
                delay = delays.pop(0)
                note = f'{path.name}: {in_words(error)}; trying again in {delay} s'
                print(note, file=sys.stderr)
                time.sleep(delay)
    try:
        verify(part)
        os.replace(part, path)
    except UserError:
        part.unlink()
        raise
    finally:
        if not part.exists():
            state_of(part).unlink(missing_ok=True)


def receive(session, find_url, part, reserve):
    """One request for what `part` lacks. Raises BrokenOff unless it is whole afterwards."""
    known = read_state(part)
    start = size_of(part) if known['size'] else 0
    if start and start == known['size']:  # killed before it got its name
        return
    url = find_url(session)
    with contextlib.ExitStack() as stack:
        response = stack.enter_context(ask(session, url, start, known['validator']))
        if not continues(response, start, known):
            if response.status_code != 200:
                response = stack.enter_context(ask(session, url, 0, None))
            start, known = 0, describe(response)
        total = known['size']
        if total is not None:
            what = f'{part.stem}, with what it unpacks to,' if reserve else part.stem
            check_space(part.parent, total - start + reserve * total, what)
        if not start:
            part.unlink(missing_ok=True)  # first: the note must never lie beside other bytes
            save_json(state_of(part), known)
        done = append(response, part, total)
    if total is not None and done != total:
        raise BrokenOff(f'broke off after {readable(done)} of {readable(total)}')


def ask(session, url, start, validator):
    """-> a response that holds the file, its rest from `start` on, or neither (416)."""
    headers = {'Accept-Encoding': 'identity'}  # lengths are those of the file
    if start:
        headers['Range'] = f'bytes={start}-'
        if validator:
            headers['If-Range'] = validator
    response = session.get(url, headers=headers, stream=True, timeout=TIMEOUT)
    status, host = response.status_code, urlsplit(url).hostname
    if status in (408, 429) or status >= 500:
        raise BrokenOff(f'{host} answers {status} {response.reason}')
    if status not in ((200, 206, 416) if start else (200,)):
        raise Refused(f'{host} answers {status} {response.reason}')
    if status == 200 and 'html' in response.headers.get('Content-Type', ''):
        raise Refused(f'{host} answers with a web page instead of the file')
    return response


def continues(response, start, known):
    """Whether this is the rest of the same file, from `start` to its end."""
    size = known['size']
    wanted = f'bytes {start}-{size - 1}/{size}' if start else None
    if response.status_code != 206 or response.headers.get('Content-Range') != wanted:
        return False
    return validator_of(response) in (None, known['validator'])


def describe(response):
    """What tells later whether the file is still the same: its size and a validator, or None."""
    length = response.headers.get('Content-Length', '')
    size = int(length) if length.isdecimal() else None
    return {'size': size, 'validator': validator_of(response)}


def append(response, part, total):
    """Write what comes -> the size of `part` then, whole or not."""
    bar = progress_bar(in_mb(total or 0) or None, 'MB')
    with naming(part), open(part, 'ab') as file, bar:
        while block := next_block(response):
            file.write(block)
            bar.update(in_mb(file.tell()))
        return file.tell()


def next_block(response):
    try:
        return response.raw.read(BLOCK, decode_content=False)
    except (urllib3.exceptions.HTTPError, OSError) as error:
        host = urlsplit(response.url).hostname
        raise BrokenOff(f'the connection to {host} broke ({type(error).__name__})') from error


def validator_of(response):
    """What changes with the file: a strong ETag, or else its time; None if the server is silent."""
    tag = response.headers.get('ETag')
    return tag if tag and not tag.startswith('W/') else response.headers.get('Last-Modified')


def state_of(part):
    return part.with_name(f'{part.name}.json')


def read_state(part):
    try:
        return json.loads(state_of(part).read_text())
    except (FileNotFoundError, ValueError):
        return {'size': None, 'validator': None}


def in_words(error):
    """A sentence for what went wrong; those of requests fill three lines."""
    if isinstance(error, requests.RequestException):
        host = urlsplit(error.request.url).hostname if error.request else 'the server'
        return f'no connection to {host} ({type(error).__name__})'
    return str(error)
