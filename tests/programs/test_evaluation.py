"""The three benchmark programs on small trees: masks, scores, archives, resuming and faults."""

import json
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

import eval_davis
import eval_davis_2016
import eval_youtube
import inference_core
from dataset.benchmarks import youtube_vos
from scripts.benchmarks import reference
from tests.helpers import benchmark_trees
from tests.helpers.coarse_network import SizeRecorder
from tests.helpers.processes import wait_until
from tests.helpers.propagate_runs import ANY_FILE
from util.images import read_image
from util.masks import DAVIS_PALETTE, load_mask, save_mask

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(prepared, checkpoint, tmp_path, monkeypatch):
    """A function that runs a program with the stand-in network, and returns its output folder."""
    monkeypatch.setattr(inference_core, 'load_network', lambda *a, **k: prepared)

    def run(program, *argv, output='out'):
        options = ['--model', checkpoint, '--device', 'cpu', '--output', tmp_path / output]
        program.main([str(word) for word in (*argv, *options)])
        return tmp_path / output

    return run


def error_line(run, capsys, *argv, **options):
    """The one line on stderr of a run that must end with exit code 2."""
    with pytest.raises(SystemExit) as stop:
        run(*argv, **options)
    assert stop.value.code == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith('error:')]
    assert len(lines) == 1
    return lines[0]


def images_of(folder):
    frames = [read_image(path) for path in sorted(folder.glob('*.jpg'))]
    return torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2).float() / 255


def reference_masks(network, images, annotations, size=None, **options):
    """Masks by the reference implementation, from the first annotated frame on."""
    ids, probs = reference.propagate(network, images, annotations, **options)
    masks = []
    for prob in probs:
        if size:
            prob = F.interpolate(prob[None], size, mode='bilinear', align_corners=False)[0]
        masks.append(np.array([0, *ids])[prob.argmax(0)])
    return masks


def assert_same_masks(folder, names, expected):
    assert sorted(path.name for path in folder.iterdir()) == [f'{name}.png' for name in names]
    for name, mask in zip(names, expected, strict=True):
        same = (load_mask(folder / f'{name}.png') == mask).mean()
        assert same >= 0.999, f'{folder / name}: {same}'


def files_of(folder):
    """The bytes of every mask below a folder, by its relative path."""
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob('*.png')}


@pytest.mark.parametrize(
    'flags, options',
    [([], {}), (['--no_top', '--mem_every', '2'], {'top_k': None, 'mem_every': 2})],
)
def test_davis_2017_equals_the_reference_implementation(
    run, network, tmp_path, capsys, flags, options
):
    tree = benchmark_trees.davis_2017(tmp_path / '2017')
    output = run(eval_davis, '--davis', tree, *flags)
    for name, length in zip('abc', (5, 6, 4), strict=True):
        masks = tree / 'trainval' / 'Annotations' / '480p' / name
        images = images_of(tree / 'trainval' / 'JPEGImages' / '480p' / name)
        first = load_mask(masks / '00000.png')
        names = [f'{number:05}' for number in range(length)]
        expected = reference_masks(network, images, {0: first}, **options)
        assert_same_masks(output / name, names, expected)
    mask = Image.open(output / 'a' / '00002.png')
    assert mask.mode == 'P' and mask.getpalette()[:768] == DAVIS_PALETTE.flatten().tolist()
    assert {'00000', '4'} & set(capsys.readouterr().out.split()) == {'4'}, (
        'scores are listed by the ids of the masks'
    )


def test_masks_keep_the_palette_of_the_dataset(run, tmp_path):
    tree = benchmark_trees.davis_2017(tmp_path / '2017', lengths=(3,))
    first = tree / 'trainval' / 'Annotations' / '480p' / 'a' / '00000.png'
    palette = np.random.default_rng(0).integers(0, 256, 30).tolist()
    with Image.open(first) as mask:
        mask.putpalette(palette)
        mask.save(first)
    output = run(eval_davis, '--davis', tree)
    with Image.open(output / 'a' / '00001.png') as mask:
        assert mask.mode == 'P'
        assert mask.getpalette()[:30] == palette
        assert mask.getpalette()[30:33] == DAVIS_PALETTE[10].tolist(), 'the rest is filled up'


def test_an_object_that_the_first_mask_of_davis_lacks_starts_late(run, network, tmp_path, capsys):
    tree = benchmark_trees.davis_2017(tmp_path / '2017', lengths=(6,))
    folder = tree / 'trainval' / 'Annotations' / '480p' / 'a'
    masks = [load_mask(path) for path in sorted(folder.glob('0*.png'))]
    for number in (0, 1):  # object 4 appears in frame 2
        masks[number] = masks[number] * (masks[number] == 1)
        save_mask(folder / f'{number:05}.png', masks[number])
    output = run(eval_davis, '--davis', tree)
    out = capsys.readouterr().out
    assert out.count('a: object 4 is missing from the first mask; it starts at frame 00002') == 1
    images = images_of(tree / 'trainval' / 'JPEGImages' / '480p' / 'a')
    given = {0: masks[0], 2: masks[2] * (masks[2] == 4)}
    expected = reference_masks(network, images, given)
    assert_same_masks(output / 'a', [f'{number:05}' for number in range(6)], expected)
    report = json.loads((output / 'run.json').read_text())
    assert len(report['videos_computed']['a']['notes']) == 1


def test_the_default_output_is_named_after_the_split_and_others_are_as_given(
    run, tmp_path, monkeypatch
):
    tree = benchmark_trees.davis_2017(tmp_path / '2017', lengths=(3,))
    assert run(eval_davis, '--davis', tree, output='SPLIT').name == 'SPLIT'
    assert (tmp_path / 'SPLIT' / 'scores.csv').exists()
    monkeypatch.chdir(tmp_path)
    eval_davis.main(
        ['--davis', str(tree), '--device', 'cpu', '--model', str(tmp_path / 'SPLIT' / 'run.json')]
    )
    assert (tmp_path / 'output' / 'davis_2017_val' / 'scores.csv').exists()


def test_any_colour_in_davis_2016_is_foreground(run, tmp_path):
    tree = benchmark_trees.davis_2016(tmp_path, own=True)
    before = run(eval_davis_2016, '--davis', tree)
    scores = (before / 'scores.csv').read_text()
    for path in (tree / 'Annotations').rglob('*.png'):
        with Image.open(path) as mask:
            mask.convert('RGB').save(path)
    after = run(eval_davis_2016, '--davis', tree, output='after')
    assert (after / 'scores.csv').read_text() == scores
    assert files_of(after) == files_of(before)


def test_kernelized_memory_equals_the_reference_implementation(run, network, tmp_path):
    tree = benchmark_trees.davis_2017(tmp_path / '2017', lengths=(4,))
    output = run(eval_davis, '--davis', tree, '--use_km', '--top_k', '20')
    images = images_of(tree / 'trainval' / 'JPEGImages' / '480p' / 'a')
    first = load_mask(tree / 'trainval' / 'Annotations' / '480p' / 'a' / '00000.png')
    expected = reference_masks(network, images, {0: first}, sigma=5.6, top_k=20)
    assert_same_masks(output / 'a', [f'{number:05}' for number in range(4)], expected)


def test_test_dev_needs_only_first_masks_and_makes_an_archive(run, tmp_path, capsys):
    tree = benchmark_trees.davis_2017(tmp_path / '2017', split='testdev')
    output = run(eval_davis, '--davis', tree, '--split', 'testdev', '--zip')
    assert not (output / 'scores.csv').exists()
    names = zipfile.ZipFile(tmp_path / 'out.zip').namelist()
    assert len(names) == 15 and 'b/00005.png' in names


@pytest.mark.parametrize('own', [True, False])
def test_davis_2016_is_foreground_against_background(run, network, tmp_path, own):
    tree = benchmark_trees.davis_2016(tmp_path, own=own)
    output = run(eval_davis_2016, '--davis', tree)
    image_tree = tree if own else tmp_path / '2017' / 'trainval'
    for name in 'ab':
        first = load_mask(tree / 'Annotations' / '480p' / name / '00000.png') > 0
        images = images_of(image_tree / 'JPEGImages' / '480p' / name)
        expected = reference_masks(network, images, {0: first.astype(np.uint8)})
        names = [f'{number:05}' for number in range(4)]
        assert_same_masks(output / name, names, [255 * mask for mask in expected])
    with Image.open(output / 'a' / '00001.png') as mask:
        assert mask.mode == 'L'
    assert json.loads((output / 'scores.json').read_text())['rows'][0]['object'] == 1


def test_youtube_vos_equals_the_reference_implementation(run, network, tmp_path, monkeypatch):
    """With late objects, gaps in ids, scaling without antialiasing, and output at original size."""
    monkeypatch.setattr('dataset.benchmarks.SHORT_SIDE', 64)
    tree = benchmark_trees.youtube(tmp_path / 'YouTube')
    output = run(eval_youtube, '--yv', tree, '--zip')
    every = tree / 'all_frames' / 'valid_all_frames' / 'JPEGImages'
    names = [f'{number:05}' for number in range(1, 8)]  # no masks before the first annotation
    for name, annotated in (('x', (1, 6)), ('y', (1,))):
        images = F.interpolate(images_of(every / name), (64, 85), mode='bicubic')
        given = {t: tree / 'valid' / 'Annotations' / name / f'{t:05}.png' for t in annotated}
        given = {
            t: F.interpolate(torch.from_numpy(load_mask(p))[None, None], (64, 85))[0, 0]
            for t, p in given.items()
        }
        assert_same_masks(output / name, names, reference_masks(network, images, given, (45, 60)))
    assert set(np.unique(load_mask(output / 'x' / '00006.png'))) <= {0, 2, 3}
    assert sorted(zipfile.ZipFile(tmp_path / 'out.zip').namelist()) == [
        f'Annotations/{name}/{frame}.png' for name in 'xy' for frame in ('00001', '00006')
    ]


@pytest.mark.parametrize(
    'best, flags, expected',
    [
        (None, [], {'DAVIS': (48, 64), 'YouTube': (480, 640)}),
        (16, [], {'DAVIS': (16, 32), 'YouTube': (16, 32)}),
        (16, ['--size', '32'], {'DAVIS': (32, 48), 'YouTube': (32, 48)}),
        (None, ['--size', '32'], {'DAVIS': (32, 48), 'YouTube': (32, 48)}),
        (16, ['--size', '-1'], {'DAVIS': (48, 64), 'YouTube': (48, 64)}),
    ],
)
def test_the_network_gets_size_or_the_short_side_of_its_checkpoint_or_the_size_of_the_benchmark(
    tmp_path, monkeypatch, best, flags, expected
):
    """YouTube's frames are 60 x 45 here; sizes include padding to multiples of 16."""
    davis = benchmark_trees.davis_2017(tmp_path / '2017', lengths=(3,))
    davis_2016 = benchmark_trees.davis_2016(tmp_path, own=True)
    youtube = benchmark_trees.youtube(tmp_path / 'YouTube')
    runs = [
        (eval_davis, '--davis', davis, 'DAVIS'),
        (eval_davis_2016, '--davis', davis_2016, 'DAVIS'),
        (eval_youtube, '--yv', youtube, 'YouTube'),
    ]
    for number, (program, option, tree, benchmark) in enumerate(runs):
        network = SizeRecorder()
        network.short_side = best
        monkeypatch.setattr(
            inference_core, 'load_network', lambda *_, network=network, **__: network
        )
        output = tmp_path / f'out {number}'
        words = [option, tree, '--model', ANY_FILE, '--device', 'cpu', '--output', output, *flags]
        program.main([str(word) for word in words])
        assert network.sizes == {expected[benchmark]}, program.__name__
        stated = int(flags[1]) if flags else best
        assert json.loads((output / 'run.json').read_text())['settings']['size'] == stated
        for mask in output.rglob('*.png'):
            assert load_mask(mask).shape == ((48, 64) if benchmark == 'DAVIS' else (45, 60))


def test_meta_json_says_which_frames_are_required(tmp_path):
    tree = benchmark_trees.youtube(tmp_path / 'YouTube')
    objects = {'3': {'frames': ['00001', '00006']}, '2': {'frames': ['00006']}}
    meta = {'videos': {'x': {'objects': objects}, 'y': {'objects': {'3': {'frames': ['00006']}}}}}
    (tree / 'valid' / 'meta.json').write_text(json.dumps(meta))
    x, y = youtube_vos(tree)
    assert x.required == ['00001', '00006'] and y.required == ['00006']


def test_run_json_holds_speed_memory_settings_and_scores(run, tmp_path):
    tree = benchmark_trees.davis_2017(tmp_path / '2017', lengths=(3, 4))
    report = json.loads((run(eval_davis, '--davis', tree) / 'run.json').read_text())
    assert report['complete'] and report['frames_computed'] == 7
    assert report['fps_model'] > report['fps_end_to_end'] > 0
    assert report['settings']['top_k'] == 50 and len(report['settings']['model sha256']) == 64
    assert report['versions']['torch'] == torch.__version__
    assert report['scores'].keys() == {'J&F', 'J', 'F'} and report['peak_memory_mib'][0]['host']


def test_resume_skips_finished_videos_and_says_how_many(run, tmp_path, capsys):
    tree = benchmark_trees.davis_2017(tmp_path / '2017', lengths=(3, 3, 3))
    output = run(eval_davis, '--davis', tree, '--videos', 'a', 'c')
    assert not (output / 'b').exists()
    kept = (output / 'a' / '00001.png').stat().st_mtime_ns
    run(eval_davis, '--davis', tree, '--resume')
    assert '2 of 3 videos are already finished' in capsys.readouterr().out
    assert (output / 'a' / '00001.png').stat().st_mtime_ns == kept
    assert json.loads((output / 'run.json').read_text())['frames_computed'] == 3


def test_results_of_different_settings_are_never_mixed(run, tmp_path, capsys):
    tree = benchmark_trees.davis_2017(tmp_path / '2017', lengths=(3, 3))
    output = run(eval_davis, '--davis', tree)
    before = files_of(output)
    for options in (['--resume'], ['--videos', 'b']):
        error = error_line(run, capsys, eval_davis, '--davis', tree, *options, '--top_k', '20')
        assert 'top_k was 50, now 20' in error and '--output' in error
    benchmark_trees.davis_2016(tmp_path, own=True)
    error = error_line(run, capsys, eval_davis_2016, '--davis', tmp_path / '2016', '--resume')
    assert 'benchmark was DAVIS 2017' in error
    assert files_of(output) == before
    run(eval_davis, '--davis', tree, '--top_k', '20')
    report = json.loads((output / 'run.json').read_text())
    assert report['settings']['top_k'] == 20 and report['frames_computed'] == 6


def test_running_some_videos_replaces_only_these(run, tmp_path):
    tree = benchmark_trees.davis_2017(tmp_path / '2017', lengths=(3, 3))
    output = run(eval_davis, '--davis', tree)
    kept = (output / 'a' / '00001.png').stat().st_mtime_ns
    run(eval_davis, '--davis', tree, '--videos', 'b')
    assert (output / 'a' / '00001.png').stat().st_mtime_ns == kept


def test_a_run_json_by_another_program_is_left_alone(run, tmp_path, capsys):
    tree = benchmark_trees.davis_2017(tmp_path / '2017', lengths=(3,))
    (tmp_path / 'out').mkdir()
    for content in ('{"frames": 3}', 'trunc'):
        (tmp_path / 'out' / 'run.json').write_text(content)
        error = error_line(run, capsys, eval_davis, '--davis', tree)
        assert 'was not written by this program' in error
        assert (tmp_path / 'out' / 'run.json').read_text() == content


def test_unreadable_ground_truth_only_affects_the_scores_of_its_video(run, tmp_path, capsys):
    tree = benchmark_trees.davis_2017(tmp_path / '2017', lengths=(3, 4))
    mask = tree / 'trainval' / 'Annotations' / '480p' / 'b' / '00002.png'
    mask.write_bytes(mask.read_bytes()[:60])
    error = error_line(run, capsys, eval_davis, '--davis', tree)
    assert '1 of 2 videos failed' in error and 'b/00002.png' in error
    rows = json.loads((tmp_path / 'out' / 'scores.json').read_text())['rows']
    assert {row['video'] for row in rows} == {'a'}


def test_some_videos_alone_cannot_be_submitted(run, tmp_path, capsys):
    tree = benchmark_trees.davis_2017(tmp_path / '2017', split='testdev', lengths=(3, 3))
    options = ['--davis', tree, '--split', 'testdev', '--zip', '--videos', 'a']
    assert '--zip with --videos' in error_line(run, capsys, eval_davis, *options)
    assert not (tmp_path / 'out.zip').exists()


def test_folders_that_the_program_did_not_write_are_left_alone(run, tmp_path, capsys):
    tree = benchmark_trees.davis_2017(tmp_path / '2017', lengths=(3, 3))
    before = files_of(tree)
    annotations = tree / 'trainval' / 'Annotations' / '480p'
    error = error_line(run, capsys, eval_davis, '--davis', tree, output=annotations)
    assert 'was not written by this program' in error
    assert files_of(tree) == before and not (annotations / 'run.json').exists()


def test_a_corrupt_frame_only_affects_its_video(run, tmp_path, capsys):
    tree = benchmark_trees.davis_2017(tmp_path / '2017')
    frame = tree / 'trainval' / 'JPEGImages' / '480p' / 'b' / '00003.jpg'
    frame.write_bytes(frame.read_bytes()[:1200])
    error = error_line(run, capsys, eval_davis, '--davis', tree)
    assert '1 of 3 videos failed' in error and 'b/00003.jpg' in error
    output = tmp_path / 'out'
    folders = {path.name for path in output.iterdir() if path.is_dir()}
    assert folders == {'a', 'c'} and len(list((output / 'c').iterdir())) == 4
    report = json.loads((output / 'run.json').read_text())
    assert not report['complete'] and 'b/00003.jpg' in report['videos_computed']['b']['error']


def remove(path):
    def spoil(tree):
        (tree / path).unlink()

    return spoil


def remove_mask_of_first_frame(tree):
    for path in (tree / 'trainval' / 'Annotations' / '480p' / 'a').iterdir():
        path.unlink()


@pytest.mark.parametrize(
    'spoil, words',
    [
        (lambda tree: tree.rename(tree.parent / 'moved'), ['2017/trainval: no such folder']),
        (remove('trainval/ImageSets/2017/val.txt'), ['val.txt: no such file']),
        (remove('trainval/JPEGImages/480p/b/00002.jpg'), ['480p/b: frame 00002 is missing']),
        (remove('trainval/Annotations/480p/c/00001.png'), ['480p/c: 00001 is missing']),
        (remove_mask_of_first_frame, ['480p/a: has no mask for the first frame 00000']),
    ],
)
def test_an_incomplete_tree_is_reported_before_anything_is_done(
    run, tmp_path, capsys, spoil, words
):
    tree = benchmark_trees.davis_2017(tmp_path / '2017')
    spoil(tree)
    error = error_line(run, capsys, eval_davis, '--davis', tree)
    assert all(word in error for word in words), error
    assert not (tmp_path / 'out').exists()


def test_unknown_videos_and_options_are_refused(run, tmp_path, capsys):
    tree = benchmark_trees.davis_2017(tmp_path / '2017', lengths=(3,))
    assert '--videos q' in error_line(run, capsys, eval_davis, '--davis', tree, '--videos', 'q')
    assert '--num_workers 0' in error_line(
        run, capsys, eval_davis, '--davis', tree, '--num_workers', '0'
    )
    assert 'no such folder' in error_line(run, capsys, eval_youtube, '--yv', tmp_path / 'none')


def command(*argv, processes=0):
    """A command line of eval_davis.py, under torchrun if there is a number of processes."""
    launcher = ['-m', 'torch.distributed.run', '--standalone', f'--nproc_per_node={processes}']
    return [sys.executable, *(launcher if processes else []), ROOT / 'eval_davis.py', *argv]


def test_two_processes_give_the_files_of_one_and_a_killed_run_resumes(run, tmp_path, checkpoint):
    tree = benchmark_trees.davis_2017(tmp_path / '2017', lengths=(30, 4, 4))
    expected = run(eval_davis, '--davis', tree)
    options = ['--davis', tree, '--model', checkpoint, '--device', 'cpu', '--output']

    two = command(*options, tmp_path / 'two', processes=2)
    subprocess.run(two, check=True, capture_output=True, timeout=300)
    assert files_of(tmp_path / 'two') == files_of(expected)
    scores = (tmp_path / 'two' / 'scores.json').read_text()
    assert scores == (expected / 'scores.json').read_text()
    assert json.loads((tmp_path / 'two' / 'run.json').read_text())['processes'] == 2

    output = tmp_path / 'killed'
    killed = subprocess.Popen(command(*options, output), stderr=subprocess.DEVNULL)
    wait_until(lambda: len(list(output.glob('.*.part/*.png'))) > 3, killed)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert not (output / 'a').exists(), 'the folder of a video appears when it is complete'
    run(eval_davis, '--davis', tree, '--resume', output='killed')
    assert files_of(output) == files_of(expected)
    assert not list(output.glob('.*'))
