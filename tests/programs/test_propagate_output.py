"""The output folder of propagate.py: other files are safe, and interrupted runs leave no parts."""

import errno
import shutil

import pytest

from tests.helpers.clips import make_clip, make_video
from tests.helpers.coarse_network import CoarseNetwork
from tests.helpers.folders import files_in, names_in
from tests.helpers.propagate_runs import arguments, error_line, interrupt, masks_in, run
from util.masks import save_mask

NETWORK = CoarseNetwork()


@pytest.fixture
def clip(tmp_path):
    return make_clip(tmp_path / 'clip')


OUTPUTS = [  # an existing file below out/, the output folder, part of the message
    ('file', 'out/file', 'file: cannot write there'),
    ('file', 'out/file/below', 'below: cannot write there'),
    ('masks/note.txt', 'out', 'masks: was not written by this program; choose another --output'),
    ('overlay.mp4', 'out', 'overlay.mp4: was not written by this program; choose another --output'),
    ('masks', 'out', 'masks: was not written by this program; choose another --output'),
]


@pytest.mark.parametrize('name, output, message', OUTPUTS)
def test_an_impossible_output_is_reported(clip, tmp_path, capsys, name, output, message):
    file = tmp_path / 'out' / name
    file.parent.mkdir(parents=True)
    file.write_text('made by someone else')
    before = files_in(tmp_path)
    assert message in error_line(NETWORK, capsys, arguments(clip, tmp_path / output))
    assert files_in(tmp_path) == before


INSIDE = [  # files of the user that lie in the output folder
    {'mask': 'masks/00000.png'},
    {'mask': 'masks'},
    {'mask': 'contact_sheet.png'},
    {'source': '.'},
    {'source': 'overlay.mp4'},
    {'model': 'masks/model.pth'},
]


@pytest.mark.parametrize('files', INSIDE)
def test_the_users_files_are_not_overwritten(clip, capsys, files):
    """The output is the folder that holds the clip."""
    make_video(clip, clip / 'overlay.mp4')
    for name in ('first.png', 'contact_sheet.png'):
        shutil.copy(clip / 'masks' / '00000.png', clip / name)
    (clip / 'masks' / 'model.pth').write_text('weights')
    before = files_in(clip)
    words = arguments(clip, clip, **{'mask': 'first.png', **files})
    assert 'is inside the output folder' in error_line(NETWORK, capsys, words)
    assert files_in(clip) == before


def test_ctrl_c_before_the_first_mask_leaves_nothing(clip, tmp_path):
    interrupt(NETWORK, clip, tmp_path / 'out', 0)
    assert not names_in(tmp_path / 'out')


def test_a_run_interrupted_in_its_backward_pass_can_be_resumed(clip, tmp_path, capsys):
    output, options = tmp_path / 'out', ('--direction', 'both')
    interrupt(NETWORK, clip, output, 5, *options, mask='masks')
    assert names_in(output) == {'masks', '.unfinished'}
    run(NETWORK, clip, output, *options, '--resume', mask='masks')
    assert 'continuing the unfinished run' in capsys.readouterr().out


def test_a_full_disk_is_reported_and_the_run_can_be_resumed(clip, tmp_path, capsys, monkeypatch):
    def full(path, mask):
        if path.stem == '00003':
            raise OSError(errno.ENOSPC, 'No space left on device', str(path))
        save_mask(path, mask)

    output, options = tmp_path / 'out', ('--mem_every', 1)
    with monkeypatch.context() as patch:
        patch.setattr('util.propagation.clip.save_mask', full)
        message = error_line(NETWORK, capsys, arguments(clip, output, *options))
    full_at = f'No space left on device: {output / "masks" / "00003.png"}'
    assert message == f'error: {full_at}; free some space, and run it again'
    assert names_in(output) == {'masks', '.unfinished'}
    run(NETWORK, clip, output, *options, '--resume')
    assert len(masks_in(output)) == 8
