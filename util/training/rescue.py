"""When a training fails: keep what it has learnt, and say how to go on from there."""

import contextlib
import traceback
from collections.abc import Iterator

from model.model import NonFiniteLoss
from util.errors import UserError, is_out_of_memory, user_message
from util.training.stopping import ignore_workers
from util.training.training import Training


@contextlib.contextmanager
def rescue(training: Training) -> Iterator[None]:
    """If the block fails, save a checkpoint unless the weights are half updated.

    An expected failure becomes a UserError that also says how to resume; a bug keeps its traceback.
    Raises KeyboardInterrupt if a signal that asks the training to stop caused the failure.
    """
    changed_at: int | None = None  # the iteration in which weights were last changed

    def remember(*_: object) -> None:
        nonlocal changed_at
        changed_at = training.iteration

    hook = training.model.optimizer.register_step_pre_hook(remember)
    try:
        yield
    except Exception as error:
        message = explain(error, training)
        # The frames of the failed calls hold tensors, and memory may have run out.
        traceback.clear_frames(error.__traceback__)
        ignore_workers()
        # An iteration is counted when it is complete. Until then, its weights may be half updated.
        is_sound = changed_at != training.iteration and not isinstance(error, NonFiniteLoss)
        if is_sound and training.iteration > training.saved:
            # If saving fails too, the first failure is still the one to report.
            with contextlib.suppress(OSError, MemoryError, RuntimeError):
                training.save()
        if training.stop.is_set() and training.saved == training.iteration:
            raise KeyboardInterrupt from error  # the signal has also ended the workers
        if message is None:
            raise
        path = training.checkpoints.path
        resuming = f'; go on with --load_model {path}' if path and path.exists() else ''
        raise UserError(f'{message}{resuming}') from error
    finally:
        hook.remove()  # it ties the model to the training, and would keep both in memory


def explain(error: Exception, training: Training) -> str | None:
    """A message for an expected failure of a training; None for a bug."""
    if isinstance(error, NonFiniteLoss):
        path = None
        with contextlib.suppress(OSError):
            path = training.checkpoints.save_aside(training.model, training.iteration, 'nonfinite')
        saved = f' (state before it: {path})' if path else ''
        return (
            f'the loss of iteration {training.iteration} is not finite, samples: {error}; lower '
            f'--lr, set --clip_grad or leave out --amp{saved}'
        )
    if is_out_of_memory(error):
        return 'out of memory: lower --batch_size, --crop or --num_workers, or use --amp'
    return user_message(error)
