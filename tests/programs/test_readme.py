"""The README and its three further pages: commands and Python run, links lead somewhere."""

import importlib
import re
import shlex
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from dataset.stages import STATIC_SETS
from scripts import make_demo_clip
from tests.helpers import benchmark_trees, downloads, loopback, stand_in
from tests.helpers.clips import write_clip
from tests.helpers.coarse_network import CoarseNetwork
from tests.helpers.training_trees import own_tree, write_pair
from util.download.catalogue import DATASETS
from util.masks import load_mask

ROOT = Path(__file__).parents[2]
README = ROOT / 'README.md'
PAGES = (README, *(ROOT / folder / 'README.md' for folder in ('dataset', 'saves', 'scripts')))


def blocks(language):
    """The code blocks in this language, page by page."""
    fenced = re.compile(rf'^```{language}\n(.*?)^```', re.DOTALL | re.MULTILINE)
    return [block for page in PAGES for block in fenced.findall(page.read_text())]


LINK = re.compile(r'\]\(([^)\s]+)\)')
COMMANDS = [line for block in blocks('sh') for line in block.splitlines() if line.strip()]
PROPAGATE = [line for line in COMMANDS if line.startswith('python propagate.py')]
TRAINING = [line for line in COMMANDS if ' train.py' in line or 'check_dataset.py' in line]
BASELINES = [line for line in COMMANDS if 'baselines.py' in line]
INTERACTION = [line for line in COMMANDS if 'interaction.py' in line]
MATCHING = [line for line in COMMANDS if 'correspondence' in line]
SPEED = [line for line in COMMANDS if 'benchmark.py' in line and line not in MATCHING]
DOWNLOADS = [line for line in COMMANDS if ' download_' in line or 'resize_' in line]
BENCHMARKS = [line for line in COMMANDS if ' eval_' in line or 'score.py' in line]


@pytest.fixture
def workplace(tmp_path, monkeypatch, checkpoint):
    """A folder with the files that the examples name."""
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
    for name in ('propagation_model', 'from_scratch'):
        (tmp_path / 'saves' / f'{name}.pth').symlink_to(checkpoint)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_command_is_one_that_is_tried():
    tried = {*PROPAGATE, *BENCHMARKS, *BASELINES, *TRAINING, *SPEED, *MATCHING, *DOWNLOADS}
    tried |= {*INTERACTION}
    rest = [line.split('#')[0].strip() for line in COMMANDS if line not in tried]
    assert rest == ['make demo', 'make test', 'pip install -r requirements.txt']  # CI runs these


@pytest.mark.parametrize('command', PROPAGATE)
def test_propagate_commands_run(workplace, checkpoint, command):
    import propagate

    argv = shlex.split(command)[2:]
    propagate.main([*argv, '--model', str(checkpoint), '--size', '48', '--device', 'cpu'])
    masks = Path(argv[argv.index('--output') + 1]) / 'masks'
    assert len(list(masks.iterdir())) == 3


def program_of(command):
    """Split a command into the module that it runs and its arguments."""
    before, _, after = command.partition('.py ')
    module = importlib.import_module(before.split()[-1].replace('/', '.'))
    return module, shlex.split(after)


def test_training_commands_run(tmp_path, monkeypatch):
    """One iteration of each, on made-up sets; the checkpoints they name are made first."""
    for name in STATIC_SETS:
        write_pair(tmp_path / 'static' / name, 'x')
    own_tree(tmp_path / 'BL30K')
    benchmark_trees.davis_2017(tmp_path / 'DAVIS' / '2017')
    lists = tmp_path / 'DAVIS' / '2017' / 'trainval' / 'ImageSets' / '2017'
    (lists / 'train.txt').write_text((lists / 'val.txt').read_text())
    own_tree(tmp_path / 'YouTube' / 'train_480p')
    (tmp_path / 'cutouts').mkdir()
    opaque = np.full((20, 20, 4), 255, np.uint8)
    Image.fromarray(np.pad(opaque, ((9, 9), (9, 9), (0, 0)))).save(tmp_path / 'cutouts' / 'x.png')
    project = tmp_path / 'project'
    for name in ('s0/s0_300000', 's01/s01_500000'):
        (project / 'saves' / name).parent.mkdir(parents=True)
        torch.save(stand_in.weights(), project / 'saves' / f'{name}.pth')
    monkeypatch.chdir(project)
    small = '--crop 32 -b 1 --num_workers 0 --device cpu --saves saves --log_root log'
    small += ' --pretrained none --save_every 1 --validate_size 48'
    for command in TRAINING:
        module, argv = program_of(command)
        if module.__name__ == 'train':
            argv += [*small.split(), '-i', '2' if '--load_model' in argv else '1']
        module.main(argv)
    trained = {path.parent.name for path in project.glob('saves/*/*_1.pth')}
    assert trained == {'s0', 's01', 's012', 'own'}
    assert (project / 'saves' / 's012' / 's012_2.pth').exists()


def test_speed_commands_run(capsys):
    for command in SPEED:
        module, argv = program_of(command)
        small = ['--rounds', '1', '--crop', '32', '-b', '1', '--size', '48x64', '--frames', '4']
        module.main([*argv, *small, '--device', 'cpu'])
    printed = capsys.readouterr().out
    assert 'reference / ours' in printed and 'stage 2, ours, samples/s' in printed


def test_correspondence_commands_run(workplace, monkeypatch, capsys):
    """The window itself is tested in tests/util/correspondence/test_window.py."""
    shown = []
    monkeypatch.setattr('util.correspondence.options.check_display', lambda: None)
    monkeypatch.setattr('util.correspondence.run.show', shown.append)
    monkeypatch.setattr('scripts.benchmarks.correspondence.SHORT_SIDE', 64)
    for name, frame in (('left', '00000'), ('right', '00001')):
        (workplace / f'{name}.png').symlink_to(workplace / 'frames' / f'{frame}.png')
    model = ['--model', str(workplace / 'saves' / 'propagation_model.pth'), '--device', 'cpu']
    for command in MATCHING:
        module, argv = program_of(command + ' ')
        size = ['--size', '64'] if module.__name__ == 'try_correspondence' else []
        module.main([*argv, *model, *size])
    assert len(shown) == 1
    assert {path.name for path in workplace.glob('out*')} == {'out.png', 'out.json', 'out_mask.png'}
    assert 'within 1 cells, network' in capsys.readouterr().out


def test_download_commands_run(tmp_path, monkeypatch, checkpoint):
    (tmp_path / 'project').mkdir()
    monkeypatch.chdir(tmp_path / 'project')
    monkeypatch.setenv('NO_PROXY', '*')
    write_pair(tmp_path / 'own_images', 'x')
    with loopback.serving() as site:
        site.add('/mirror/propagation_model.pth', checkpoint.read_bytes())
        content = downloads.make_content(tmp_path / 'content')
        monkeypatch.setattr('download_datasets.DATASETS', downloads.serve(site, content, DATASETS))
        monkeypatch.setattr('download_bl30k.BL30K', downloads.serve_bl30k(site, tmp_path, 'ab'))
        for command in DOWNLOADS:
            module, argv = program_of(command + ' ')
            if module.__name__.startswith('download_'):
                root = 'saves' if module.__name__ == 'download_model' else '..'
                argv += ['--root', root, '--mirror', f'{site.url}/mirror', '--yes']
            module.main(argv)
    for path in ('project/saves/propagation_model.pth', 'own_images_small/x.jpg', 'DAVIS/2016',
                 'YouTube/train_480p/JPEGImages/a', 'BL30K/JPEGImages/b'):  # fmt: skip
        assert (tmp_path / path).exists(), path


def test_benchmark_commands_run(tmp_path, monkeypatch, network):
    benchmark_trees.davis_2017(tmp_path / 'DAVIS' / '2017', lengths=(3, 4))
    benchmark_trees.davis_2017(tmp_path / 'DAVIS' / '2017', split='testdev', lengths=(3,))
    benchmark_trees.davis_2016(tmp_path / 'DAVIS', own=True)
    benchmark_trees.youtube(tmp_path / 'YouTube')
    (tmp_path / 'project').mkdir()
    monkeypatch.chdir(tmp_path / 'project')
    monkeypatch.setattr('dataset.benchmarks.SHORT_SIDE', 48)
    monkeypatch.setattr('inference_core.load_network', lambda *a, **k: network)
    checkpoint = ROOT / 'README.md'  # any file: only its hash is taken
    for command in BENCHMARKS:
        module, argv = program_of(command)
        options = [] if module.__name__ == 'scripts.score' else ['--model', str(checkpoint)]
        module.main([*argv, *options])
    assert {path.name for path in Path('output').iterdir()} == {
        'davis_2017', 'davis_2016', 'testdev', 'testdev.zip', 'youtube', 'youtube.zip',
    }  # fmt: skip
    assert Path('output/davis_2017/scores.csv').exists()


def test_baseline_commands_run(tmp_path, monkeypatch, network, capsys):
    benchmark_trees.davis_2017(tmp_path / 'DAVIS' / '2017', lengths=(3,))
    (tmp_path / 'project').mkdir()
    monkeypatch.chdir(tmp_path / 'project')
    for clip in ('demo/clip', '../bmx-trees'):
        small = ['--num-frames', '3', '--height', '48', '--width', '64']
        make_demo_clip.main(['--output', clip, *small])
    monkeypatch.setattr('inference_core.load_network', lambda *a, **k: network)
    for command in BASELINES:
        module, argv = program_of(command)
        module.main([*argv, '--size', '48', '--device', 'cpu'])
    assert len(BASELINES) == 1 and re.search(r'^clip +\d', capsys.readouterr().out, re.M)


def test_interaction_commands_run(tmp_path, monkeypatch, capsys):
    tree = benchmark_trees.davis_2017(tmp_path / 'DAVIS' / '2017', lengths=(5,)) / 'trainval'
    (name,) = (tree / 'ImageSets' / '2017' / 'val.txt').read_text().split()
    (tree / 'ImageSets' / '2017' / 'train.txt').write_text(name)
    (tmp_path / 'project').mkdir()
    monkeypatch.chdir(tmp_path / 'project')
    for clip in ('../chair', '../bmx-trees'):
        small = ['--num-frames', '5', '--height', '48', '--width', '64']
        make_demo_clip.main(['--output', clip, *small])
    monkeypatch.setattr('inference_core.load_network', lambda *a, **k: CoarseNetwork())
    for command in INTERACTION:
        module, argv = program_of(command)
        module.main([*argv, '--size', '48', '--device', 'cpu'])
    assert len(INTERACTION) >= 3 and capsys.readouterr().out.count('\nmean ') == len(INTERACTION)


def test_the_python_example_runs_and_is_short(workplace, monkeypatch):
    (code,) = blocks('python')
    assert len([line for line in code.splitlines() if line.strip()]) <= 8
    weights = workplace / 'saves' / 'propagation_model.pth'
    monkeypatch.setattr('util.options.PUBLISHED_WEIGHTS', weights)
    exec(compile(code, 'README.md', 'exec'), {})
    masks = [load_mask(path) for path in sorted((workplace / 'masks_out').iterdir())]
    assert [mask.shape for mask in masks] == [(48, 64)] * 3


def test_programs_in_the_tables_exist():
    scripts = [
        script
        for page in PAGES
        for script in re.findall(r'^\| `([\w/]+\.py)`', page.read_text(), re.MULTILINE)
    ]
    assert {'train.py', 'scripts/score.py'} <= set(scripts)
    for script in scripts:
        assert (ROOT / script).exists(), script


def test_the_readme_has_at_most_200_lines_and_begins_with_the_paper():
    lines = README.read_text().splitlines()
    assert len(lines) <= 200
    beginning = ' '.join(lines[:10])
    for words in ('MiVOS', 'Modular Interactive Video Object Segmentation', 'CVPR 2021'):
        assert words in beginning


@pytest.mark.parametrize('page', PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_to_files_and_headings(page):
    links = [link for link in LINK.findall(page.read_text()) if '://' not in link]
    assert links
    for link in links:
        path, _, heading = link.partition('#')
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not heading or heading in anchors(target), link


def anchors(page):
    """The anchors that GitHub gives to the headings of a page."""
    titles = re.findall(r'^#+ (.*)$', page.read_text(), re.MULTILINE)
    return {re.sub(r'[^\w -]', '', title).lower().replace(' ', '-') for title in titles}
