"""A user's mistake: one line, exit code 2, no traceback. Bugs keep their traceback."""

import contextlib
import errno
import functools
import io
import pickle
import struct
import sys

# what torch.load and load_state_dict raise for a file of another kind
UNREADABLE = (RuntimeError, pickle.UnpicklingError, LookupError, TypeError, ValueError, EOFError)
UNREADABLE += (OSError, AssertionError, AttributeError, ArithmeticError, struct.error)
# in messages of PyTorch's CPU allocator, of CUDA and its libraries, of OpenCV
NO_MEMORY = ('DefaultCPUAllocator:', 'out of memory', 'ALLOC_FAILED', 'Insufficient memory')
# what to do about errors of the system
REMEDIES = {
    errno.EACCES: '; change its permissions, or name another',
    errno.ENOSPC: '; free some space, and run it again',
}
# in messages or types of errors -> what it means that a process of this run is gone
DEAD_PROCESS_MESSAGES = {
    'DataLoader worker': 'a process that makes samples has ended{reason}; if memory ran out, in '
    'RAM or /dev/shm, lower --num_workers',
    'BrokenProcessPool': 'a process that does part of the work has ended; if memory ran out, lower '
    '--num_workers. Run it again: what is done is kept',
    'closed by peer': 'another process of this run has ended, see what it said',
    'reset by peer': 'another process of this run has ended, see what it said',
    'ncclRemoteError': 'another process of this run has ended, see what it said',
}


class UserError(ValueError):
    """Something the user can mend. Its message: what, which file or value, what to do; one line."""


def entry_point(main):
    """Decorate `main(argv=None) -> None`: turns mistakes into one line on stderr and an exit code.

    2: what `user_message` knows a sentence for; 130: Ctrl-C.
    """

    @functools.wraps(main)
    def guarded(argv=None):
        if isinstance(sys.stdout, io.TextIOWrapper):  # names of files need not be printable
            sys.stdout.reconfigure(errors='backslashreplace')
        try:
            return main(argv)
        except Exception as error:
            sentence = user_message(error)
            if sentence is None:
                raise
            fail(sentence, 2)
        except KeyboardInterrupt:
            fail('interrupted', 130)

    return guarded


def user_message(error):
    """What a user is told of an error: a mistake, or the machine's fault. None for a bug."""
    if isinstance(error, UserError):
        return str(error)
    if is_out_of_memory(error):
        return 'out of memory: close other programs, or give this one less to do'
    if isinstance(error, OSError):
        where = f': {error.filename}' if error.filename else ''
        return f'{error.strerror or error}{where}{REMEDIES.get(error.errno, "")}'
    for mark, sentence in DEAD_PROCESS_MESSAGES.items():
        if isinstance(error, RuntimeError) and mark in f'{type(error).__name__} {error}':
            signal = str(error).partition('killed by signal: ')[2].partition('. ')[0]
            return sentence.format(reason=signal and f' ({signal})')
    return None


def is_out_of_memory(error):
    """Whether memory ran out, in RAM or on the device. Needs no library, which may not be there."""
    if isinstance(error, MemoryError) or type(error).__name__ == 'OutOfMemoryError':
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    is_of_library = isinstance(error, RuntimeError) or type(error).__module__ == 'cv2'
    return is_of_library and any(words in str(error) for words in NO_MEMORY)


@contextlib.contextmanager
def memory_advice(advice):
    """Memory that runs out in here becomes a UserError that says what to do."""
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise UserError(f'out of memory: {advice}') from error


def fail(message, code):
    print(f'error: {" ".join(message.split())}', file=sys.stderr)
    sys.exit(code)
