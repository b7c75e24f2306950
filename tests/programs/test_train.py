"""train.py end to end, on tiny made-up sets: launchers, resuming, checkpoints, output."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

import train
from dataset.stage_options import StageOptions
from model.model import OptimizationOptions
from model.network import PropagationNetwork, load_network
from tests.helpers import benchmark_trees
from tests.helpers.training_trees import own_tree, write_pair
from util.training.options import parse

ROOT = Path(__file__).parents[2]
SMALL = ['--pretrained', 'none', '--crop', '32', '-b', '1', '--num_workers', '0', '--device', 'cpu']
LAUNCHERS = {
    'python': [],
    'torchrun': ['-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=1'],
    'launch': ['-m', 'torch.distributed.launch', '--nproc_per_node=1', '--master_port', '29531'],
}


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """The root of a set for each stage and of a DAVIS tree to validate on."""
    root = tmp_path_factory.mktemp('data')
    for stem in ('x', 'yy'):
        write_pair(root / 'static' / 'ecssd', stem)
    own_tree(root / 'BL30K')
    own_tree(root / 'YouTube' / 'train_480p')
    own_tree(root / 'DAVIS' / '2017' / 'trainval')
    benchmark_trees.davis_2017(root / 'validation', lengths=(3, 4))
    return root


def options(data, stage, *more):
    root = {0: ('--static_root', 'static'), 1: ('--bl_root', 'BL30K'), 2: ('--davis_root', 'DAVIS')}
    name, folder = root[stage]
    words = ['--stage', stage, name, data / folder, *SMALL, *more]
    return [str(word) for word in words]


def run(data, folder, *more, stage=2):
    """Run train.main in this process, with checkpoints and logs below `folder`."""
    places = ['--saves', folder / 'saves', '--log_root', folder / 'log', '--id', 'x']
    train.main(options(data, stage, *places, *more))
    return folder / 'saves' / 'x'


def refused(capsys, argv):
    with pytest.raises(SystemExit) as stop:
        train.main([str(word) for word in argv])
    assert stop.value.code == 2
    (line,) = [x for x in capsys.readouterr().err.splitlines() if x.startswith('error:')]
    return line


def losses_in(text):
    """The loss of each iteration, from the output of `--debug`."""
    return {int(n): loss for n, loss in re.findall(r'iteration (\d+): loss (\S+)', text)}


def weights_of(path):
    return torch.load(path, weights_only=True)


@pytest.mark.parametrize('launcher', LAUNCHERS)
@pytest.mark.parametrize('stage', [0, 1, 2])
def test_each_stage_runs_with_each_launcher(data, stage, launcher, capsys):
    argv = options(data, stage, '-i', 3, '--debug')
    if launcher == 'python':
        train.main(argv)
        printed = capsys.readouterr().out
    else:
        command = [sys.executable, *LAUNCHERS[launcher], ROOT / 'train.py', *argv]
        printed = subprocess.run(
            command, stdout=subprocess.PIPE, text=True, timeout=300, check=True
        ).stdout
    first = printed.splitlines()[0]
    assert first == 'effective batch 1: 1 process with 1 sample, on cpu'
    assert losses_in(printed).keys() == {1, 2, 3}


def test_two_processes_equal_one_with_the_double_batch(data, tmp_path, capsys):
    one = run(data, tmp_path / 'one', '-b', 2, '-i', 2)
    argv = options(
        data, 2, '-i', 2, '--saves', tmp_path / 'two', '--log_root', tmp_path, '--id', 'x'
    )
    launcher = ['-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=2']
    command = [sys.executable, *launcher, ROOT / 'train.py', *argv]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    assert 'effective batch 2: 2 processes with 1 sample each' in done.stdout
    expected, found = weights_of(one / 'x_2.pth'), weights_of(tmp_path / 'two' / 'x' / 'x_2.pth')
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, atol=1e-5, rtol=0, msg=name)
    assert 'FutureWarning' not in done.stderr
    checkpoint = tmp_path / 'two' / 'x' / 'x_checkpoint.pth'
    run(data, tmp_path / 'resumed', '-i', 3, '--load_model', checkpoint)
    words = 'warning: the number of processes was 2, now 1; the effective batch changes'
    assert words in capsys.readouterr().out


def test_a_killed_training_resumes_exactly(data, tmp_path, capsys):
    schedule = ['-i', 4, '--save_every', 2, '--lr', 1e-4, '--steps', 3, '--debug', '--ema', 0.5]
    expected = run(data, tmp_path / 'whole', *schedule)
    losses = losses_in(capsys.readouterr().out)

    places = ['--saves', tmp_path / 'saves', '--log_root', tmp_path / 'log', '--id', 'x']
    argv = [ROOT / 'train.py', *options(data, 2, *places, *schedule)]
    killed = subprocess.Popen([sys.executable, *argv], stdout=subprocess.PIPE, text=True)
    checkpoint = tmp_path / 'saves' / 'x' / 'x_checkpoint.pth'
    while not (tmp_path / 'saves' / 'x' / 'x_2.pth').exists() or not checkpoint.exists():
        assert killed.poll() is None
        time.sleep(0.05)
    os.kill(killed.pid, signal.SIGKILL)
    before = losses_in(killed.communicate()[0])

    saves = run(data, tmp_path, *schedule, '--load_model', checkpoint)
    printed = capsys.readouterr().out
    assert re.search(r'resuming after iteration 2', printed)
    assert {**before, **losses_in(printed)} == losses
    found = weights_of(saves / 'x_4.pth')
    for name, tensor in weights_of(expected / 'x_4.pth').items():
        assert torch.equal(found[name], tensor), name
    assert not list(saves.glob('.*'))


def test_checkpoints_hold_everything_and_load_as_networks(data, tmp_path):
    saves = run(data, tmp_path, '-i', 2, '--save_every', 1)
    assert sorted(path.name for path in saves.iterdir()) == [
        'x_1.pth', 'x_2.pth', 'x_checkpoint.pth',
    ]  # fmt: skip
    state = weights_of(saves / 'x_checkpoint.pth')
    assert state['iteration'] == 2 and state['config']['crop'] == 32
    assert state['config']['steps'] == [125_000] and state['config']['davis_root'] == str(
        data / 'DAVIS'
    )
    assert state['versions']['torch'] == torch.__version__
    assert re.fullmatch(r'[0-9a-f]{40}(-dirty)?|unknown', state['git_commit'])
    assert not load_network(saves / 'x_2.pth').single_object
    assert not load_network(saves / 'x_checkpoint.pth').single_object


def test_a_stage_0_network_starts_stage_2(data, tmp_path):
    static = run(data, tmp_path / 'static', '-i', 1, stage=0)
    assert load_network(static / 'x_1.pth').single_object
    video = run(data, tmp_path / 'video', '-i', 1, '--load_network', static / 'x_1.pth')
    name = 'mask_rgb_encoder.conv1.weight'
    before, after = weights_of(static / 'x_1.pth')[name], weights_of(video / 'x_1.pth')[name]
    torch.testing.assert_close(after[:, :4], before, atol=1e-4, rtol=0)
    others = after[:, 4].flatten(1)  # (64, 49): orthogonal columns
    torch.testing.assert_close(others.T @ others, torch.eye(49), atol=1e-2, rtol=0)


def test_imagenet_weights_fill_both_trunks(tmp_path):
    from model.pretrained import start_from_imagenet

    random = PropagationNetwork().rgb_encoder.state_dict()
    resnet = {name.replace('res2', 'layer1'): tensor for name, tensor in random.items()}
    torch.save({**resnet, 'fc.weight': torch.zeros(1000, 2048)}, tmp_path / 'resnet50.pth')
    network = PropagationNetwork()
    start_from_imagenet(network, tmp_path / 'resnet50.pth')
    image = torch.rand(1, 3, 32, 32)
    for trunk, extra in ((network.rgb_encoder, 0), (network.mask_rgb_encoder, 2)):
        padded = torch.cat([image, torch.zeros(1, extra, 32, 32)], 1)
        f16 = trunk(padded) if extra else trunk(padded)[0]
        expected = network.rgb_encoder(image)[0]
        torch.testing.assert_close(f16, expected, atol=1e-4, rtol=1e-3)
    assert network.rgb_encoder.conv1.weight.equal(resnet['conv1.weight'])


def test_validation_keeps_the_best_network(data, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    saves = run(
        data, tmp_path, '-i', 2, '--debug', '--bootstrap', 0, 2,
        '--validate', data / 'validation', '--validate_every', 1, '--validate_size', 48,
    )  # fmt: skip
    events = EventAccumulator(str(tmp_path / 'log' / 'x'))
    events.Reload()
    scores = [event.value for event in events.Scalars('val_J&F')]
    assert len(scores) == 2
    assert weights_of(saves / 'x_checkpoint.pth')['best'] == pytest.approx(max(scores))
    assert load_network(saves / 'x_best.pth')
    assert {'loss', 'iou_1', 'iou_2', 'p', 'lr', 'time', 'waiting_for_data'} <= set(
        events.Tags()['scalars']
    )
    assert [event.value for event in events.Scalars('p')] == pytest.approx([1, 0.575])
    (picture,) = events.Images('image, prediction, ground truth')
    assert (picture.width, picture.height) == (8 * 32, 32)


def test_the_defaults_of_the_program_are_those_of_the_library():
    parsed = parse('', ['--stage', '2'])
    assert parsed.select(StageOptions) == StageOptions()
    assert parsed.select(OptimizationOptions) == OptimizationOptions(steps=(125_000,))


def test_null_writes_no_files(data, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    places = ['--saves', tmp_path / 'saves', '--log_root', tmp_path / 'log']
    train.main(options(data, 2, *places, '-i', 1, '--debug'))
    assert losses_in(capsys.readouterr().out).keys() == {1}
    assert not list(tmp_path.iterdir())


def test_a_loss_that_is_not_finite_names_the_samples_and_saves_aside(data, tmp_path, capsys):
    places = ['--saves', tmp_path / 'saves', '--log_root', tmp_path / 'log', '--id', 'x']
    error = refused(capsys, options(data, 2, *places, '-i', 9, '--lr', 1e30))
    assert 'is not finite' in error and 'JPEGImages' in error and '--clip_grad' in error
    aside = list((tmp_path / 'saves' / 'x').iterdir())
    assert len(aside) == 1 and 'nonfinite' in aside[0].name and str(aside[0]) in error


def test_an_unreadable_frame_is_named(data, tmp_path, capsys):
    tree = own_tree(tmp_path / 'own', lengths=(3,))
    for frame in (tree / 'JPEGImages' / 'a').glob('*.jpg'):
        frame.write_bytes(frame.read_bytes()[:700])
    argv = options(data, 2, '-i', 2, '--num_workers', 1)
    argv[argv.index('--davis_root')], argv[argv.index(str(data / 'DAVIS'))] = '--vos_root', tree
    error = refused(capsys, argv)
    assert str(tree / 'JPEGImages' / 'a') in error and 'cannot be read' in error


@pytest.mark.parametrize(
    'more, words',
    [
        (['--iterations', '0'], '--iterations 0: must be at least 1'),
        (['--crop', '100'], '--crop 100: must be a multiple of 16'),
        (['--validate', 'nowhere'], 'nowhere/trainval: no such folder'),
        (['--lr', '-1'], '--lr -1.0: must be greater than 0'),
        (['--id', '../x'], '--id ../x: must be'),
        (['--davis_root', 'nowhere'], 'nowhere/2017/trainval: no such folder'),
        (['--load_network', 'gone.pth'], 'gone.pth: no such checkpoint'),
        (['--load_model', 'gone.pth'], 'gone.pth: no such checkpoint'),
        (['--pretrained', 'gone.pth'], 'gone.pth: no such checkpoint'),
        (['--load_network', 'a', '--load_model', 'b'], 'give only one of them'),
        (['--ema', '1'], '--ema 1.0: must lie between 0 and 1'),
        (['--paste', 'gone'], 'gone: no such folder'),
        (['--stage', '1', '--yv_list', 'list.txt'], '--yv_list: for stage 2 only'),
    ],
)
def test_mistakes_are_reported_in_one_line(data, capsys, more, words):
    assert words in refused(capsys, options(data, 2, *more))


def test_a_stopped_training_leaves_a_checkpoint(data, tmp_path):
    places = ['--saves', tmp_path / 'saves', '--log_root', tmp_path / 'log', '--id', 'x']
    argv = [sys.executable, ROOT / 'train.py', *options(data, 2, *places, '-i', 500, '--debug')]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in process.stdout:
        if line.startswith('iteration 2:'):
            break
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate()
    assert process.returncode == 130 and errors.endswith('error: interrupted\n')
    state = weights_of(tmp_path / 'saves' / 'x' / 'x_checkpoint.pth')
    assert 2 <= state['iteration'] < 500


def test_a_training_is_neither_overwritten_nor_mixed_with_another(data, tmp_path, capsys):
    saves = run(data, tmp_path, '-i', 1)
    places = ['--saves', tmp_path / 'saves', '--log_root', tmp_path / 'log', '--id', 'x']
    assert 'holds a training with this --id' in refused(capsys, options(data, 2, *places, '-i', 2))
    resume = ['--load_model', saves / 'x_checkpoint.pth']
    assert 'already complete (1 iterations); raise --iterations' in refused(
        capsys, options(data, 2, *places, *resume, '-i', 1)
    )
    assert 'is from stage 2; start stage 1 from its network' in refused(
        capsys, options(data, 1, *places, *resume, '-i', 2)
    )
    run(data, tmp_path, *resume, '-i', 2, '--lr', 1)
    printed = capsys.readouterr().out
    assert 'warning: --lr was 1e-05, now 1.0; 1e-05 remains in effect' in printed


def test_a_checkpoint_of_the_four_published_entries_can_be_resumed(data, tmp_path, capsys):
    path = run(data, tmp_path, '-i', 1) / 'x_checkpoint.pth'
    state = weights_of(path)
    names = ('iteration', 'network', 'optimizer', 'scheduler')
    torch.save({name: state[name] for name in names}, path)
    run(data, tmp_path, '-i', 2, '--load_model', path)
    printed = capsys.readouterr().out
    assert 'resuming after iteration 1' in printed and 'warning:' not in printed


def test_training_cannot_resume_from_a_network_file(data, checkpoint, capsys):
    error = refused(capsys, options(data, 2, '--load_model', checkpoint))
    assert 'load a network file with --load_network' in error
