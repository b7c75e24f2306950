"""A user's mistake: one line, exit code 2, no traceback. Bugs keep their traceback."""

import functools
import pickle
import sys

# what torch.load and load_state_dict raise for a file of another kind
UNREADABLE = (RuntimeError, pickle.UnpicklingError, LookupError, TypeError, ValueError, EOFError)


class UserError(ValueError):
    """Something the user can mend. Its message: what, which file or value, what to do; one line."""


def entry_point(main):
    """Decorate `main(argv=None) -> None`: turns mistakes into one line on stderr and an exit code.

    2: a UserError or an OSError (no such file, no permission, disk full); 130: Ctrl-C.
    """

    @functools.wraps(main)
    def guarded(argv=None):
        try:
            return main(argv)
        except UserError as error:
            fail(str(error), 2)
        except OSError as error:
            where = f': {error.filename}' if error.filename else ''
            fail(f'{error.strerror or error}{where}', 2)
        except KeyboardInterrupt:
            fail('interrupted', 130)

    return guarded


def fail(message, code):
    print(f'error: {" ".join(message.split())}', file=sys.stderr)
    sys.exit(code)
