"""The output folder: nobody else's files are harmed, and what is left there is whole."""

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


OUTPUTS = [  # a file of somebody else below out/, the output folder, the sentence
    ('file', 'out/file', 'file: cannot write there'),
    ('file', 'out/file/below', 'below: cannot write there'),
    ('masks/note.txt', 'out', 'masks: was not written by this program; choose another --output'),
    ('overlay.mp4', 'out', 'overlay.mp4: was not written by this program; choose another --output'),
    ('masks', 'out', 'masks: was not written by this program; choose another --output'),
]


@pytest.mark.parametrize('name, output, sentence', OUTPUTS)
def test_an_output_that_cannot_be_is_named(clip, tmp_path, capsys, name, output, sentence):
    file = tmp_path / 'out' / name
    file.parent.mkdir(parents=True)
    file.write_text('of somebody else')
    before = files_in(tmp_path)
    assert sentence in error_line(NETWORK, capsys, arguments(clip, tmp_path / output))
    assert files_in(tmp_path) == before


INSIDE = [  # the user's files, below the output folder
    {'mask': 'masks/00000.png'},
    {'mask': 'masks'},
    {'mask': 'contact_sheet.png'},
    {'source': '.'},
    {'source': 'overlay.mp4'},
    {'model': 'masks/model.pth'},
]


@pytest.mark.parametrize('files', INSIDE)
def test_files_of_the_user_are_not_written_over(clip, capsys, files):
    """The folder of the clip is the output."""
    make_video(clip, clip / 'overlay.mp4')
    for name in ('first.png', 'contact_sheet.png'):
        shutil.copy(clip / 'masks' / '00000.png', clip / name)
    (clip / 'masks' / 'model.pth').write_text('weights')
    before = files_in(clip)
    words = arguments(clip, clip, **{'mask': 'first.png', **files})
    assert 'lies in the output folder' in error_line(NETWORK, capsys, words)
    assert files_in(clip) == before


def test_ctrl_c_before_the_first_mask_leaves_nothing(clip, tmp_path):
    interrupt(NETWORK, clip, tmp_path / 'out', 0)
    assert not names_in(tmp_path / 'out')


def test_ctrl_c_on_the_way_back_of_both_can_be_resumed(clip, tmp_path, capsys):
    output, options = tmp_path / 'out', ('--direction', 'both')
    interrupt(NETWORK, clip, output, 5, *options, mask='masks')
    assert names_in(output) == {'masks', '.unfinished'}
    run(NETWORK, clip, output, *options, '--resume', mask='masks')
    assert 'going on' in capsys.readouterr().out


def test_a_full_disk_is_told_and_the_run_can_be_resumed(clip, tmp_path, capsys, monkeypatch):
    def full(path, mask):
        if path.stem == '00003':
            raise OSError(errno.ENOSPC, 'No space left on device', str(path))
        save_mask(path, mask)

    output, options = tmp_path / 'out', ('--mem_every', 1)
    with monkeypatch.context() as patch:
        patch.setattr('util.propagation.clip.save_mask', full)
        sentence = error_line(NETWORK, capsys, arguments(clip, output, *options))
    full_at = f'No space left on device: {output / "masks" / "00003.png"}'
    assert sentence == f'error: {full_at}; free some space, and run it again'
    assert names_in(output) == {'masks', '.unfinished'}
    run(NETWORK, clip, output, *options, '--resume')
    assert len(masks_in(output)) == 8
