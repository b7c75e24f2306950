"""What segmenting a frame asks of a GPU. None is needed: the operations are counted on a CPU, and
a pretended GPU checks where every tensor is and whether the host has to wait for a value.
"""

import subprocess
import sys

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from model import plans
from model.fuse import prepare_for_inference
from model.inference_conv import layout_for
from model.model import OptimizationOptions, PropagationModel
from model.network import PropagationNetwork, load_network
from tests.helpers.operations import Operations
from tests.helpers.pretended_gpu import core_with_memory, picture
from tests.helpers.product import ROOT

CUDA = torch.device('cuda')


@pytest.fixture(scope='module')
def gpu_network(checkpoint):
    """The network on a CPU, but prepared as for a GPU."""
    return prepare_for_inference(load_network(checkpoint), device=CUDA)


@pytest.fixture
def as_on_a_gpu(monkeypatch):
    """The CPU reads memory as a GPU does."""
    monkeypatch.setitem(plans.PLANS, 'cpu', plans.PLANS['cuda'])


def operations_of_a_step(core):
    with Operations() as operations:
        core.step(picture(core.network))
    return operations


@pytest.mark.usefixtures('as_on_a_gpu')
@pytest.mark.parametrize('num_objects, most', [(1, 330), (3, 440)])
def test_a_step_launches_few_kernels_and_never_waits(gpu_network, num_objects, most):
    operations = operations_of_a_step(core_with_memory(gpu_network, 24, num_objects))
    assert operations.waits == []
    assert 200 < operations.total <= most, operations.count


@pytest.mark.usefixtures('as_on_a_gpu')
def test_in_half_precision_no_weight_is_converted_in_a_step(checkpoint):
    network = prepare_for_inference(load_network(checkpoint), device=CUDA)
    core = core_with_memory(network, 2, 1, amp=True)
    pointers = {weight.data_ptr() for weight in network.parameters()}
    operations = operations_of_a_step(core)
    assert [pointer for pointer, _ in operations.casts if pointer in pointers] == []
    assert operations.casts, 'but activations are'
    assert operations.waits == []
    assert operations.total <= 310


def test_weights_of_another_network_are_converted_as_they_may_change(network):
    core = core_with_memory(network, 2, 1, amp=True)
    pointers = {weight.data_ptr() for weight in network.parameters()}
    operations = operations_of_a_step(core)
    assert any(pointer in pointers for pointer, _ in operations.casts)


class Layouts(TorchDispatchMode):
    """Records the layouts of each convolution's input and weights: 'NCHW', 'NHWC' or both."""

    def __init__(self):
        super().__init__()
        self.inputs, self.weights = set(), set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function._schema.name in ('aten::convolution', 'aten::conv2d'):
            self.inputs.add(layout_of(args[0]))
            self.weights.add(layout_of(args[1]))
        return function(*args, **(kwargs or {}))


def layout_of(x):
    is_nchw, is_nhwc = x.is_contiguous(), x.is_contiguous(memory_format=torch.channels_last)
    return 'NCHW' * is_nchw + 'NHWC' * is_nhwc


def test_each_device_gets_the_layout_that_is_fastest_there():
    found = {
        (device, half)
        for device in ('cpu', 'cuda', 'mps', 'xpu')
        for half in (False, True)
        if layout_for(torch.device(device), half=half) == torch.channels_last
    }
    assert found == {('cpu', False), ('cpu', True), ('cuda', True)}


def test_float32_convolutions_of_a_gpu_are_all_nchw(gpu_network):
    core = core_with_memory(gpu_network, 2, 2)
    with torch.inference_mode(), Layouts() as layouts:
        core.step(picture(gpu_network))
    # a tensor with a single channel or a single pixel is in both layouts
    assert 'NCHW' in layouts.inputs and not {'NHWC', ''} & layouts.inputs
    assert 'NCHW' in layouts.weights and not {'NHWC', ''} & layouts.weights


def test_half_precision_convolutions_of_a_gpu_are_nhwc(checkpoint):
    network = prepare_for_inference(load_network(checkpoint), device=CUDA)
    core = core_with_memory(network, 2, 1, amp=True)
    with Layouts() as layouts:
        core.step(picture(network))
    assert 'NHWC' in layouts.weights and not {'NCHW', ''} & layouts.weights


def test_convolutions_of_a_cpu_are_nhwc(prepared):
    with Layouts() as layouts:
        core_with_memory(prepared, 2, 1)
    assert 'NHWC' in layouts.weights and not {'NCHW', ''} & layouts.weights


@pytest.mark.parametrize('device, amp, layout', [
    ('cuda', True, 'NHWC'), ('cuda', False, 'NCHW'), ('cpu', True, 'NCHW'), ('cpu', False, 'NCHW'),
])  # fmt: skip
def test_training_has_the_channels_side_by_side_on_a_gpu_in_half_precision(
    device, amp, layout, monkeypatch
):
    monkeypatch.setattr(PropagationNetwork, 'device', torch.device(device))
    monkeypatch.setattr('model.model.training_dtype', lambda _: torch.bfloat16)
    model = PropagationModel(PropagationNetwork(), OptimizationOptions(amp=amp, ema=0.9))
    for network in (model.network, model.result):
        assert layout_of(network.decoder.up_16_8.skip_conv1.weight) == layout


def test_a_step_runs_on_a_gpu_alone():
    """In a process of its own, because PyTorch's tensors without values are not meant for this."""
    command = [sys.executable, '-m', 'tests.helpers.pretended_gpu']
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == [
        f'{options}: cuda:0 (3, 48, 64)' for options in ({}, {'top_k': None}, {'kernel_sigma': 5.6})
    ]
