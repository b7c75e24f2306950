"""Saves a checkpoint when training fails, and tells the user how to resume from it."""

import contextlib
import traceback
from collections.abc import Iterator

from model.model import NonFiniteLoss
from util.errors import UserError, is_out_of_memory, user_message
from util.training.stopping import ignore_workers
from util.training.training import Training


@contextlib.contextmanager
def rescue(training: Training) -> Iterator[None]:
    """If the block fails, save a checkpoint, unless the weights may be only partly updated.

    An expected failure becomes a UserError that says how to resume; a bug keeps its traceback. If
    the failure was caused by a signal asking the training to stop, raises KeyboardInterrupt.
    """
    changed_at: int | None = None  # the iteration in which the weights were last updated

    def remember(*_: object) -> None:
        nonlocal changed_at
        changed_at = training.iteration

    hook = training.model.optimizer.register_step_pre_hook(remember)
    try:
        yield
    except Exception as error:
        message = explain(error, training)
        # The stack frames of the failed calls still hold tensors. Free them: saving needs memory.
        traceback.clear_frames(error.__traceback__)
        ignore_workers()
        # If the weights were last updated in an iteration that has not been counted yet, the update
        # may be incomplete.
        is_sound = changed_at != training.iteration and not isinstance(error, NonFiniteLoss)
        if is_sound and training.iteration > training.saved:
            # If saving fails as well, report the first failure.
            with contextlib.suppress(OSError, MemoryError, RuntimeError):
                training.save()
        if training.stop.is_set() and training.saved == training.iteration:
            raise KeyboardInterrupt from error  # the signal also killed the workers
        if message is None:
            raise
        path = training.checkpoints.path
        resuming = f'; resume with --load_model {path}' if path and path.exists() else ''
        raise UserError(f'{message}{resuming}') from error
    finally:
        hook.remove()  # otherwise, the model would keep the training alive in memory


def explain(error: Exception, training: Training) -> str | None:
    """Message for an expected failure of the training; None for a bug."""
    if isinstance(error, NonFiniteLoss):
        path = None
        with contextlib.suppress(OSError):
            path = training.checkpoints.save_aside(training.model, training.iteration, 'nonfinite')
        saved = f' (state before that iteration: {path})' if path else ''
        return (
            f'the loss of iteration {training.iteration} is not finite (samples: {error}); lower '
            f'--lr, set --clip_grad or omit --amp{saved}'
        )
    if is_out_of_memory(error):
        return 'out of memory: lower --batch_size, --crop or --num_workers, or use --amp'
    return user_message(error)
