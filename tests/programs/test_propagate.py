"""propagate.py: what it writes, and how its options reach the network and the frames."""

import av
import numpy as np
import pytest
import torch
from PIL import Image

from inference_core import InferenceCore
from tests.helpers import stand_in
from tests.helpers.clips import frame_names, make_clip, make_video
from tests.helpers.coarse_network import SizeRecorder
from tests.helpers.folders import names_in
from tests.helpers.propagate_runs import (
    assert_same_masks,
    masks_in,
    record_progress,
    report_of,
    run,
)
from util.masks import DAVIS_PALETTE, load_mask, save_mask


@pytest.fixture(scope='module')
def clip(tmp_path_factory):
    return make_clip(tmp_path_factory.mktemp('clip') / 'clip')


@pytest.fixture(scope='module')
def output(network, clip, tmp_path_factory):
    return run(network, clip, tmp_path_factory.mktemp('plain') / 'output')


def step_by_step(network, clip, **options):
    """The masks that InferenceCore itself gives for a clip and its first mask."""
    core = InferenceCore(network, **options)
    masks = {}
    for path in sorted((clip / 'images').iterdir()):
        image = torch.from_numpy(np.array(Image.open(path))).permute(2, 0, 1)
        first = load_mask(clip / 'masks' / path.name) if core.index == 0 else None
        masks[path.stem] = core.to_mask(core.step(image, first))
    return masks


def test_results_are_masks_overlay_contact_sheet_and_report(output):
    assert names_in(output) == {'contact_sheet.png', 'masks', 'overlay.mp4', 'run.json'}
    assert names_in(output / 'masks') == {f'{name}.png' for name in frame_names(range(8))}


def test_masks_are_indexed_pngs_with_the_davis_palette(output):
    with Image.open(output / 'masks' / '00003.png') as image:
        assert (image.mode, image.size) == ('P', (48, 32))
        palette = np.reshape(image.getpalette(), (-1, 3))
        np.testing.assert_array_equal(palette, DAVIS_PALETTE[: len(palette)])
        assert len(np.unique(np.asarray(image))) > 1


def test_run_json_records_settings_versions_speed_and_memory(output):
    report = report_of(output)
    assert report['frames'] == report['frames_computed'] == 8
    assert 0 < report['fps_end_to_end'] < report['fps_model']
    assert report['peak_memory_mib']['host'] > 100
    assert report['versions']['torch'] == torch.__version__
    settings = report['settings']
    assert settings['top_k'] == 50 and settings['mem_every'] == 5 and settings['size'] == -1
    assert settings['dtype'] == 'float32' and 'threads' in settings['device']


def test_progress_is_shown_and_the_overlay_is_optional(network, clip, tmp_path, monkeypatch):
    progress = record_progress(monkeypatch)
    output = run(network, clip, tmp_path / 'out', '--no-overlay')
    assert '8 of 8 frames' in progress.getvalue()
    assert not (output / 'overlay.mp4').exists()


def test_a_folder_a_video_and_single_steps_give_the_same_masks(network, clip, output, tmp_path):
    video = make_video(clip, tmp_path / 'clip.mkv')
    assert_same_masks(
        masks_in(run(network, clip, tmp_path / 'out', source=video)), masks_in(output)
    )
    assert_same_masks(masks_in(output), step_by_step(network, clip))


def test_overlay_is_h264_with_the_frame_rate_of_the_video(network, clip, tmp_path):
    video = make_video(clip, tmp_path / 'clip.mkv', fps=10)
    output = run(network, clip, tmp_path / 'out', '--stride', 2, source=video)
    with av.open(str(output / 'overlay.mp4')) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == 'h264'
        assert (stream.width, stream.height) == (48, 32)
        assert stream.average_rate == 5, (
            'half the frames at half the rate last as long as the input'
        )
        assert len(list(container.decode(stream))) == 4


OPTIONS = {
    '--mem_every 2': {'mem_every': 2},
    '--top_k 3': {'top_k': 3},
    '--no_top': {'top_k': None},
    '--use_km': {'kernel_sigma': 5.6},
    '--max_mem_frames 1 --mem_every 1': {'max_mem_frames': 1, 'mem_every': 1},
    '--amp': {'amp': True},
}


@pytest.mark.parametrize('words', OPTIONS)
def test_options_reach_the_core(network, clip, tmp_path, words):
    masks = masks_in(run(network, clip, tmp_path / 'out', '--no-overlay', *words.split()))
    assert_same_masks(masks, step_by_step(network, clip, **OPTIONS[words]))


def test_selected_frames_keep_their_names(network, clip, tmp_path):
    options = ('--start', 1, '--end', 7, '--stride', 2)
    selected = masks_in(run(network, clip, tmp_path / 'out', *options, mask='masks/00001.png'))
    assert list(selected) == frame_names([1, 3, 5])
    (tmp_path / 'images').mkdir()
    for name in selected:
        path = clip / 'images' / f'{name}.png'
        (tmp_path / 'images' / path.name).write_bytes(path.read_bytes())
    mask = clip / 'masks' / '00001.png'
    assert_same_masks(selected, masks_in(run(network, tmp_path, tmp_path / 'alone', mask=mask)))


def test_masks_have_the_ids_and_names_of_the_input(network, clip, tmp_path):
    (tmp_path / 'images').mkdir()
    for number, path in enumerate(sorted((clip / 'images').iterdir())):
        (tmp_path / 'images' / f'shot_{number + 9}.png').write_bytes(path.read_bytes())
    mask = load_mask(clip / 'masks' / '00000.png')
    save_mask(tmp_path / 'mask.png', np.array([0, 200, 7], np.uint8)[mask])
    masks = masks_in(run(network, tmp_path, tmp_path / 'out', mask='mask.png'))
    assert set(masks) == {f'shot_{number + 9}' for number in range(8)}
    assert set(np.unique(list(masks.values()))) == {0, 7, 200}
    np.testing.assert_array_equal(masks['shot_9'], load_mask(tmp_path / 'mask.png'))


def test_the_ids_of_colours_are_printed(network, clip, tmp_path, capsys):
    mask = load_mask(clip / 'masks' / '00000.png')
    Image.fromarray(DAVIS_PALETTE[mask]).save(tmp_path / 'colours.png')
    output = run(network, clip, tmp_path / 'out', mask=tmp_path / 'colours.png')
    assert 'colours: #800000 is 1, #008000 is 2' in capsys.readouterr().out
    np.testing.assert_array_equal(masks_in(output)['00000'], mask)


def test_a_palette_that_is_read_by_its_colours_is_told_in_one_line(network, clip, tmp_path, capsys):
    mask = load_mask(clip / 'masks' / '00000.png')
    image = Image.fromarray(np.array([2, 0, 1], np.uint8)[mask])
    image.putpalette([255, 0, 0, 0, 0, 255, 0, 0, 0])  # red, blue, black
    image.save(tmp_path / 'mask.png')
    output = run(network, clip, tmp_path / 'out', mask=tmp_path / 'mask.png')
    printed = capsys.readouterr().out
    reason = 'read by colour, not by number, because entry 0 of its palette is not black'
    assert f'note: {tmp_path}/mask.png: {reason}\n' in printed
    assert 'colours: #0000ff is 1, #ff0000 is 2\n' in printed
    np.testing.assert_array_equal(masks_in(output)['00000'], np.array([0, 2, 1])[mask])
    assert report_of(output)['settings']['colours'] == {'#0000ff': 1, '#ff0000': 2}


@pytest.mark.parametrize('options', [[], ['--direction', 'backward']])
def test_without_size_the_network_gets_the_short_side_of_its_checkpoint(clip, tmp_path, options):
    torch.save({'network': stand_in.weights(), 'short_side': 16}, tmp_path / 'model.pth')
    files = {'model': tmp_path / 'model.pth', 'mask': 'masks'}
    output = run(None, clip, tmp_path / 'out', *options, size=None, **files)
    assert report_of(output)['settings']['size'] == 16
    expected = run(None, clip, tmp_path / 'expected', *options, size=16, **files)
    assert_same_masks(masks_in(output), masks_in(expected))


def test_size_overrides_the_short_side_of_the_checkpoint(clip, tmp_path):
    network = SizeRecorder()
    network.short_side = 16
    for size in (32, 64, -1):
        output = run(network, clip, tmp_path / str(size), size=size)
        assert report_of(output)['settings']['size'] == size
    assert network.sizes == {(32, 48), (64, 96)}


def test_without_size_and_a_short_side_in_the_checkpoint_it_is_480(clip, tmp_path):
    network = SizeRecorder()
    output = run(network, clip, tmp_path / 'out', '--end', 2, size=None)
    assert report_of(output)['settings']['size'] == 480
    assert network.sizes == {(480, 720)}
