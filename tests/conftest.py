import os

os.environ['OMP_NUM_THREADS'] = '2'  # before torch: the same sums on every machine
os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')  # several processes may share two cores

import numpy as np
import pytest
import torch
from PIL import Image

from model.network import load_network
from tests.helpers import stand_in
from util.masks import save_mask

# the fixtures `every` and `undisturbed`; the fixture `site`
pytest_plugins = ['tests.helpers.fault_programs', 'tests.helpers.loopback']
torch.use_deterministic_algorithms(True)


@pytest.fixture(scope='session')
def checkpoint(tmp_path_factory):
    """A file in the published layout, with the stand-in weights."""
    path = tmp_path_factory.mktemp('weights') / 'stand_in.pth'
    torch.save(stand_in.weights(), path)
    return path


@pytest.fixture(scope='session')
def network(checkpoint):
    return load_network(checkpoint)


@pytest.fixture(scope='session')
def prepared(checkpoint):
    """The network as the programs load it."""
    return load_network(checkpoint, for_inference=True)


@pytest.fixture
def clip_folder(tmp_path):
    """Six frames of 64 x 48 with two objects -> a folder with images/ (PNG) and masks/."""
    images, masks = stand_in.clip(6, 48, 64)
    return write_clip(tmp_path / 'clip', images, masks)


def write_clip(folder, images, masks, first=0):
    """Write images and masks as NNNNN.png below `folder`."""
    (folder / 'images').mkdir(parents=True)
    (folder / 'masks').mkdir()
    for number, (image, mask) in enumerate(zip(images, masks, strict=True), first):
        Image.fromarray(np.asarray(image)).save(folder / 'images' / f'{number:05}.png')
        save_mask(folder / 'masks' / f'{number:05}.png', mask)
    return folder
