"""propagate.py --resume: an interrupted run ends as if it had never stopped."""

import signal

import pytest

from tests.helpers.clips import draw_masks, make_clip, make_video
from tests.helpers.coarse_network import CoarseNetwork
from tests.helpers.folders import files_in, names_in
from tests.helpers.propagate_runs import (
    arguments,
    call,
    interrupt,
    report_of,
    results_of,
    run,
    stop_process,
)
from util.masks import load_mask

NETWORK = CoarseNetwork()
RUNS = [  # options, steps before the interruption, frames that are not computed again
    ('', 7, 6),
    ('--mem_every 1 --use_km --amp', 4, 3),
    ('--mem_every 1 --max_mem_frames 3', 7, 6),
    ('--direction backward --mem_every 2', 4, 3),
    ('--direction both --mem_every 2', 4, 3),
    ('--direction both --mem_every 2 --max_mem_frames 2', 13, 6 + 3),
    ('--references --mem_every 2 --max_mem_frames 2', 7, 5),
    ('--references --direction both --mem_every 2', 11, 6 + 1),
    ('--whole_masks --references --use_km --direction backward --mem_every 2', 5, 3),
]


@pytest.fixture
def clip(tmp_path):
    """Twelve frames of 48 x 32 pixels; late/ has object 1 on frame 2 and object 2 on frame 7."""
    folder = make_clip(tmp_path / 'clip', num_frames=12)
    draw_masks(folder / 'late', {2: [1], 7: [2]})
    return folder


def frames_computed(output):
    return report_of(output)['frames_computed']


@pytest.mark.parametrize('words, num_steps, num_saved', RUNS)
def test_a_resumed_run_ends_as_if_it_had_not_stopped(
    network, clip, tmp_path, capsys, words, num_steps, num_saved
):
    options, output = words.split(), tmp_path / 'out'
    whole = run(network, clip, tmp_path / 'whole', *options, mask='late')
    interrupt(network, clip, output, num_steps, *options, mask='late')
    run(network, clip, output, *options, '--resume', mask='late')
    assert 'continuing the unfinished run' in capsys.readouterr().out
    assert results_of(output) == results_of(whole)
    assert frames_computed(output) == frames_computed(whole) - num_saved


@pytest.mark.parametrize('cap', [1, 2, 6])
def test_a_capped_memory_is_restored_with_its_reused_slots(clip, tmp_path, cap):
    options = ('--mem_every', 1, '--max_mem_frames', cap)
    whole = run(NETWORK, clip, tmp_path / 'whole', *options)
    interrupt(NETWORK, clip, tmp_path / 'out', 11, *options)
    output = run(NETWORK, clip, tmp_path / 'out', *options, '--resume')
    assert results_of(output) == results_of(whole)
    assert frames_computed(output) == 2


def test_a_run_can_be_resumed_more_than_once(clip, tmp_path):
    whole = run(NETWORK, clip, tmp_path / 'whole', '--mem_every', 2)
    output = tmp_path / 'out'
    for options in ([], ['--resume'], ['--resume']):
        interrupt(NETWORK, clip, output, 4, '--mem_every', 2, *options)
    run(NETWORK, clip, output, '--mem_every', 2, '--resume')
    assert results_of(output) == results_of(whole)


def test_a_video_can_be_resumed_in_its_backward_pass(clip, tmp_path):
    files = {'source': make_video(clip, tmp_path / 'clip.mkv'), 'mask': 'late'}
    options = ('--direction', 'both', '--mem_every', 2)
    whole = run(NETWORK, clip, tmp_path / 'whole', *options, **files)
    interrupt(NETWORK, clip, tmp_path / 'out', 5, *options, **files)
    output = run(NETWORK, clip, tmp_path / 'out', *options, '--resume', **files)
    assert results_of(output) == results_of(whole)
    assert frames_computed(output) < frames_computed(whole)


@pytest.mark.parametrize('cap', [1, 3])
def test_the_journal_is_no_larger_than_the_capped_memory(clip, tmp_path, cap):
    options = ('--mem_every', 1, '--max_mem_frames', cap)
    interrupt(NETWORK, clip, tmp_path / 'out', 11, *options)
    assert len(list((tmp_path / 'out' / '.unfinished').rglob('*.pt'))) <= cap + 1


@pytest.mark.parametrize('direction, num_masks', [('forward', 5), ('both', 6)])
def test_a_killed_run_can_be_resumed(prepared, checkpoint, clip, tmp_path, direction, num_masks):
    options = ('--mem_every', 2, '--max_mem_frames', 2, '--direction', direction)
    files = {'mask': 'late', 'model': checkpoint}
    output = tmp_path / 'out'
    words = arguments(clip, output, *options, **files)
    stop_process(words, output / 'masks', num_masks, signal.SIGKILL)
    assert not (output / 'run.json').exists()
    call(prepared, [*words, '--resume'])
    whole = run(prepared, clip, tmp_path / 'whole', *options, **files)
    assert results_of(output) == results_of(whole)
    assert frames_computed(output) < frames_computed(whole)


def test_ctrl_c_leaves_only_whole_masks_and_the_run_can_be_resumed(
    prepared, checkpoint, clip, tmp_path
):
    output = tmp_path / 'out'
    words = arguments(clip, output, '--mem_every', 2, model=checkpoint)
    code, errors = stop_process(words, output / 'masks', 4, signal.SIGINT)
    assert code == 130
    assert errors.endswith('error: interrupted\n') and 'Traceback' not in errors
    names = set(files_in(output))
    masks = {name for name in names if name.startswith('masks/')}
    assert 4 <= len(masks) < 12
    assert all(load_mask(output / name).shape == (32, 48) for name in masks)
    assert all(name.startswith('.unfinished/') for name in names - masks)
    assert not any(name.endswith('.part') for name in names)
    call(prepared, [*words, '--resume'])
    assert len(names_in(output / 'masks')) == 12
    assert frames_computed(output) < 12


def test_a_half_written_overlay_is_removed_when_the_run_ends_without_an_overlay(clip, tmp_path):
    output = tmp_path / 'out'
    interrupt(NETWORK, clip, output, 8)
    (output / '.overlay.mp4.part').write_text('half-written')
    run(NETWORK, clip, output, '--no-overlay', '--resume')
    assert names_in(output) == {'contact_sheet.png', 'masks', 'run.json'}
