"""A virtual display, and mouse and keys for it: for tests of real windows."""

import contextlib
import ctypes
import os
import shutil
import subprocess
import sys
import time

MISSING = [tool for tool in ('Xvfb', 'xdotool') if shutil.which(tool) is None]


@contextlib.contextmanager
def virtual_display():
    """A context that starts a new X server; yields the name of its display."""
    read, write = os.pipe()
    words = ['Xvfb', '-displayfd', str(write), '-screen', '0', '1400x900x24', '-nolisten', 'tcp']
    server = subprocess.Popen(words, pass_fds=[write], stderr=subprocess.DEVNULL)
    os.close(write)
    try:
        with open(read) as pipe:
            yield f':{int(pipe.readline())}'
    finally:
        server.terminate()
        server.wait()


def ask_to_close(display, window):
    """Send the request of a window manager whose close button is clicked.

    xdotool cannot do this where no window manager runs.
    """

    class Message(ctypes.Structure):
        _fields_ = (
            ('type', ctypes.c_int),
            ('serial', ctypes.c_ulong),
            ('send_event', ctypes.c_int),
            ('display', ctypes.c_void_p),
            ('window', ctypes.c_ulong),
            ('message_type', ctypes.c_ulong),
            ('format', ctypes.c_int),
            ('data', ctypes.c_long * 5),
            ('rest', ctypes.c_long * 24),
        )

    x11 = ctypes.CDLL('libX11.so.6')  # xdotool depends on it, so it is installed
    x11.XOpenDisplay.restype, x11.XInternAtom.restype = ctypes.c_void_p, ctypes.c_ulong
    connection = ctypes.c_void_p(x11.XOpenDisplay(display.encode()))
    protocols, delete = (
        x11.XInternAtom(connection, name, 0) for name in (b'WM_PROTOCOLS', b'WM_DELETE_WINDOW')
    )
    message = Message(type=33, window=window, message_type=protocols, format=32)  # ClientMessage
    message.data[0] = delete
    x11.XSendEvent(connection, ctypes.c_ulong(window), 0, ctypes.c_long(0), ctypes.byref(message))
    x11.XCloseDisplay(connection)


class RealWindow:
    """A program of ours with a window, run as a process of its own and operated by xdotool.

    name: a pattern for the window's title; command: the script and its options. Entering the
    context waits for the window, whose number is the attribute `window`; leaving it ends the
    process.
    """

    def __init__(self, display, name, folder, command):
        self.environment = {**os.environ, 'DISPLAY': display, 'QT_QPA_PLATFORM': 'xcb'}
        self.display, self.folder = display, folder
        self.errors = folder / 'errors.txt'
        with open(self.errors, 'w') as errors:
            words = [sys.executable, *map(str, command)]
            self.process = subprocess.Popen(words, cwd=folder, env=self.environment, stderr=errors)
        self.name, self.window = name, None

    def __enter__(self):
        search = ('search', '--onlyvisible', '--name', self.name)
        try:
            self.window = self.wait_for(lambda: self.tool(*search))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def tool(self, *words):
        """Run xdotool with these words; returns what it prints."""
        command = ['xdotool', *map(str, words)]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        return done.stdout.strip()

    def wait_for(self, condition):
        """Return what `condition` returns once that is true; fails after a minute."""
        deadline = time.monotonic() + 60
        while not (found := condition()):
            assert self.process.poll() is None, self.errors.read_text()
            assert time.monotonic() < deadline, 'nothing happened'
            time.sleep(0.05)
        return found
