"""Files that hold no weights of this network, or no state of a training."""

import os
import pickle
import zipfile

import torch

from tests.faults.bad_inputs.case import Bad, all_of, cut, write
from tests.faults.bad_inputs.commands import DAVIS, MATCH_POINT, PROPAGATE, TRAIN_VIDEOS
from tests.helpers import stand_in

RUN = f'{PROPAGATE} --model model.pth'
TRAIN_FROM = TRAIN_VIDEOS.replace('--pretrained none', '--pretrained model.pth')
CONV1, BIAS = 'mask_rgb_encoder.conv1.weight', 'decoder.pred.bias'
UNREADABLE = 'model.pth: not a readable checkpoint'
NO_WEIGHTS = 'model.pth: holds no network weights'


class Code:
    """Makes a folder when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ('it_ran',)


def saved(content, name='model.pth', **options):
    """A function that saves what `content` returns."""
    return lambda folder: torch.save(content(), folder / name, **options)


def zeros():
    """All weights, as zeros that take no space in a file."""
    return {name: torch.zeros(()).expand(shape) for name, shape in stand_in.MANIFEST.items()}


def saved_with(**others):
    return saved(lambda: {**zeros(), **others})


def some_weights():
    """Few enough for a small file, and enough to be recognised."""
    return {CONV1: torch.zeros(64, 5, 7, 7)}


def torch_script(folder):
    """Write an archive that looks like TorchScript, and is empty."""
    with zipfile.ZipFile(folder / 'model.pth', 'w') as archive:
        for name in ('data.pkl', 'constants.pkl', 'version', 'code/__torch__.py'):
            archive.writestr(f'model/{name}', '3')


def pickled(folder):
    (folder / 'model.pth').write_bytes(pickle.dumps({CONV1: Code()}))


CASES = [
    Bad('a missing checkpoint', RUN, ('model.pth: no such checkpoint', '(--model)')),
    Bad('an empty file as a checkpoint', RUN, UNREADABLE, write('model.pth', b'')),
    Bad('a web page as a checkpoint', RUN, UNREADABLE,
        write('model.pth', '<!DOCTYPE html><html><title>Quota exceeded</title></html>')),
    Bad('a folder as a checkpoint', RUN.replace('model.pth', 'frames'),
        'frames: no such checkpoint'),
    Bad('a truncated checkpoint', RUN, UNREADABLE,
        all_of(saved(some_weights), cut('model.pth', 0.5))),
    Bad('the start of a checkpoint in the old format', RUN, UNREADABLE,
        all_of(saved(some_weights, _use_new_zipfile_serialization=False),
               cut('model.pth', 0.001))),
    Bad('a checkpoint in the old format without its end', RUN, UNREADABLE,
        all_of(saved(some_weights, _use_new_zipfile_serialization=False), cut('model.pth', 0.9))),
    Bad('a checkpoint with code in it', RUN, UNREADABLE, saved(lambda: {CONV1: Code()})),
    Bad('a checkpoint in the old format with code in it', RUN, UNREADABLE,
        saved(lambda: {CONV1: Code()}, _use_new_zipfile_serialization=False)),
    Bad('a plain pickle with code in it', RUN, UNREADABLE, pickled),
    Bad('a pickled module instead of weights', RUN, UNREADABLE,
        saved(lambda: torch.nn.Linear(2, 2))),
    Bad('a TorchScript archive', RUN, UNREADABLE, torch_script),
    Bad('a single tensor as a checkpoint', RUN, NO_WEIGHTS, saved(lambda: torch.zeros(3))),
    Bad('numbers instead of names', RUN, NO_WEIGHTS, saved(lambda: {1: torch.zeros(3)})),
    Bad('tensors on the meta device', RUN, NO_WEIGHTS,
        saved(lambda: {CONV1: torch.zeros(64, 5, 7, 7, device='meta')})),
    Bad('sparse tensors', RUN, NO_WEIGHTS,
        saved(lambda: {CONV1: torch.zeros(64, 5, 7, 7).to_sparse()})),
    Bad('weights of something else', RUN, 'model.pth: not a checkpoint of this network',
        saved(lambda: {'fc.weight': torch.zeros(2)})),
    Bad('weights of a part of the network', RUN,
        ('model.pth: a checkpoint of another network', 'missing'), saved(some_weights)),
    Bad('weights of a wider network', RUN, ('model.pth', 'another shape', '(64, 6, 7, 7)'),
        saved_with(**{CONV1: torch.zeros(64, 6, 7, 7)})),
    Bad('weights with an extra layer', RUN, ('model.pth', '1 unknown: extra'),
        saved_with(extra=torch.zeros(1))),
    Bad('weights of stage 0', RUN, ('model.pth: a single-object', 'train stage 1', '(--model)'),
        saved_with(**{CONV1: torch.zeros(64, 4, 7, 7)})),
    Bad('a NaN among the weights', RUN, ('model.pth: NaN or infinity in 1 of its', BIAS),
        saved_with(**{BIAS: torch.tensor([float('nan')])})),
    Bad('an infinity among the weights', RUN, ('model.pth: NaN or infinity in 1 of its', BIAS),
        saved_with(**{BIAS: torch.tensor([float('inf')])})),
    *(
        Bad(f'a short side of {value!r} in a checkpoint', RUN,
            ('model.pth', "'short_side' is not a positive whole number", '(--model)'),
            saved(lambda value=value: {'network': zeros(), 'short_side': value}))
        for value in (0, 240.5, '240', True)
    ),
    Bad('matching with code in the checkpoint', f'{MATCH_POINT} --model model.pth', UNREADABLE,
        saved(lambda: {CONV1: Code()})),
    Bad('evaluating with code in the checkpoint', f'{DAVIS} --model model.pth', UNREADABLE,
        saved(lambda: {CONV1: Code()})),
    Bad('a benchmark with code in the checkpoint', 'scripts/benchmark.py inference '
        '--model model.pth --size 16x16 --frames 4', UNREADABLE, saved(lambda: {CONV1: Code()})),
    Bad('training from a network file with code in it', f'{TRAIN_VIDEOS} --load_network model.pth',
        UNREADABLE, saved(lambda: {CONV1: Code()})),
    Bad('resuming a training with code in its checkpoint', f'{TRAIN_VIDEOS} --load_model model.pth',
        ('model.pth', '--load_network'), saved(lambda: {'config': Code()})),
    Bad('resuming a training from a truncated checkpoint', f'{TRAIN_VIDEOS} --load_model model.pth',
        ('model.pth', '--load_network'), all_of(saved(some_weights), cut('model.pth', 0.5))),
    Bad('resuming a training from weights alone', f'{TRAIN_VIDEOS} --load_model model.pth',
        ('model.pth', '--load_network'), saved(some_weights)),
    Bad('another network instead of a ResNet-50', TRAIN_FROM,
        ('model.pth: not a ResNet-50', 'conv1.weight'), saved(some_weights)),
    Bad('a ResNet-50 with other shapes', TRAIN_FROM,
        ('model.pth: not a ResNet-50', 'another shape'),
        saved(lambda: {'conv1.weight': torch.zeros(1), 'layer3.5.bn3.weight': torch.zeros(1)})),
    Bad('a ResNet-50 with code in it', TRAIN_FROM, UNREADABLE,
        saved(lambda: {'conv1.weight': Code()})),
    Bad('downloaded weights that are a web page', 'download_model.py --root . --check',
        'propagation_model.pth: not a readable checkpoint',
        write('propagation_model.pth', '<!DOCTYPE html>')),
    Bad('downloaded weights with code in them', 'download_model.py --root . --check',
        'propagation_model.pth: not a readable checkpoint',
        saved(lambda: {CONV1: Code()}, 'propagation_model.pth')),
]  # fmt: skip
