"""Checkpoint files: int8 kernels and their scales, and the short side that a network is best at."""

import pickle

import pytest
import torch

from model.network import load_network
from model.weights import dequantize, quantize, read_checkpoint
from scripts import shrink_checkpoint
from tests.helpers import stand_in
from util.errors import UserError
from util.options import BUNDLED_WEIGHTS
from util.training.checkpoints import resume


def test_quantizing_loses_half_a_step_at_most():
    """A step is 1/127 of the largest weight of an output channel; one channel is all zeros."""
    torch.manual_seed(0)
    weights = {'w': torch.randn(6, 5, 3, 3), 'b': torch.randn(6)}
    weights['w'][2] = 0
    small = quantize(weights)
    assert small['network']['w'].dtype == torch.int8 and small['scales'].keys() == {'w'}
    back = dequantize(**small)
    step = weights['w'].abs().amax((1, 2, 3), keepdim=True) / 127
    assert ((back['w'] - weights['w']).abs() <= step / 2 + 1e-6).all()
    assert torch.equal(back['b'], weights['b'])


def test_a_quantized_checkpoint_loads_like_any_other(checkpoint, tmp_path, network, capsys):
    path = tmp_path / 'small.pth'
    shrink_checkpoint.main([str(checkpoint), str(path)])
    assert path.stat().st_size < 60e6
    small = load_network(path)
    assert small.state_dict().keys() == stand_in.MANIFEST.keys()
    image = torch.from_numpy(stand_in.clip(1)[0]).permute(0, 3, 1, 2)[..., :64, :96] / 255
    with torch.inference_mode():
        values, expected = (net.encode_query(image).value for net in (small, network))
    assert (values - expected).norm() < 0.03 * expected.norm()


def test_an_existing_file_is_not_overwritten(checkpoint, capsys):
    with pytest.raises(SystemExit) as stop:
        shrink_checkpoint.main([str(checkpoint), str(checkpoint)])
    assert stop.value.code == 2
    assert 'already exists; choose another name' in capsys.readouterr().err


def test_scales_that_do_not_fit_are_refused(checkpoint, tmp_path):
    small = quantize(torch.load(checkpoint, weights_only=True))
    small['scales']['decoder.compress.conv2.weight'] = torch.ones(3, 3)
    torch.save(small, tmp_path / 'small.pth')
    with pytest.raises(UserError, match='its scales do not fit its weights'):
        load_network(tmp_path / 'small.pth')


def test_quantizing_keeps_the_short_side(tmp_path):
    weights = {'w': torch.eye(3).view(3, 3, 1, 1)}
    for short_side in (None, 240):
        torch.save(quantize(weights, short_side), tmp_path / 'small.pth')
        found = read_checkpoint(tmp_path / 'small.pth')
        assert found.short_side == short_side
        torch.testing.assert_close(found.weights, weights)


@pytest.mark.parametrize('for_inference', [False, True])
def test_the_network_knows_the_short_side_of_its_checkpoint(tmp_path, for_inference):
    path = tmp_path / 'x.pth'
    torch.save({'network': stand_in.weights(), 'short_side': 240}, path)
    assert load_network(path, for_inference=for_inference).short_side == 240


def test_the_short_side_is_unknown_if_the_checkpoint_does_not_state_it(checkpoint, tmp_path):
    assert load_network(checkpoint).short_side is None
    torch.save({'network': stand_in.weights()}, tmp_path / 'x.pth')
    assert load_network(tmp_path / 'x.pth').short_side is None


def test_the_bundled_network_states_its_short_side():
    assert read_checkpoint(BUNDLED_WEIGHTS).short_side == 240


@pytest.mark.parametrize('short_side', [0, -240, 240.0, True, '240', [240], torch.tensor([[1, 2]])])
def test_a_broken_short_side_is_refused_in_one_line(tmp_path, short_side):
    path = tmp_path / 'x.pth'
    torch.save({'network': {'w': torch.zeros(1)}, 'short_side': short_side}, path)
    with pytest.raises(UserError) as error:
        load_network(path)
    assert f"{path}: its entry 'short_side' is not a positive whole number" in str(error.value)
    assert '\n' not in str(error.value) and error.value.parameter == 'model'


LFS = 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n'
OTHER_FILES = {  # what the message says -> what is in the file
    "it is a web page titled 'Sign in'": b'<!DOCTYPE html><html><title>\nSign in </title></html>',
    'it is a web page': b'\xef\xbb\xbf\r\n  <HTML lang="en">',
    'it is a web page;': '<html>\n'.encode('utf-16'),
    'it is a git-lfs pointer': LFS.encode(),
    'git lfs pull': LFS.replace('\n', '\r\n').encode(),
    'it is a git-annex pointer': b'/annex/objects/MD5E-s1--00.pth\n',
    """it is a text, '{"message": "Not Found"}'""": b'{"message": "Not Found"}\n',
    'it is empty': b'',
    'it is damaged, or of another kind': b'\x1f\x8b\x08' + bytes(2000),
    'of another kind; get it again': b'\x10' + bytes(7) + b'{"a":{}}' + bytes(2000),
    'it holds objects or code': pickle.dumps(torch.device),
}


def resume_from(path):
    resume(path, None, {'stage': 2})


@pytest.mark.parametrize('words', OTHER_FILES)
@pytest.mark.parametrize('read', [load_network, resume_from])
def test_a_file_of_another_kind_is_named(tmp_path, words, read):
    path = tmp_path / 'x.pth'
    path.write_bytes(OTHER_FILES[words])
    with pytest.raises(UserError) as error:
        read(path)
    assert str(path) in str(error.value) and words in str(error.value), error.value
    assert '2.6' not in str(error.value) and '\n' not in str(error.value)
