"""Files that are no weights of this network, or no state of a training."""

import os
import pickle
import zipfile

import torch

from tests.faults.bad_inputs.case import Bad, cut, each, write
from tests.faults.bad_inputs.options import TRAIN
from tests.helpers import stand_in

RUN = 'propagate.py frames --mask mask.png --output out --model model.pth'
FIND = 'try_correspondence.py frames/00000.png frames/00001.png --point 3,4 --save out.png'
CONV1, BIAS = 'mask_rgb_encoder.conv1.weight', 'decoder.pred.bias'


class Code:
    """Its pickle makes a folder when it is read."""

    def __reduce__(self):
        return os.mkdir, ('it_ran',)


def saved(content, name='model.pth', **options):
    """-> what saves what a function gives."""
    return lambda folder: torch.save(content(), folder / name, **options)


def zeros():
    """All weights; in a file, each is as large as one number."""
    return {name: torch.zeros(()).expand(shape) for name, shape in stand_in.MANIFEST.items()}


def saved_with(**others):
    return saved(lambda: {**zeros(), **others})


def few():
    """Some of the weights: enough to be known, and small."""
    return {CONV1: torch.zeros(64, 5, 7, 7)}


def compiled(folder):
    """What marks an archive as TorchScript's, with nothing in it."""
    with zipfile.ZipFile(folder / 'model.pth', 'w') as archive:
        for name in ('data.pkl', 'constants.pkl', 'version', 'code/__torch__.py'):
            archive.writestr(f'model/{name}', '3')


def pickled(folder):
    (folder / 'model.pth').write_bytes(pickle.dumps({CONV1: Code()}))


CASES = [
    Bad('weights that are not there', RUN, ('model.pth: no such checkpoint', '--model')),
    Bad('weights of no bytes', RUN, 'model.pth: not a readable checkpoint',
        write('model.pth', b'')),
    Bad('a web page for weights', RUN, 'model.pth: not a readable checkpoint',
        write('model.pth', '<!DOCTYPE html><html><title>Quota exceeded</title></html>')),
    Bad('a folder for weights', RUN.replace('model.pth', 'frames'), 'frames: no such checkpoint'),
    Bad('weights that are cut off', RUN, 'model.pth: not a readable checkpoint',
        each(saved(few), cut('model.pth', 0.5))),
    Bad('old weights that are cut off', RUN, 'model.pth: not a readable checkpoint',
        each(saved(few, _use_new_zipfile_serialization=False), cut('model.pth', 0.001))),
    Bad('old weights without their end', RUN, 'model.pth: not a readable checkpoint',
        each(saved(few, _use_new_zipfile_serialization=False), cut('model.pth', 0.9))),
    Bad('weights with code in them', RUN, 'model.pth: not a readable checkpoint',
        saved(lambda: {CONV1: Code()})),
    Bad('old weights with code in them', RUN, 'model.pth: not a readable checkpoint',
        saved(lambda: {CONV1: Code()}, _use_new_zipfile_serialization=False)),
    Bad('a pickle with code in it', RUN, 'model.pth: not a readable checkpoint', pickled),
    Bad('a whole model instead of its weights', RUN, 'model.pth: not a readable checkpoint',
        saved(lambda: torch.nn.Linear(2, 2))),
    Bad('a compiled model', RUN, 'model.pth: not a readable checkpoint',
        compiled),
    Bad('a tensor for weights', RUN, 'model.pth: holds no network weights',
        saved(lambda: torch.zeros(3))),
    Bad('numbers for names', RUN, 'model.pth: holds no network weights',
        saved(lambda: {1: torch.zeros(3)})),
    Bad('weights without values', RUN, 'model.pth: holds no network weights',
        saved(lambda: {CONV1: torch.zeros(64, 5, 7, 7, device='meta')})),
    Bad('sparse weights', RUN, 'model.pth: holds no network weights',
        saved(lambda: {CONV1: torch.zeros(64, 5, 7, 7).to_sparse()})),
    Bad('weights of another network', RUN, 'model.pth: not a checkpoint of this network',
        saved(lambda: {'fc.weight': torch.zeros(2)})),
    Bad('weights of a part of the network', RUN, ('model.pth: a checkpoint of another', 'missing'),
        saved(few)),
    Bad('weights of a wider network', RUN, ('model.pth', 'another shape', '(64, 6, 7, 7)'),
        saved_with(**{CONV1: torch.zeros(64, 6, 7, 7)})),
    Bad('weights with a layer more', RUN, ('model.pth', '1 unknown: extra'),
        saved_with(extra=torch.zeros(1))),
    Bad('weights of stage 0', RUN, ('model.pth: a single-object', 'train stage 1', '(--model)'),
        saved_with(**{CONV1: torch.zeros(64, 4, 7, 7)})),
    Bad('weights with a NaN', RUN, ('model.pth: NaN or infinity in 1 of its', BIAS),
        saved_with(**{BIAS: torch.tensor([float('nan')])})),
    Bad('weights with an infinity', RUN, ('model.pth: NaN or infinity in 1 of its', BIAS),
        saved_with(**{BIAS: torch.tensor([float('inf')])})),
    Bad('matching with code for weights', f'{FIND} --model model.pth',
        'model.pth: not a readable checkpoint', saved(lambda: {CONV1: Code()})),
    Bad('evaluating with code for weights', 'eval_davis.py --davis DAVIS/2017 --model model.pth '
        '--output out', 'model.pth: not a readable checkpoint', saved(lambda: {CONV1: Code()})),
    Bad('a benchmark with code for weights', 'scripts/benchmark.py inference --model model.pth '
        '--size 16x16 --frames 4', 'model.pth: not a readable checkpoint',
        saved(lambda: {CONV1: Code()})),
    Bad('training from code', f'{TRAIN} --load_network model.pth',
        'model.pth: not a readable checkpoint', saved(lambda: {CONV1: Code()})),
    Bad('training on with code', f'{TRAIN} --load_model model.pth', ('model.pth', '--load_network'),
        saved(lambda: {'config': Code()})),
    Bad('training on from a cut checkpoint', f'{TRAIN} --load_model model.pth',
        ('model.pth', '--load_network'), each(saved(few), cut('model.pth', 0.5))),
    Bad('training on from weights', f'{TRAIN} --load_model model.pth',
        ('model.pth', '--load_network'), saved(few)),
    Bad('a ResNet-50 that is none', TRAIN.replace('none', 'model.pth'),
        ('model.pth: not a ResNet-50', 'conv1.weight'), saved(few)),
    Bad('a ResNet-50 of other shapes', TRAIN.replace('none', 'model.pth'),
        ('model.pth: not a ResNet-50', 'another shape'),
        saved(lambda: {'conv1.weight': torch.zeros(1), 'layer3.5.bn3.weight': torch.zeros(1)})),
    Bad('a ResNet-50 with code in it', TRAIN.replace('none', 'model.pth'),
        'model.pth: not a readable checkpoint', saved(lambda: {'conv1.weight': Code()})),
    Bad('downloaded weights that are a web page', 'download_model.py --root . --check',
        'propagation_model.pth: not a readable checkpoint',
        write('propagation_model.pth', '<!DOCTYPE html>')),
    Bad('downloaded weights with code in them', 'download_model.py --root . --check',
        'propagation_model.pth: not a readable checkpoint',
        saved(lambda: {CONV1: Code()}, 'propagation_model.pth')),
]  # fmt: skip
