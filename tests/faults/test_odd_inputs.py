"""Odd but valid inputs work: the masks have the names, sizes and ids of the input."""

import numpy as np
import pytest
import torch
from PIL import Image

from model.network import load_network
from tests.faults.bad_inputs.case import call, clip_world
from tests.faults.odd_inputs import CASES, IMAGES, MASKS, exif, turn
from tests.helpers import stand_in
from tests.helpers.folders import snapshot
from util.images import read_image
from util.masks import load_mask


def test_no_two_cases_have_the_same_name():
    assert len({case.what for case in CASES}) == len(CASES)


@pytest.mark.parametrize('case', CASES, ids=[case.what for case in CASES])
def test_an_odd_input_works(case, folder, coarse, capsys):
    clip_world(folder)
    if case.prepare:
        case.prepare(folder)
    call(case.command)
    output = folder / case.output
    masks = {path.stem: load_mask(path) for path in (output / 'masks').iterdir()}
    assert masks.keys() == set(case.names)
    assert (masks[case.names[0]] == case.first).all()
    for mask in masks.values():
        assert mask.shape == case.first.shape
        assert {*np.unique(mask)} <= {0, *np.unique(case.first)}
    assert (output / 'overlay.mp4').stat().st_size and (output / 'contact_sheet.png').stat().st_size
    assert capsys.readouterr().err == ''


def weights():
    """All weights, each filled with its own value; in a file, each takes one number."""
    values = enumerate(stand_in.MANIFEST.items(), 1)
    return {name: torch.tensor(n / 256).expand(shape) for n, (name, shape) in values}


def cast(dtype):
    return lambda: {name: weight.to(dtype) for name, weight in weights().items()}


def with_prefix(content):
    return {f'module.{name}': weight for name, weight in content.items()}


CHECKPOINTS = {  # kind: (content, options of torch.save)
    'half precision': (cast(torch.float16), {}),
    'bfloat16': (cast(torch.bfloat16), {}),
    'double precision': (cast(torch.float64), {}),
    "in 'network'": (lambda: {'network': weights(), 'iteration': 3}, {}),
    "with 'module.'": (lambda: with_prefix(weights()), {}),
    "in 'network', with 'module.'": (lambda: {'network': with_prefix(weights())}, {}),
    'in the old format': (weights, {'_use_new_zipfile_serialization': False}),
}


@pytest.mark.parametrize('kind', CHECKPOINTS)
def test_odd_checkpoints_load(tmp_path, kind):
    content, options = CHECKPOINTS[kind]
    torch.save(content(), tmp_path / 'model.pth', **options)
    found = load_network(tmp_path / 'model.pth').state_dict()
    for name, expected in weights().items():
        if not name.endswith('num_batches_tracked'):  # a counter that nothing reads
            torch.testing.assert_close(found[name], expected, rtol=0.01, atol=0, msg=name)


def test_a_whole_run_with_weights_in_half_precision_and_wrapped_twice(folder):
    clip_world(folder)
    halves = with_prefix({name: weight.half() for name, weight in stand_in.weights().items()})
    torch.save({'network': halves}, folder / 'model.pth')
    call('propagate.py frames --mask mask.png --output out --model model.pth --size -1')
    assert (load_mask(folder / 'out/masks/00000.png') == MASKS[0]).all()
    assert len(list((folder / 'out/masks').iterdir())) == 4


def test_an_image_with_exif_orientation_is_resized_upright_with_its_mask(folder):
    (folder / 'in').mkdir()
    Image.fromarray(turn(6)(IMAGES[0])).save(folder / 'in/a.jpg', exif=exif(6), quality=95)
    Image.fromarray(turn(6)(MASKS[0])).save(folder / 'in/a.png', exif=exif(6))
    call('scripts/resize_static.py in out --short_side 16 --num_workers 1')
    assert read_image(folder / 'out/a.jpg').shape == (16, 24, 3)
    assert (load_mask(folder / 'out/a.png') == MASKS[0][1::2, 1::2]).all()


def test_videos_whose_names_are_not_utf8_are_scored(folder):
    for name in ('ground_truth', 'predictions'):
        (folder / name).mkdir()
        clip_world(folder / name)
        (folder / name / 'masks').rename(folder / name / 'a\udcff')
    call("scripts/score.py ground_truth predictions --videos 'a\udcff'")
    content = (folder / 'predictions/scores.csv').read_bytes()
    assert b'a\xff,1,100.0000' in content


def test_propagate_leaves_its_input_unchanged(folder, coarse):
    clip_world(folder)
    before = snapshot(folder)
    call('propagate.py movie.mkv --mask mask.png --output out')
    after = snapshot(folder)
    assert {path: after[path] for path in before} == before
