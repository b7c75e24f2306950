"""propagate.py reports a mistake in one line and leaves nothing half-written."""

import wave

import numpy as np
import pytest
import torch
from PIL import Image

from tests.helpers import stand_in
from tests.helpers.clips import make_clip, make_video
from tests.helpers.coarse_network import CoarseNetwork
from tests.helpers.folders import names_in
from tests.helpers.propagate_runs import arguments, error_line, masks_in
from util.masks import save_mask

NETWORK = CoarseNetwork()


@pytest.fixture
def clip(tmp_path):
    return make_clip(tmp_path / 'clip')


def cut(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 7 // 10])


def write(name, content):
    return lambda clip: (clip / name).write_bytes(content)


def shrink(name):
    return lambda clip: Image.open(clip / name).resize((40, 30)).save(clip / name)


def empty_folder(clip):
    (clip / 'none').mkdir()


def empty_mask(clip):
    save_mask(clip / 'empty.png', np.zeros((32, 48), np.uint8))


def mask_elsewhere(clip):
    (clip / 'masks' / '00003.png').rename(clip / 'masks' / '00033.png')


def cut_video(clip):
    cut(make_video(clip, clip / 'cut.mkv'))


def sound(clip):
    with wave.open(str(clip / 'sound.wav'), 'wb') as file:
        file.setparams((1, 2, 8000, 0, 'NONE', None))
        file.writeframes(bytes(8000))


INPUTS = [  # what is done to the clip, files that replace sound ones, part of the message
    (None, {'source': 'nothing.mp4'}, 'nothing.mp4: no such file or folder; give'),
    (write('text.mp4', b'not a video'), {'source': 'text.mp4'}, 'text.mp4: cannot be read as'),
    (write('empty.mp4', b''), {'source': 'empty.mp4'}, 'empty.mp4: '),
    (sound, {'source': 'sound.wav'}, 'sound.wav: holds no video'),
    (cut_video, {'source': 'cut.mkv'}, 'cut.mkv: '),
    (empty_folder, {'source': 'none'}, 'none: no images in it'),
    (write('images/00000.png', b'no image'), {}, '00000.png: cannot be read as an image'),
    (write('images/00005.png', b''), {}, '00005.png: cannot be read as an image'),
    (shrink('images/00005.png'), {}, '00005.png: 40x30, but the first frame is 48x32; all frames'),
    (write('images/00005.jpg', b''), {}, 'have the same name; remove one'),
    (None, {'mask': 'nothing.png'}, 'nothing.png: no such mask; give'),
    (empty_mask, {'mask': 'empty.png'}, 'empty.png: a mask without objects'),
    (write('masks/00000.png', b'no image'), {}, '00000.png: cannot be read as an image'),
    (shrink('masks/00000.png'), {}, '00000.png: the mask is 40x30, its frame 48x32; scale'),
    (mask_elsewhere, {'mask': 'masks'}, '00033.png: a mask for a frame that does not exist'),
    (empty_folder, {'mask': 'none'}, 'none: no images in it'),
]


@pytest.mark.parametrize('prepare, files, message', INPUTS)
def test_a_bad_input_is_reported(clip, tmp_path, capsys, prepare, files, message):
    if prepare:
        prepare(clip)
    output = tmp_path / 'out'
    assert message in error_line(NETWORK, capsys, arguments(clip, output, **files))
    assert not output.exists()


OPTIONS = [
    ('--size 0', '--size 0: must be at least 16, or -1'),
    ('--size big', "--size: invalid int value: 'big'"),
    ('--mem_every 0', '--mem_every 0: must be at least 1'),
    ('--top_k 0', '--top_k 0: must be at least 1'),
    ('--max_mem_frames 0', '--max_mem_frames 0: must be at least 1'),
    ('--stride 0', '--stride 0: must be at least 1'),
    ('--start -1', '--start -1: must be at least 0'),
    ('--start 5 --end 5', '--end 5: must be greater than --start 5'),
    ('--start 8', '--start 8: the input has only 8 frames; '),
    ('--direction up', "--direction: invalid choice: 'up'"),
    ('--direction backward', '--direction backward: a single mask belongs to the first frame'),
    ('--speed 3', 'unrecognized arguments: --speed 3'),
    ('--device fast', '--device fast: not on this machine; use auto or cpu'),
    ('--device cuda:99', '--device cuda:99: not on this machine; use auto or cpu'),
    ('--device meta', '--device meta: not on this machine; use auto or cpu'),
]


@pytest.mark.parametrize('words, message', OPTIONS)
def test_a_bad_option_is_reported(clip, tmp_path, capsys, words, message):
    output = tmp_path / 'out'
    assert message in error_line(NETWORK, capsys, arguments(clip, output, *words.split()))
    assert not output.exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason='this machine has CUDA')
def test_cuda_is_refused_on_a_machine_without_it(clip, tmp_path, capsys):
    message = error_line(NETWORK, capsys, arguments(clip, tmp_path / 'out', '--device', 'cuda'))
    assert '--device cuda: not on this machine; use auto or cpu' in message


def stage_0_weights():
    weights = stand_in.weights()
    name = 'mask_rgb_encoder.conv1.weight'
    return {**weights, name: weights[name][:, :4].clone()}


CHECKPOINTS = [
    (None, 'model.pth: no such checkpoint; check the path'),
    (lambda: torch.nn.Linear(2, 2), 'model.pth: not a readable checkpoint'),
    (lambda: {'fc.weight': torch.zeros(2)}, 'model.pth: not a checkpoint of this network'),
    (stage_0_weights, 'model.pth: a single-object (stage 0) network'),
]


@pytest.mark.parametrize('content, message', CHECKPOINTS)
def test_a_bad_checkpoint_is_reported(clip, tmp_path, capsys, content, message):
    if content:
        torch.save(content(), clip / 'model.pth')
    output = tmp_path / 'out'
    assert message in error_line(None, capsys, arguments(clip, output, model='model.pth'))
    assert not output.exists()


def cut_jpeg(clip, number):
    """Truncate a frame but not its header, so that the damage is noticed when the frame is read."""
    path = clip / 'images' / f'{number:05}.png'
    Image.open(path).save(path.with_suffix('.jpg'))
    path.unlink()
    cut(path.with_suffix('.jpg'))


def test_a_damaged_first_image_leaves_nothing(clip, tmp_path, capsys):
    cut_jpeg(clip, 0)
    output = tmp_path / 'out'
    assert '00000.jpg: cannot be read' in error_line(NETWORK, capsys, arguments(clip, output))
    assert not names_in(output)


@pytest.mark.parametrize('direction', ['forward', 'backward', 'both'])
def test_a_damaged_image_in_the_middle_leaves_only_whole_masks(clip, tmp_path, capsys, direction):
    cut_jpeg(clip, 4)
    output = tmp_path / 'out'
    words = arguments(clip, output, '--direction', direction, mask='masks')
    assert '00004.jpg: cannot be read' in error_line(NETWORK, capsys, words)
    assert names_in(output) == {'masks', '.unfinished'}
    assert not list(output.rglob('*.part'))
    assert '00004' not in masks_in(output)
