"""scripts/resize_static.py and scripts/resize_youtube.py."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

from scripts import resize_static, resize_youtube
from tests.helpers.folders import files_in, names_in
from tests.helpers.loopback import refused
from tests.helpers.processes import hear_ctrl_c
from tests.helpers.training_trees import own_tree, write_pair
from util.masks import DAVIS_PALETTE, load_mask

SMALL = ['--short_side', '20', '--num_workers', '2']  # the frames are 56 x 40
ROOT = Path(__file__).parents[2]


def run(module, *words):
    module.main([str(word) for word in (*words, *SMALL)])


def test_videos_are_made_smaller_with_their_ids_and_palette(tmp_path, capsys):
    source = own_tree(tmp_path / 'train')
    (source / 'meta.json').write_text('{}')
    run(resize_youtube, source)
    target = tmp_path / 'train_20p'
    names = {name for name in files_in(source) if 'DS_Store' not in name}
    assert set(files_in(target)) == names
    assert (target / 'meta.json').read_text() == '{}'
    for path in target.glob('JPEGImages/*/*.jpg'):
        with Image.open(source / path.relative_to(target)) as before, Image.open(path) as after:
            expected = before.resize((28, 20), Image.Resampling.BICUBIC)
            assert after.size == (28, 20)
            # compare brightness only: JPEG stores colours at a quarter of the resolution
            pair = [np.asarray(image.convert('L'), int) for image in (expected, after)]
            assert np.abs(pair[0] - pair[1]).mean() < 2
    for mask in target.glob('Annotations/*/*.png'):
        with Image.open(mask) as image:
            assert image.mode == 'P' and bytes(image.getpalette()) == DAVIS_PALETTE.tobytes()
        np.testing.assert_array_equal(
            load_mask(mask), load_mask(source / mask.relative_to(target))[1::2, 1::2]
        )
    assert names_in(tmp_path) == {'train', 'train_20p'}
    assert capsys.readouterr().out == f'{target}: {len(names)} files, short side 20\n'


def test_static_images_keep_their_names_and_modes(tmp_path):
    for stem in ('a', 'b'):
        write_pair(tmp_path / 'HRSOD' / 'class', stem)
    run(resize_static, tmp_path / 'HRSOD')
    for stem in ('a', 'b'):
        pair = tmp_path / 'HRSOD_small' / 'class' / stem
        with Image.open(f'{pair}.jpg') as image, Image.open(f'{pair}.png') as mask:
            assert (image.size, image.mode) == ((28, 20), 'RGB')
            assert (mask.size, mask.mode) == ((28, 20), 'L')
            assert set(np.unique(mask)) == {0, 255}


def test_nothing_is_made_larger(tmp_path):
    write_pair(tmp_path / 'in', 'a')
    resize_static.main([str(tmp_path / 'in'), str(tmp_path / 'out'), '--num_workers', '1'])
    assert files_in(tmp_path / 'out') == files_in(tmp_path / 'in')


def test_two_workers_write_what_one_does(tmp_path):
    source = own_tree(tmp_path / 'train')
    for number in (1, 2):
        words = [source, tmp_path / f'{number}', '--short_side', 20, '--num_workers', number]
        resize_youtube.main([str(word) for word in words])
    assert files_in(tmp_path / '1') == files_in(tmp_path / '2')


def test_a_damaged_image_is_named_and_finished_files_are_kept(tmp_path, capsys):
    source, target = own_tree(tmp_path / 'train'), tmp_path / 'train_20p'
    damaged = source / 'JPEGImages' / 'c' / '00003.jpg'
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-300])
    error = refused(capsys, resize_youtube.main, source, *SMALL)
    assert error.startswith(f'error: {damaged}: cannot be read as an image')
    assert names_in(tmp_path) == {'train', '.train_20p.20.part'}
    aside = tmp_path / '.train_20p.20.part'
    done = [path for path in aside.rglob('*.png') if not path.name.startswith('.')]
    times = {path.relative_to(aside): path.stat().st_mtime_ns for path in done}
    assert times
    damaged.write_bytes(whole)
    run(resize_youtube, source)
    assert names_in(tmp_path) == {'train', 'train_20p'}
    for file, written in times.items():
        assert (target / file).stat().st_mtime_ns == written, 'not written again'


def test_files_that_changed_since_an_interruption_are_written_again(tmp_path):
    source, aside = own_tree(tmp_path / 'train'), tmp_path / '.train_20p.20.part'
    file = Path('Annotations', 'a', '00000.png')
    (aside / file).parent.mkdir(parents=True)
    (aside / file).write_bytes(b'made from an older source')
    os.utime(aside / file, (0, 0))
    run(resize_youtube, source)
    load_mask(tmp_path / 'train_20p' / file)


def test_a_killed_run_leaves_no_partial_file_and_can_be_resumed(tmp_path):
    source, target = own_tree(tmp_path / 'train', lengths=(200, 200)), tmp_path / 'train_20p'
    aside = tmp_path / '.train_20p.20.part'
    process = subprocess.Popen(
        [sys.executable, resize_youtube.__file__, source, *SMALL],
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=hear_ctrl_c,
    )
    deadline = time.monotonic() + 60
    while not any(aside.glob('*/*/[!.]*')):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.001)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not target.exists()
    for path in aside.glob('*/*/[!.]*'):
        Image.open(path).load()
    run(resize_youtube, source)
    run(resize_youtube, source, tmp_path / 'undisturbed')
    assert files_in(target) == files_in(tmp_path / 'undisturbed')


def test_a_complete_target_is_not_written_again(tmp_path, capsys):
    source = own_tree(tmp_path / 'train')
    run(resize_youtube, source)
    capsys.readouterr()
    run(resize_youtube, source)
    assert capsys.readouterr().out == f'{tmp_path / "train_20p"}: already complete\n'
    (tmp_path / 'train_20p' / 'JPEGImages' / 'a' / '00000.jpg').unlink()
    error = refused(capsys, resize_youtube.main, source, *SMALL)
    assert 'train_20p: exists, but lacks JPEGImages/a/00000.jpg of' in error
    assert '(1 such files); move it away' in error


def test_a_mistake_is_one_sentence(tmp_path, capsys):
    source = own_tree(tmp_path / 'train')
    for module, words, sentence in (
        (resize_youtube, [tmp_path / 'gone'], 'no such folder'),
        (resize_youtube, [source / 'JPEGImages'], 'no such folder; a tree has JPEGImages/'),
        (resize_static, [tmp_path / 'gone'], 'no such folder'),
        (resize_static, [source / 'Annotations'], 'no images (.jpg, .jpeg) in it'),
        (resize_static, [source, source], 'lies inside'),
        (resize_static, [source, source / 'small'], 'lies inside'),
        (resize_static, [source, '--short_side', '0'], '--short_side 0: must be at least 1'),
        (resize_static, [source, '--num_workers', '0'], '--num_workers 0: must be at least 1'),
    ):
        assert sentence in refused(capsys, module.main, *words)
    assert names_in(tmp_path) == {'train'}
