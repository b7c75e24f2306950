"""Training checkpoints on disk: whole or not there, and all that an exact resume needs."""

import contextlib
from pathlib import Path

import torch

from util import distributed
from util.errors import UNREADABLE, UserError
from util.options import PROJECT
from util.run_info import versions
from util.tensor import save_tensors


class Checkpoints:
    """saves/ID/ID_ITERATION.pth (network weights) and ID_checkpoint.pth (everything).

    folder None: nothing is written.
    """

    def __init__(self, folder, name, config):
        self.folder, self.name = folder, name
        self.config = {key: plain(value) for key, value in config.items()}
        self.commit = git_commit()
        self.path = folder and checkpoint_path(folder, name)

    def save(self, model, iteration, best=None):
        """After `iteration` iterations: the network, and the state to go on from."""
        if self.folder is None:
            return
        self.save_network(model, iteration)
        save_tensors(self.path, self.state(model, iteration, best))

    def save_network(self, model, label):
        if self.folder is not None:
            save_tensors(self.folder / f'{self.name}_{label}.pth', model.result.state_dict())

    def save_aside(self, model, iteration, label):
        """A checkpoint that does not replace the last good one -> its path, None for NULL."""
        if self.folder is None:
            return None
        path = self.folder / f'{self.name}_{label}_{iteration}.pth'
        save_tensors(path, self.state(model, iteration, None))
        return path

    def state(self, model, iteration, best):
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
def own_folder(args):
    """saves/ID, with other trainings kept out of it; None where this process writes nothing.

    args: saves, id and load_model are looked at. Raises UserError.
    """
    if args.id == 'NULL' or not distributed.is_main():
        yield None
        return
    folder = args.saves / args.id
    try:
        with distributed.exclusive_folder(folder, '--saves'):
            if not args.load_model and checkpoint_path(folder, args.id).exists():
                raise UserError(
                    f'{folder}: holds a training of this --id; go on with it (--load_model) or '
                    'choose another --id'
                )
            for part in folder.glob('.*.part'):  # of a training that was killed
                part.unlink()
            yield folder
    finally:
        with contextlib.suppress(OSError):
            folder.rmdir()  # if it is empty


def checkpoint_path(folder, name):
    return folder / f'{name}_checkpoint.pth'


KEPT = ('lr', 'key_lr', 'steps', 'gamma', 'weight_decay')  # lie in optimiser and schedule
# what a resumed training must share with its first part in order to go on exactly
BINDING = ('batch_size', 'crop', 'short_side', 'paste', 'seed', 'amp', 'train_bn', 'clip_grad')
BINDING += ('ema', 'bootstrap', *KEPT)


def resume(path, model, config):
    """Restore a model from ID_checkpoint.pth -> (iterations done, best score so far or None).

    config: that of this run. Another stage is refused, as is a training that is done; other
    differences that matter are printed. The learning rate is the checkpoint's. Of a file, only
    what `PropagationModel.state_dict` holds and the iteration must be there.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f'{path}: no such checkpoint (--load_model)')
    try:
        state = torch.load(path, map_location='cpu', weights_only=True)
        before, iteration = state.get('config', {}), state['iteration']
        if before.get('stage', config['stage']) != config['stage']:
            raise UserError(
                f'{path}: of stage {before["stage"]}; start stage {config["stage"]} from its '
                'network, with --load_network'
            )
        model.load_state_dict(state)
        if 'random' in state:
            torch.set_rng_state(state['random'])
    except UserError:
        raise
    except UNREADABLE as error:
        reason = str(error).split('\n')[0][:120]
        raise UserError(
            f'{path}: not the checkpoint of such a training ({reason}); network files are read '
            'with --load_network'
        ) from error
    if iteration >= config['iterations']:
        raise UserError(f'{path}: has done its {iteration} iterations; give more with --iterations')
    for name in BINDING:
        now = plain(config[name])
        was = before.get(name, now)
        if was != now:
            stays = ', which the checkpoint overrules' if name in KEPT else ''
            print(f'not the same training: --{name} was {was}, now {now}{stays}')
    return iteration, state.get('best')


def plain(value):
    """Paths as text, so that checkpoints load with weights_only."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def git_commit():
    """The commit of this checkout, 'unknown' outside one."""
    try:
        import git  # raises ImportError where there is no git program
    except ImportError:
        return 'unknown'
    try:
        with git.Repo(PROJECT) as repository:
            return repository.head.commit.hexsha + ('-dirty' if repository.is_dirty() else '')
    except (git.GitError, OSError, ValueError):
        return 'unknown'
