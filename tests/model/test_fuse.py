"""A network that is optimised for inference computes what the plain one does."""

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from inference_core import InferenceCore
from model.fuse import compile_methods
from model.network import load_network
from model.winograd import WinogradConv
from tests.helpers import stand_in
from util.errors import UserError


@pytest.mark.parametrize('height, width', [(1, 1), (4, 4), (5, 7), (8, 12), (13, 30), (3, 950)])
def test_winograd_convolution_equals_the_direct_one_at_every_size(height, width):
    torch.manual_seed(0)
    conv = nn.Conv2d(24, 40, 3, padding=1)
    x = torch.randn(2, 24, height, width)
    direct = F.conv2d(x.double(), conv.weight.double(), conv.bias.double(), padding=1)
    result = WinogradConv(conv)(x)
    assert result.shape == direct.shape
    torch.testing.assert_close(result.double(), direct, rtol=0, atol=1e-5)
    channels_last = x.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(WinogradConv(conv)(channels_last), result)


def test_winograd_convolution_is_direct_in_half_precision():
    torch.manual_seed(0)
    conv, x = nn.Conv2d(8, 8, 3, padding=1), torch.randn(1, 8, 6, 6)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert torch.equal(WinogradConv(conv)(x), conv(x))


def test_the_prepared_network_computes_the_same(network, prepared):
    torch.manual_seed(0)
    image, masks = torch.rand(2, 3, 48, 80), torch.rand(2, 3, 48, 80)
    close = {'rtol': 1e-4, 'atol': 1e-4}
    with torch.inference_mode():
        query, expected = prepared.encode_query(image), network.encode_query(image)
        torch.testing.assert_close(tuple(query), tuple(expected), **close)
        memory = network.memorize(image, masks)
        torch.testing.assert_close(prepared.memorize(image, masks), memory, **close)
        logits = network.decode(expected, memory[1])
        torch.testing.assert_close(prepared.decode(query, memory[1]), logits, **close)


def test_the_prepared_network_has_no_batch_norm_and_needs_no_gradients(prepared):
    assert not any(isinstance(module, nn.BatchNorm2d) for module in prepared.modules())
    assert not any(parameter.requires_grad for parameter in prepared.parameters())


def test_a_checkpoint_is_loaded_plain_unless_it_is_for_inference(checkpoint):
    assert load_network(checkpoint).state_dict().keys() == stand_in.MANIFEST.keys()
    assert load_network(checkpoint, for_inference=True).decoder.up_8_4.skip_conv1.transformed.any()


def test_masks_of_the_prepared_network_are_the_same(network, prepared):
    images, masks = stand_in.clip(6)
    cores = [InferenceCore(net, mem_every=2) for net in (network, prepared)]
    for t, image in enumerate(images):
        image = torch.from_numpy(image).permute(2, 0, 1)
        probs = [core.step(image, masks[0] if t == 0 else None) for core in cores]
        torch.testing.assert_close(*probs, rtol=0, atol=1e-4)


def test_compiling_without_a_compiler_is_refused(checkpoint, monkeypatch):
    monkeypatch.setenv('CXX', 'no-such-compiler')
    words = r'needs a C\+\+ compiler; install no-such-compiler, or do not compile'
    with pytest.raises(UserError, match=words) as error:
        load_network(checkpoint, for_inference=True, compiled=True)
    assert error.value.parameter == 'compiled'


def test_freezing_is_switched_on_during_compiled_calls_only(monkeypatch):
    monkeypatch.setattr(torch, 'compile', lambda function: function)
    config = torch._inductor.config

    def is_freezing():
        return config.freezing

    network = SimpleNamespace(encode_query=is_freezing, memorize=is_freezing, decode=is_freezing)
    compile_methods(network, torch.device('cuda'))
    assert not config.freezing
    assert network.encode_query() and network.memorize() and network.decode()
    assert not config.freezing
