"""A web server on loopback that breaks off, changes its files and refuses on demand.

Also the archives that it serves, and the message with which a program gives up.
"""

import re
import socket
import tarfile
import threading
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@dataclass
class Page:
    """What the server answers to requests for one path."""

    content: bytes
    headers: dict = field(default_factory=dict)
    status: int = 200
    takes_ranges: bool = True
    content_range: str | None = None  # sent instead of the right one
    failures: int = 0  # number of answers with status 503 that come first
    cuts: list = field(
        default_factory=list
    )  # sizes in bytes after which the next answers break off
    stall: threading.Event | None = None  # keeps the connection open until it is set


class Site:
    """The content of the server, and what was asked of it.

    pages: dict path -> Page; asked: list of (path, Range header or None); sent: number of bytes.
    """

    def __init__(self):
        self.pages, self.asked, self.sent, self.url = {}, [], 0, None

    def add(self, path, content, **options):
        """Serve this content at a path, and return its URL."""
        self.pages[path] = Page(content, **options)
        return f'{self.url}{path}'


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        site, wanted = self.server.site, self.headers.get('Range')
        site.asked.append((self.path, wanted))
        page = site.pages.get(self.path, Page(b'nothing', status=404))
        if page.failures:
            page.failures -= 1
            page = Page(b'', status=503)
        start = self.first_byte(page)
        body = page.content[start:]
        if start >= len(page.content) > 0:
            return self.answer(416, {'Content-Range': f'bytes */{len(page.content)}'}, b'', None)
        headers = {**page.headers, 'Content-Length': len(body)}
        status = page.status
        if start:
            end = len(page.content)
            status = 206
            headers['Content-Range'] = page.content_range or f'bytes {start}-{end - 1}/{end}'
        return self.answer(status, headers, body, page)

    def first_byte(self, page):
        wanted, unless_changed = self.headers.get('Range'), self.headers.get('If-Range')
        same = {page.headers.get('ETag'), page.headers.get('Last-Modified'), None}
        if not wanted or not page.takes_ranges or unless_changed not in same:
            return 0
        return int(re.fullmatch(r'bytes=(\d+)-', wanted)[1])

    def answer(self, status, headers, body, page):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, str(value))
        self.end_headers()
        if page and page.cuts:
            body = body[: page.cuts.pop(0)]
        self.server.site.sent += len(body)
        self.wfile.write(body)
        if page and page.stall:
            page.stall.wait(30)

    def log_message(self, *_):
        pass


@contextmanager
def serving():
    """A running Site."""
    site = Site()
    server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    server.site, server.daemon_threads = site, True
    server.handle_error = lambda *_: None  # the client has closed the connection
    site.url = f'http://127.0.0.1:{server.server_port}'
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def site(monkeypatch):
    """A running Site; no other host can be reached, and retries do not wait."""
    look_up = socket.getaddrinfo

    def only_loopback(host, *args, **options):
        assert host == '127.0.0.1', f'a test tries to reach {host}'
        return look_up(host, *args, **options)

    monkeypatch.setattr(socket, 'getaddrinfo', only_loopback)
    monkeypatch.setattr('util.download.fetch.DELAYS', (0, 0))
    monkeypatch.setenv('NO_PROXY', '*')
    with serving() as site:
        monkeypatch.setattr('util.download.urls.DRIVE', site.url)
        monkeypatch.setattr('util.download.urls.DATABANK', site.url)
        yield site


def archive(path, folder, top=''):
    """Pack a folder's files, below `top`, into the zip or tar file `path`; return its bytes."""
    files = sorted(file for file in folder.rglob('*') if file.is_file())
    if path.suffix == '.zip':
        with zipfile.ZipFile(path, 'w') as out:
            for file in files:
                out.write(file, f'{top}{file.relative_to(folder)}')
    else:
        with tarfile.open(path, 'w') as out:
            for file in files:
                out.add(file, f'{top}{file.relative_to(folder)}')
    return path.read_bytes()


def refused(capsys, main, *words):
    """The one error line with which a program ends when `main` is called with these words."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    errors = capsys.readouterr().err
    assert end.value.code == 2 and errors.count('error: ') == 1, errors
    return errors.splitlines()[-1]
