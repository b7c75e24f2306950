"""The network's parts against each other, and loading it from every kind of checkpoint file."""

from functools import partial

import pytest
import torch

from model.network import PropagationNetwork, load_network
from model.pretrained import start_from_imagenet
from tests.helpers import stand_in
from util.errors import UserError


def save(path, content):
    """torch.save, returning the path."""
    torch.save(content, path)
    return path


def test_names_and_shapes_are_the_published_ones():
    tensors = PropagationNetwork().state_dict()
    assert {name: list(tensor.shape) for name, tensor in tensors.items()} == stand_in.MANIFEST


def test_a_training_checkpoint_loads_like_its_network_file(checkpoint, network, tmp_path):
    wrapped = save(tmp_path / 'run_checkpoint.pth', {'iteration': 5, 'network': weights()})
    assert_equal(load_network(wrapped), network)


def test_the_average_is_taken_if_a_checkpoint_has_one(network, tmp_path):
    average = {f'module.{name}': tensor for name, tensor in weights().items()}
    average['n_averaged'] = torch.tensor(7)
    other = PropagationNetwork().state_dict()
    assert_equal(
        load_network(save(tmp_path / 'x.pth', {'network': other, 'average': average})), network
    )


def settings():
    """What PyTorch does for the whole process; libraries leave it alone."""
    return (
        torch.backends.cudnn.allow_tf32,
        torch.backends.cuda.matmul.allow_tf32,
        torch.get_num_threads(),
        torch.is_grad_enabled(),
    )


def allow_tf32(cudnn, matmul):
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = cudnn, matmul


@pytest.mark.parametrize('tf32', [False, True])
def test_loading_changes_no_setting_of_the_process(checkpoint, request, tf32):
    request.addfinalizer(partial(allow_tf32, *settings()[:2]))
    allow_tf32(tf32, tf32)
    before = settings()
    load_network(checkpoint)
    load_network(checkpoint, for_inference=True)
    assert before == settings() == (tf32, tf32, *before[2:])


def test_batch_norm_keeps_its_statistics_in_training_mode():
    torch.manual_seed(0)
    network = PropagationNetwork().train()
    before = {name: buffer.clone() for name, buffer in network.named_buffers()}
    network(torch.rand(1, 2, 3, 32, 32), torch.zeros(1, 1, 32, 32), valid=torch.ones(1, 1))
    assert network.training and network.decoder.training
    assert all(torch.equal(buffer, before[name]) for name, buffer in network.named_buffers())


def test_both_trunks_can_start_from_imagenet(monkeypatch):
    trunk = PropagationNetwork().rgb_encoder.state_dict()
    resnet = {name.replace('res2.', 'layer1.'): weight for name, weight in trunk.items()}
    monkeypatch.setattr('model.pretrained.download_resnet50', lambda: resnet)
    network = PropagationNetwork()
    start_from_imagenet(network, 'imagenet')
    found = network.rgb_encoder.state_dict()
    assert all(torch.equal(found[name], weight) for name, weight in trunk.items())
    conv1 = network.mask_rgb_encoder.conv1.weight
    assert torch.equal(conv1[:, :3], trunk['conv1.weight'])


def test_a_network_saved_inside_data_parallel_loads(network, tmp_path):
    prefixed = {f'module.{name}': tensor for name, tensor in weights().items()}
    assert_equal(load_network(save(tmp_path / 'ddp.pth', prefixed)), network)


def test_input_channels_are_read_off_the_file(tmp_path):
    path = save(tmp_path / 'stage0.pth', stage_0())
    assert load_network(path).single_object
    with pytest.raises(UserError, match=r'stage0\.pth: a single-object'):
        load_network(path, multi_object=True)


def test_an_object_depends_on_the_others_through_their_sum_alone(network):
    """K is a batch axis: exchanging two of the others leaves an object's keys as they are."""
    torch.manual_seed(0)
    image, masks = torch.rand(1, 3, 32, 48), torch.rand(1, 3, 32, 48)
    keys, values = network.memorize(image, masks)
    swapped_keys, swapped_values = network.memorize(image, masks[:, [0, 2, 1]])
    torch.testing.assert_close(keys[:, 0], swapped_keys[:, 0], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(values[:, [0, 2, 1]], swapped_values, rtol=1e-4, atol=1e-5)


def test_decoding_objects_together_equals_decoding_one_by_one(network):
    torch.manual_seed(0)
    query = network.encode_query(torch.rand(2, 3, 32, 48))
    readout = torch.randn(2, 3, 512, 2, 3)
    together = network.decode(query, readout)
    for k in range(3):
        alone = network.decode(query, readout[:, k : k + 1])
        torch.testing.assert_close(together[:, k : k + 1], alone, rtol=1e-4, atol=1e-4)


def test_training_gives_logits_for_later_frames_and_none_for_missing_objects(network):
    torch.manual_seed(0)
    frames = torch.rand(1, 3, 3, 32, 48)
    masks = (torch.rand(1, 2, 32, 48) > 0.5).float()
    logits = network(frames, masks, valid=torch.tensor([[1.0, 0.0]]))
    assert logits.shape == (1, 2, 3, 32, 48)
    assert logits[:, :, 2].max() < -16, 'the sample has no second object'


@pytest.mark.parametrize(
    'content, words',
    [
        ([1, 2], 'holds no network weights'),
        ({'epoch': 3}, 'holds no network weights'),
        ({'fc.weight': torch.zeros(3)}, 'not a checkpoint of this network'),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path, content, words):
    with pytest.raises(UserError, match=words):
        load_network(save(tmp_path / 'other.pth', content))


def test_wrong_keys_are_named(tmp_path):
    broken = weights()
    broken['decoder.extra'] = broken.pop('decoder.pred.bias')
    broken['kv_m_f16.key_proj.bias'] = torch.zeros(3)
    with pytest.raises(UserError) as error:
        load_network(save(tmp_path / 'broken.pth', broken))
    for words in ('broken.pth', '1 missing: decoder.pred.bias', '1 unknown: decoder.extra', '(3,)'):
        assert words in str(error.value)


def test_weights_that_are_not_finite_are_refused(tmp_path):
    broken = weights()
    broken['decoder.pred.bias'] = torch.tensor([float('nan')])
    words = r'NaN or infinity in 1 of its tensors, first in decoder\.pred\.bias'
    with pytest.raises(UserError, match=words):
        load_network(save(tmp_path / 'nan.pth', broken))


@pytest.mark.parametrize('content', [b'', b'not a checkpoint', b'PK\x03\x04 cut off'])
def test_an_unreadable_file_is_refused(tmp_path, content):
    path = tmp_path / 'junk.pth'
    path.write_bytes(content)
    with pytest.raises(UserError, match=r'junk\.pth: not a readable checkpoint'):
        load_network(path)


class Payload:
    """An object that writes a file when it is unpickled."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return (open, (str(self.target), 'w'))


def test_code_in_a_checkpoint_does_not_run(tmp_path):
    path = save(tmp_path / 'hostile.pth', {'network': Payload(tmp_path / 'ran')})
    with pytest.raises(UserError, match='not a readable checkpoint'):
        load_network(path)
    assert not (tmp_path / 'ran').exists()


def test_a_truncated_checkpoint_is_refused(checkpoint, tmp_path):
    path = tmp_path / 'cut.pth'
    path.write_bytes(checkpoint.read_bytes()[: 1 << 20])
    with pytest.raises(UserError, match='not a readable checkpoint'):
        load_network(path)


def weights():
    return stand_in.weights()


def stage_0():
    """Weights whose mask encoder has one input channel less."""
    conv1 = 'mask_rgb_encoder.conv1.weight'
    return {**weights(), conv1: weights()[conv1][:, :4].clone()}


def assert_equal(network, other):
    for (name, a), (_, b) in zip(
        network.state_dict().items(), other.state_dict().items(), strict=True
    ):
        assert torch.equal(a, b), name
