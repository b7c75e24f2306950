"""Downloading a file over HTTP into NAME.part, and resuming there after an interruption."""

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

import requests
import urllib3

from util.download.disk import (
    check_space,
    file_size,
    naming_file,
    readable_size,
    whole_megabytes,
)
from util.errors import UserError
from util.files import save_json
from util.progress import progress_bar

BLOCK = 1 << 16  # bytes; an interruption loses at most this many
TIMEOUT = 30  # seconds without a byte
DELAYS = (1, 4, 15)  # seconds before each retry; they start over once a retry has made progress
UrlFinder = Callable[[requests.Session], str]
Verifier = Callable[[Path], None]  # raises UserError for a wrong file


class TemporaryFailure(Exception):
    """The connection broke or the server is busy: it makes sense to try again."""


class Refused(UserError):
    """The server answers, but not with the file; with a browser it may still be available."""


@dataclass(frozen=True)
class Version:
    """Which version of a file the server has; None for what it does not say."""

    size: int | None = None  # bytes
    validator: str | None = None  # a strong ETag, or else the date of the last change


def fetch(find_url: UrlFinder, path: Path, *, verify: Verifier, will_unpack: bool = False) -> None:
    """Download to `path`, which appears once the file is complete and verified.

    Until then NAME.part keeps what has arrived, even after Ctrl-C, and the next call resumes there.

    Arguments:
        find_url: called before each attempt, because some URLs expire.
        verify: called with NAME.part once it is complete; a wrong file is removed.
        will_unpack: require space for the unpacked content as well, about the size of the file.

    Raises:
        UserError: no connection, not enough space, or a wrong file.
        Refused: the server answers with something else.
    """
    # 1. download, and try again as long as that makes progress
    part = path.with_name(f'{path.name}.part')
    largest, delays = file_size(part), list(DELAYS)
    with requests.Session() as session:
        while True:
            try:
                download_rest(session, find_url, part, will_unpack)
                break
            except (TemporaryFailure, requests.RequestException) as error:
                if file_size(part) > largest:
                    largest, delays = file_size(part), list(DELAYS)
                failure = f'{path.name}: {failure_message(error)}'
                if not delays:
                    size = file_size(part)
                    kept = f'{readable_size(size)} is kept; ' if size else ''
                    raise UserError(f'{failure}; {kept}run this again to continue') from error
                delay = delays.pop(0)
                print(f'{failure}; trying again in {delay} s', file=sys.stderr)
                time.sleep(delay)
    # 2. verify, and give the file its name
    try:
        verify(part)
        os.replace(part, path)
    except UserError:
        part.unlink()
        raise
    finally:
        if not part.exists():
            version_file(part).unlink(missing_ok=True)


def download_rest(
    session: requests.Session, find_url: UrlFinder, part: Path, will_unpack: bool
) -> None:
    """Request what `part` lacks and append it. Raises TemporaryFailure if that breaks off."""
    known = read_version(part)
    start = file_size(part) if known.size else 0
    if start and start == known.size:  # the last run was killed before it renamed the file
        return
    url = find_url(session)
    with contextlib.ExitStack() as stack:
        # 1. request the rest, or the whole file if the server has another version by now
        response = stack.enter_context(request_file(session, url, start, known.validator))
        if not continues(response, start, known):
            if response.status_code != 200:
                response = stack.enter_context(request_file(session, url))
            start, known = 0, version_of(response)
        # 2. check the free space
        if known.size is not None:
            purpose = f'downloading {"and unpacking " if will_unpack else ""}{part.stem}'
            check_space(part.parent, known.size - start + will_unpack * known.size, purpose)
        # 3. write; an old part is removed before the version of the new one is recorded
        if not start:
            part.unlink(missing_ok=True)
            save_json(version_file(part), asdict(known))
        size = append(response, part, known.size)
    if known.size is not None and size != known.size:
        received = f'{readable_size(size)} of {readable_size(known.size)}'
        raise TemporaryFailure(f'the transfer broke off after {received}')


def request_file(
    session: requests.Session, url: str, start: int = 0, validator: str | None = None
) -> requests.Response:
    """Request a file from byte `start` on, or all of it if it is no longer the known version.

    validator: that of the known version, see `Version`. The response holds the whole file (status
    200), the rest (206) or neither (416). Raises TemporaryFailure or Refused for any other.
    """
    headers = {'Accept-Encoding': 'identity'}  # uncompressed, so that lengths are those of the file
    if start:
        headers['Range'] = f'bytes={start}-'
        if validator:
            headers['If-Range'] = validator
    response = session.get(url, headers=headers, stream=True, timeout=TIMEOUT)
    status, host = response.status_code, urlsplit(url).hostname
    if status in (408, 429) or status >= 500:
        raise TemporaryFailure(f'{host} answers {status} {response.reason}')
    if status not in ((200, 206, 416) if start else (200,)):
        raise Refused(f'{host} answers {status} {response.reason}')
    if status == 200 and 'html' in response.headers.get('Content-Type', ''):
        raise Refused(f'{host} answers with a web page instead of the file')
    return response


def continues(response: requests.Response, start: int, known: Version) -> bool:
    """Whether a response holds the known version of the file from byte `start` to its end."""
    wanted = f'bytes {start}-{known.size - 1}/{known.size}' if start and known.size else None
    if response.status_code != 206 or response.headers.get('Content-Range') != wanted:
        return False
    return version_of(response).validator in (None, known.validator)


def version_of(response: requests.Response) -> Version:
    """The version of the file in a response that holds all of it."""
    length, tag = response.headers.get('Content-Length', ''), response.headers.get('ETag')
    # a weak ETag (W/) may stay the same when bytes change
    validator = tag if tag and not tag.startswith('W/') else response.headers.get('Last-Modified')
    return Version(int(length) if length.isdecimal() else None, validator)


def append(response: requests.Response, part: Path, total: int | None) -> int:
    """Append what arrives to `part` and return its size, which is below `total` after a break."""
    bar = progress_bar(whole_megabytes(total) if total else None, 'MB')
    with naming_file(part), open(part, 'ab') as file, bar:
        while block := read_block(response):
            file.write(block)
            bar.update(whole_megabytes(file.tell()))
        return file.tell()


def read_block(response: requests.Response) -> bytes:
    """The next bytes of a response, none at its end. Raises TemporaryFailure."""
    try:
        return response.raw.read(BLOCK, decode_content=False)
    except (urllib3.exceptions.HTTPError, OSError) as error:
        host = urlsplit(response.url).hostname
        message = f'the connection to {host} broke ({type(error).__name__})'
        raise TemporaryFailure(message) from error


def version_file(part: Path) -> Path:
    """The file that records which version the bytes in `part` belong to."""
    return part.with_name(f'{part.name}.json')


def read_version(part: Path) -> Version:
    """Which version the bytes in `part` belong to; all unknown if none was recorded."""
    try:
        return Version(**json.loads(version_file(part).read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return Version()


def failure_message(error: Exception) -> str:
    """What went wrong in a few words; the messages of requests fill three lines."""
    if isinstance(error, requests.RequestException):
        host = urlsplit(str(error.request.url)).hostname if error.request else 'the server'
        return f'no connection to {host} ({type(error).__name__})'
    return str(error)
