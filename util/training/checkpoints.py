"""Training checkpoints: written atomically, with everything that an exact resume needs."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

from model.model import PropagationModel
from model.weights import check_weights, unpickle, why_unreadable
from util import distributed
from util.errors import UNREADABLE, UserError
from util.options import PROJECT
from util.run_info import versions
from util.tensor import save_tensors

try:
    import git
except ImportError:  # GitPython also raises this if there is no git program
    git = None  # type: ignore[assignment]

# Options stored in the state of the optimiser and scheduler, which resuming restores.
RESTORED = ('lr', 'key_lr', 'steps', 'gamma', 'weight_decay')
# Options that must stay the same for a resumed training to continue exactly.
BINDING = (
    'batch_size', 'crop', 'short_side', 'paste', 'yv_list', 'seed', 'amp', 'train_bn', 'clip_grad',
    'ema', 'bootstrap', *RESTORED,
)  # fmt: skip


class Checkpoints:
    """Writes FOLDER/NAME_ITERATION.pth (network weights) and NAME_checkpoint.pth (everything).

    Arguments:
        folder: where to write; None writes nothing.
        name: the training's --id.
        config: the training's options by name.
    """

    def __init__(self, folder: Path | None, name: str, config: Mapping[str, Any]) -> None:
        self.folder, self.name = folder, name
        self.config = {key: plain(value) for key, value in config.items()}
        self.commit = git_commit()
        self.path = checkpoint_path(folder, name) if folder else None

    def save(self, model: PropagationModel, iteration: int, best: float | None = None) -> None:
        """Save the network after `iteration` iterations, and the state to resume from."""
        self.save_network(model, iteration)
        if self.path:
            save_tensors(self.path, self.state(model, iteration, best))

    def save_network(self, model: PropagationModel, label: int | str) -> None:
        """Save the network weights alone."""
        if self.folder:
            save_tensors(self.folder / f'{self.name}_{label}.pth', model.result.state_dict())

    def save_aside(self, model: PropagationModel, iteration: int, label: str) -> Path | None:
        """Save a checkpoint that does not replace the latest one, and return its path."""
        if not self.folder:
            return None
        path = self.folder / f'{self.name}_{label}_{iteration}.pth'
        save_tensors(path, self.state(model, iteration, None))
        return path

    def state(self, model: PropagationModel, iteration: int, best: float | None) -> dict[str, Any]:
        """The content of a checkpoint."""
        return {
            'iteration': iteration,
            'best': best,
            **model.state_dict(),
            'random': torch.get_rng_state(),
            'config': self.config,
            'versions': versions(),
            'git_commit': self.commit,
        }


@contextlib.contextmanager
def training_folder(saves: Path, name: str, *, resumes: bool) -> Iterator[Path | None]:
    """Yield the folder SAVES/NAME and keep other trainings out of it during the block.

    Yields None if nothing is to be written: the name is NULL, or this is not the main process.
    Raises UserError if the folder already holds a training and this one does not resume it.
    """
    if name == 'NULL' or not distributed.is_main():
        yield None
        return
    folder = saves / name
    try:
        with distributed.exclusive_folder(folder, '--saves'):
            if not resumes and checkpoint_path(folder, name).exists():
                raise UserError(
                    f'{folder}: holds a training with this --id; resume it with --load_model, or '
                    'choose another --id'
                )
            for part in folder.glob('.*.part'):  # left by a training that was killed
                part.unlink()
            yield folder
    finally:
        with contextlib.suppress(OSError):
            folder.rmdir()  # fails unless it is empty


def checkpoint_path(folder: Path, name: str) -> Path:
    return folder / f'{name}_checkpoint.pth'


class Resumed(NamedTuple):
    """Where a training stood when its checkpoint was written."""

    iteration: int
    best: float | None  # best score in validation so far, if there was one


def resume(path: Path, model: PropagationModel, config: Mapping[str, Any]) -> Resumed:
    """Restore a model from a checkpoint of this program or of the published one.

    Arguments:
        path: NAME_checkpoint.pth.
        model: receives the weights and the optimiser's state, including the learning rate.
        config: the options of this run. Differences from those of the checkpoint are printed.
    Raises:
        UserError: not a checkpoint, or one of another stage or of a completed training.
    """
    if not path.is_file():
        raise UserError(f'{path}: no such checkpoint (--load_model)')
    state = None
    try:
        state = unpickle(path)
        if 'it' in state:
            state = from_published(state, model)
        before, iteration = state.get('config', {}), state['iteration']
        if before.get('stage', config['stage']) != config['stage']:
            raise UserError(
                f'{path}: is from stage {before["stage"]}; start stage {config["stage"]} from its '
                'network, with --load_network'
            )
        check_weights(path, state['network'], model.network.state_dict())
        model.load_state_dict(state)
        if 'random' in state:
            torch.set_rng_state(state['random'])
    except UserError:
        raise
    except UNREADABLE as error:
        reason = str(error).split('\n')[0][:120]
        if state is None:
            reason = why_unreadable(path, error)
        raise UserError(
            f'{path}: not a checkpoint that this training can resume from ({reason}); load a '
            'network file with --load_network'
        ) from error
    if iteration >= config['iterations']:
        raise UserError(
            f'{path}: training is already complete ({iteration} iterations); raise --iterations'
        )
    warn_of_changes(before, config)
    return Resumed(iteration, state.get('best'))


def from_published(state: Mapping[str, Any], model: PropagationModel) -> dict[str, Any]:
    """The content of a published checkpoint under our names and with our order of parameters.

    It calls the iteration `it`, and its optimiser numbers the parameters in the order of its
    network's entries: mask_rgb_encoder, rgb_encoder, kv_m_f16, kv_q_f16, decoder.
    """
    ours = [name for name, _ in model.network.named_parameters()]
    theirs = [name for name in state['network'] if name in ours]
    optimizer = state['optimizer']
    (group,) = optimizer['param_groups']
    numbers = dict(zip(theirs, group['params'], strict=True))
    groups = [{**group, 'params': [numbers[name] for name in ours]}]
    return {**state, 'iteration': state['it'], 'optimizer': {**optimizer, 'param_groups': groups}}


def warn_of_changes(before: Mapping[str, Any], config: Mapping[str, Any]) -> None:
    """Warn of options that differ from the checkpoint's but should not."""
    if not distributed.is_main():
        return
    for name in BINDING:
        now = plain(config[name])
        was = before.get(name, now)
        if was != now:
            restored = f'; {was} remains in effect' if name in RESTORED else ''
            print(f'warning: --{name} was {was}, now {now}{restored}')
    processes = config.get('processes')
    if processes != before.get('processes', processes):
        print(
            f'warning: the number of processes was {before["processes"]}, now {processes}; the '
            'effective batch changes with it'
        )


def plain(value: Any) -> Any:
    """Turn paths into text and tuples into lists, as `torch.load(weights_only=True)` returns."""
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def git_commit() -> str:
    """The commit of this checkout, or 'unknown' if there is none."""
    if git is None:
        return 'unknown'
    try:
        with git.Repo(PROJECT) as repository:
            return repository.head.commit.hexsha + ('-dirty' if repository.is_dirty() else '')
    except (git.GitError, OSError, ValueError):
        return 'unknown'
