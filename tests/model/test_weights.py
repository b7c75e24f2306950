import pytest
import torch

from model.network import load_network
from model.weights import dequantize, quantize
from scripts import shrink_checkpoint
from tests.helpers import stand_in
from util.errors import UserError


def test_weights_come_back_to_half_a_step_of_their_channel():
    torch.manual_seed(0)
    weights = {'w': torch.randn(6, 5, 3, 3), 'b': torch.randn(6)}
    weights['w'][2] = 0
    small = quantize(weights)
    assert small['network']['w'].dtype == torch.int8 and small['scales'].keys() == {'w'}
    back = dequantize(**small)
    step = weights['w'].abs().amax((1, 2, 3), keepdim=True) / 127
    assert ((back['w'] - weights['w']).abs() <= step / 2 + 1e-6).all()
    assert torch.equal(back['b'], weights['b'])


def test_a_small_file_loads_like_any_other(checkpoint, tmp_path, network, capsys):
    path = tmp_path / 'small.pth'
    shrink_checkpoint.main([str(checkpoint), str(path)])
    assert path.stat().st_size < 60e6
    small = load_network(path)
    assert small.state_dict().keys() == stand_in.MANIFEST.keys()
    image = torch.from_numpy(stand_in.clip(1)[0]).permute(0, 3, 1, 2)[..., :64, :96] / 255
    with torch.inference_mode():
        values, expected = (net.encode_query(image).value for net in (small, network))
    assert (values - expected).norm() < 0.03 * expected.norm()


def test_a_file_is_not_written_over(checkpoint, capsys):
    with pytest.raises(SystemExit) as stop:
        shrink_checkpoint.main([str(checkpoint), str(checkpoint)])
    assert stop.value.code == 2
    assert 'is there already; choose another name' in capsys.readouterr().err


def test_scales_that_do_not_fit_are_told(checkpoint, tmp_path):
    small = quantize(torch.load(checkpoint, weights_only=True))
    small['scales']['decoder.compress.conv2.weight'] = torch.ones(3, 3)
    torch.save(small, tmp_path / 'small.pth')
    with pytest.raises(UserError, match='its scales do not fit its weights'):
        load_network(tmp_path / 'small.pth')
