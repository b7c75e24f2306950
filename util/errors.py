"""Mistakes a user can correct: one line on stderr and exit code 2. Bugs keep their traceback."""

import contextlib
import errno
import functools
import io
import pickle
import re
import struct
import sys
from collections.abc import Callable, Iterator, Sequence

# What torch.load and load_state_dict raise for a file that is not a checkpoint.
UNREADABLE = (
    RuntimeError, pickle.UnpicklingError, LookupError, TypeError, ValueError, EOFError, OSError,
    AssertionError, AttributeError, ArithmeticError, struct.error,
)  # fmt: skip
# Words in the messages of PyTorch's CPU allocator, of CUDA and its libraries, and of OpenCV.
NO_MEMORY = ('DefaultCPUAllocator:', 'out of memory', 'ALLOC_FAILED', 'Insufficient memory')
REMEDIES = {  # what to do about errors of the operating system
    errno.EACCES: '; change its permissions, or name another',
    errno.ENOSPC: '; free some space, and run it again',
}
OWN_PACKAGES = ('dataset', 'inference_core', 'model', 'scripts', 'util')
REQUIREMENTS = 'pip install -r requirements.txt'
# opencv-python needs libraries that only desktops have.
FOR_OPENCV = (
    'install it (on Debian and Ubuntu: apt install libgl1 libglib2.0-0), or replace opencv-python '
    'with opencv-python-headless (pip uninstall the one, then pip install the other)'
)
# Text in an error -> what to say when one of the run's processes has died.
DEAD_PROCESS_MESSAGES = {
    'DataLoader worker': 'a process that makes samples has ended{reason}; if memory ran out, in '
    'RAM or /dev/shm, lower --num_workers',
    'BrokenProcessPool': 'a worker process has ended; if memory ran out, lower --num_workers. Run '
    'it again: finished work is kept',
    'closed by peer': 'another process of this run has ended; see its message',
    'reset by peer': 'another process of this run has ended; see its message',
    'ncclRemoteError': 'another process of this run has ended; see its message',
}


class UserError(ValueError):
    """Something the user can correct. The message is one line: what, which file or value, remedy.

    parameter: the function argument that is at fault. A program knows which of its options set it
    (`naming_options`); library code does not.
    """

    def __init__(self, message: str, *, parameter: str | None = None) -> None:
        super().__init__(message)
        self.parameter = parameter


@contextlib.contextmanager
def naming_options(**options: str) -> Iterator[None]:
    """Errors about a parameter end with the option that sets it: `short_side='--size'`, say."""
    try:
        yield
    except UserError as error:
        if error.parameter not in options:
            raise
        raise UserError(f'{error} ({options[error.parameter]})') from error


def entry_point(main: Callable[..., None]) -> Callable[..., None]:
    """Decorate `main(argv=None)`: expected failures become one line on stderr and an exit code.

    2 for whatever `user_message` has a sentence for, 130 for Ctrl-C.
    """

    @functools.wraps(main)
    def guarded(argv: Sequence[str] | None = None) -> None:
        if isinstance(sys.stdout, io.TextIOWrapper):  # file names need not be printable
            sys.stdout.reconfigure(errors='backslashreplace')
        try:
            return main(argv)
        except Exception as error:
            message = user_message(error)
            if message is None:
                raise
            fail(message, 2)
        except KeyboardInterrupt:
            fail('interrupted', 130)

    return guarded


def user_message(error: Exception) -> str | None:
    """Message for an expected failure (bad input, full disk, out of memory); None for a bug."""
    if isinstance(error, UserError):
        return str(error)
    if is_out_of_memory(error):
        return 'out of memory: close other programs, or give this one less to do'
    if isinstance(error, ImportError):
        return import_message(error)
    if isinstance(error, OSError):
        where = f': {error.filename}' if error.filename else ''
        return f'{error.strerror or error}{where}{REMEDIES.get(error.errno or 0, "")}'
    for mark, message in DEAD_PROCESS_MESSAGES.items():
        if isinstance(error, RuntimeError) and mark in f'{type(error).__name__} {error}':
            signal = str(error).partition('killed by signal: ')[2].partition('. ')[0]
            return message.format(reason=signal and f' ({signal})')
    return None


def import_message(error: ImportError) -> str | None:
    """Message for a package or a library of the system that is not installed; None for a bug."""
    if library := re.search(r'([\w+.-]+\.so[\w.]*): (.*)', str(error)):
        user = error.name or 'this program'
        remedy = FOR_OPENCV if user == 'cv2' else 'install the package of your system that has it'
        return f'{library[1]}, which {user} needs, cannot be loaded ({library[2]}); {remedy}'
    name = error.name or ''
    if isinstance(error, ModuleNotFoundError) and name.partition('.')[0] not in OWN_PACKAGES:
        return f'{name}: not installed, or too old; run {REQUIREMENTS}'
    return None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, in RAM or on the device. Imports no library, as none may be there."""
    if isinstance(error, MemoryError) or type(error).__name__ == 'OutOfMemoryError':
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    raised_by_library = isinstance(error, RuntimeError) or type(error).__module__ == 'cv2'
    return raised_by_library and any(words in str(error) for words in NO_MEMORY)


@contextlib.contextmanager
def memory_advice(advice: str) -> Iterator[None]:
    """Running out of memory inside the block becomes a UserError that says what to do."""
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise UserError(f'out of memory: {advice}') from error


def fail(message: str, code: int) -> None:
    print(f'error: {" ".join(message.split())}', file=sys.stderr)
    sys.exit(code)
