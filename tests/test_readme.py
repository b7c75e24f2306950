"""Every command and every line of Python in the README runs."""

import importlib
import re
import shlex
from pathlib import Path

import av
import pytest

from tests import stand_in, trees
from tests.conftest import write_clip

ROOT = Path(__file__).parent.parent
README = (ROOT / 'README.md').read_text()


def blocks(language):
    return re.findall(rf'```{language}\n(.*?)```', README, re.DOTALL)


COMMANDS = [line for block in blocks('sh') for line in block.splitlines() if line.strip()]
PROPAGATE = [line for line in COMMANDS if line.startswith('python propagate.py')]
BENCHMARKS = [line for line in COMMANDS if ' eval_' in line or 'score.py' in line]


@pytest.fixture
def workplace(tmp_path, monkeypatch, checkpoint):
    """A folder with the files that the README's examples name."""
    images, masks = stand_in.clip(3, 48, 64)
    clip = write_clip(tmp_path / 'clip', images, masks)
    (clip / 'images').rename(tmp_path / 'frames')
    (clip / 'masks').rename(tmp_path / 'masks')
    (tmp_path / 'mask.png').write_bytes((tmp_path / 'masks' / '00000.png').read_bytes())
    with av.open(str(tmp_path / 'video.mp4'), 'w') as container:
        stream = container.add_stream('libx264', rate=24)
        stream.width, stream.height, stream.pix_fmt = 64, 48, 'yuv420p'
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format='rgb24')))
        container.mux(stream.encode())
    (tmp_path / 'saves').mkdir()
    (tmp_path / 'saves' / 'propagation_model.pth').symlink_to(checkpoint)
    (tmp_path / 'masks_out').mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_command_is_one_that_is_tried():
    tried = {*PROPAGATE, *BENCHMARKS}
    rest = [line.split('#')[0].strip() for line in COMMANDS if line not in tried]
    assert rest == ['make demo', 'make test'], 'CI runs these two'


@pytest.mark.parametrize('command', PROPAGATE)
def test_propagate_commands_run(workplace, checkpoint, command):
    import propagate

    argv = shlex.split(command)[2:]
    propagate.main([*argv, '--model', str(checkpoint), '--size', '48', '--device', 'cpu'])
    masks = Path(argv[argv.index('--output') + 1]) / 'masks'
    assert len(list(masks.iterdir())) == 3


def test_benchmark_commands_run(tmp_path, monkeypatch, network):
    trees.davis_2017(tmp_path / 'DAVIS' / '2017', lengths=(3, 4))
    trees.davis_2017(tmp_path / 'DAVIS' / '2017', split='testdev', lengths=(3,))
    trees.davis_2016(tmp_path / 'DAVIS', own=True)
    trees.youtube(tmp_path / 'YouTube')
    (tmp_path / 'project').mkdir()
    monkeypatch.chdir(tmp_path / 'project')
    monkeypatch.setattr('dataset.benchmarks.SHORT_SIDE', 48)
    monkeypatch.setattr('inference_core.load_network', lambda *a, **k: network)
    checkpoint = ROOT / 'README.md'  # any file: only its hash is taken
    for command in BENCHMARKS:
        program, *argv = shlex.split(
            command.partition('.py')[0].split()[-1] + command.partition('.py')[2]
        )
        module = importlib.import_module(program.replace('/', '.'))
        options = [] if program.endswith('score') else ['--model', str(checkpoint)]
        module.main([*argv, *options])
    assert {path.name for path in Path('output').iterdir()} == {
        'davis_2017', 'davis_2016', 'testdev', 'testdev.zip', 'youtube', 'youtube.zip',
    }  # fmt: skip
    assert Path('output/davis_2017/scores.csv').exists()


def test_the_python_of_the_first_screen_runs(workplace):
    (code,) = blocks('python')
    assert len(code.split('\n\n')[1].splitlines()) == 5, 'the README promises five lines'
    exec(compile(code, 'README.md', 'exec'), {})
    assert len(list((workplace / 'masks_out').iterdir())) == 3


def test_commands_of_the_table_exist():
    for script in re.findall(r'^\| `([\w/]+\.py)`', README, re.MULTILINE):
        assert (ROOT / script).exists(), script
