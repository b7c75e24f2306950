"""propagate.py --resume starts again, and says why, if the result would not be the same."""

import zipfile

import numpy as np
import pytest
from PIL import Image

from tests.helpers.clips import draw_masks, make_clip
from tests.helpers.coarse_network import CoarseNetwork
from tests.helpers.folders import names_in
from tests.helpers.propagate_runs import interrupt, report_of, results_of, run

NETWORK = CoarseNetwork()


@pytest.fixture
def clip(tmp_path):
    return make_clip(tmp_path / 'clip', num_frames=10)


def change_pixels(path):
    Image.fromarray(255 - np.array(Image.open(path))).save(path)


def move_mask(path):
    (draw_masks(path.parent / 'other', {3: [1]}) / '00003.png').rename(path)


CHANGES = {  # what changes: (a change to the clip, further options, part of the message)
    'option': (None, ('--top_k', 3), 'top_k was 50, now 3'),
    'input': (lambda clip: change_pixels(clip / 'images' / '00001.png'), (), 'input files was'),
    'mask': (lambda clip: move_mask(clip / 'masks' / '00000.png'), (), 'mask files was'),
    'checkpoint': (lambda clip: (clip / 'model').write_text('new'), (), 'model sha256 was'),
}


@pytest.mark.parametrize('is_complete', [False, True])
@pytest.mark.parametrize('change', CHANGES)
def test_a_changed_run_starts_again_and_says_what_changed(
    clip, tmp_path, capsys, change, is_complete
):
    output = tmp_path / 'out'
    (clip / 'model').write_text('old')
    if is_complete:
        run(NETWORK, clip, output, model='model')
    else:
        interrupt(NETWORK, clip, output, 7, model='model')
    change_clip, options, message = CHANGES[change]
    if change_clip:
        change_clip(clip)
    run(NETWORK, clip, output, *options, '--resume', model='model')
    assert f'starting again: the results would differ, {message}' in capsys.readouterr().out
    whole = run(NETWORK, clip, tmp_path / 'whole', *options, model='model')
    assert results_of(output) == results_of(whole)
    assert report_of(output)['frames_computed'] == 10


def rewrite(content):
    return lambda path: path.write_bytes(content)


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def flip_a_bit(path):
    """Damage a byte in the middle of the largest tensor; padding between tensors has no meaning."""
    with zipfile.ZipFile(path) as archive:
        largest = max(map(archive.read, archive.namelist()), key=len)
    content = bytearray(path.read_bytes())
    content[content.index(largest) + len(largest) // 2] ^= 4
    path.write_bytes(content)


def remove(path):
    path.unlink()


DAMAGE = [
    ('.unfinished/settings.json', rewrite(b'')),
    ('.unfinished/settings.json', cut),
    ('.unfinished/settings.json', rewrite(b'["settings"]')),
    ('.unfinished/settings.json', rewrite(b'{"settings": 3}')),
    ('.unfinished/settings.json', rewrite(b'{}')),
    ('.unfinished/settings.json', rewrite(b'\xff\xfe{')),
    ('.unfinished/forward/00000000.pt', rewrite(b'')),
    ('.unfinished/forward/00000002.pt', cut),
    ('.unfinished/forward/00000004.pt', flip_a_bit),
    ('.unfinished/forward/00000004.pt', rewrite(b'journal')),
    ('masks/00003.png', cut),
    ('masks/00003.png', remove),
]


@pytest.mark.parametrize('name, damage', DAMAGE)
def test_after_damage_an_unfinished_run_starts_again(clip, tmp_path, capsys, name, damage):
    output = tmp_path / 'out'
    interrupt(NETWORK, clip, output, 8, '--mem_every', 2)
    damage(output / name)
    run(NETWORK, clip, output, '--mem_every', 2, '--resume')
    (line,) = [x for x in capsys.readouterr().out.splitlines() if 'starting again' in x]
    assert name in line
    whole = run(NETWORK, clip, tmp_path / 'whole', '--mem_every', 2)
    assert results_of(output) == results_of(whole)
    assert report_of(output)['frames_computed'] == 10


@pytest.mark.parametrize('name', ['masks/00003.png', 'overlay.mp4', 'contact_sheet.png'])
def test_a_complete_run_with_a_missing_file_starts_again(clip, tmp_path, capsys, name):
    output = run(NETWORK, clip, tmp_path / 'out')
    before = results_of(output)
    (output / name).unlink()
    run(NETWORK, clip, output, '--resume')
    assert 'is missing' in capsys.readouterr().out
    assert results_of(output) == before


def test_a_complete_run_with_a_damaged_report_starts_again(clip, tmp_path, capsys):
    output = run(NETWORK, clip, tmp_path / 'out')
    (output / 'run.json').write_text('{"settings": {')
    run(NETWORK, clip, output, '--resume')
    assert f'starting again: {output / "run.json"} is damaged' in capsys.readouterr().out
    assert report_of(output)['frames_computed'] == 10


def test_resuming_a_complete_run_does_nothing(clip, tmp_path, capsys):
    output = run(NETWORK, clip, tmp_path / 'out')
    before = {path: path.stat().st_mtime_ns for path in output.rglob('*')}
    capsys.readouterr()
    run(NETWORK, clip, output, '--resume')
    assert capsys.readouterr().out == f'{output}: already complete, nothing to do\n'
    assert {path: path.stat().st_mtime_ns for path in output.rglob('*')} == before


def test_resume_without_an_earlier_run_starts_one(clip, tmp_path, capsys):
    output = run(NETWORK, clip, tmp_path / 'out', '--resume')
    assert f'starting: {output} holds no run to continue' in capsys.readouterr().out


def test_without_resume_an_unfinished_run_is_replaced(clip, tmp_path):
    output = tmp_path / 'out'
    interrupt(NETWORK, clip, output, 8)
    run(NETWORK, clip, output, '--end', 5)
    assert len(names_in(output / 'masks')) == report_of(output)['frames_computed'] == 5
