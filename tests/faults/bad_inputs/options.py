"""Options that are negative, zero, huge, not numbers, or that contradict each other.

Those in EARLY are refused before a library of the network is loaded.
"""

from tests.faults.bad_inputs.case import Bad
from tests.faults.bad_inputs.commands import (
    CHECK_STATIC,
    DAVIS,
    MAKE_CLIP,
    MATCH_POINT,
    PROPAGATE,
    RESIZE_STATIC,
    RESIZE_VIDEOS,
    TRAIN_VIDEOS,
    YOUTUBE,
)

HUGE = 10**12


def too_small(command, option, value, least):
    return bad(command, f'{option} {value}', f'{option} {value}: must be at least {least}')


def too_large(command, option, value=HUGE):
    return bad(command, f'{option} {value}', f'{option} {value}: must be at most ')


def bad(command, words, *expected):
    """Add these words to a command; the line must contain all of `expected`."""
    return Bad(f'{command.split()[0]} {words}', f'{command} {words}', expected)


EARLY = [
    too_small(PROPAGATE, '--size', 0, 16),
    too_small(PROPAGATE, '--size', -480, 16),
    too_small(PROPAGATE, '--start', -1, 0),
    too_small(PROPAGATE, '--stride', 0, 1),
    too_small(PROPAGATE, '--stride', -2, 1),
    too_small(PROPAGATE, '--mem_every', 0, 1),
    too_small(PROPAGATE, '--top_k', 0, 1),
    too_small(PROPAGATE, '--top_k', -5, 1),
    too_small(PROPAGATE, '--max_mem_frames', 0, 1),
    bad(PROPAGATE, '--start 3 --end 3', '--end 3: must be greater than --start 3'),
    bad(PROPAGATE, '--end 0', '--end 0: must be at least 1'),
    bad(PROPAGATE, '--no_top --top_k 20', '--top_k', '--no_top', 'not allowed with'),
    bad(PROPAGATE, '--top_k 1e3', '--top_k', 'invalid int value'),
    bad(PROPAGATE, '--size nan', '--size', 'invalid int value'),
    bad(PROPAGATE, '--direction sideways', '--direction', 'invalid choice'),
    bad(PROPAGATE, '--colour red', 'unrecognized arguments: --colour red'),
    bad('propagate.py frames', '--mask mask.png', 'required: --output'),
    too_small(DAVIS, '--num_workers', 0, 1),
    too_large(DAVIS, '--num_workers', 10**6),
    too_small(DAVIS, '--mem_every', -1, 1),
    bad(DAVIS, '--split testdev --zip --videos a', '--zip with --videos'),
    bad(YOUTUBE, '--zip --videos x', '--zip with --videos'),
    too_small('eval_davis_2016.py', '--top_k', 0, 1),
    too_small(MATCH_POINT, '--size', 15, 16),
    bad(MATCH_POINT, '--mask mask.png', '--point and --mask'),
    bad(MATCH_POINT, '--json out.txt', '--json out.txt: must end in .json'),
    bad(MATCH_POINT, '--point nan,3', "'nan,3'", 'X,Y'),
    too_small(TRAIN_VIDEOS, '--iterations', 0, 1),
    too_small(TRAIN_VIDEOS, '--batch_size', -4, 1),
    too_large(TRAIN_VIDEOS, '--batch_size'),
    too_large(TRAIN_VIDEOS, '--num_workers', 10**6),
    too_small(TRAIN_VIDEOS, '--num_workers', -1, 0),
    too_large(TRAIN_VIDEOS, '--crop', 16 * 10**6),
    bad(TRAIN_VIDEOS, '--crop 100', '--crop 100: must be a multiple of 16'),
    too_large(TRAIN_VIDEOS, '--short_side', 10**8),
    too_large(TRAIN_VIDEOS, '--validate_size', 10**8),
    too_small(TRAIN_VIDEOS, '--save_every', 0, 1),
    too_small(TRAIN_VIDEOS, '--validate_every', 0, 1),
    too_small(TRAIN_VIDEOS, '--seed', -1, 0),
    too_large(TRAIN_VIDEOS, '--seed', 10**30),
    too_small(TRAIN_VIDEOS, '--steps', -3, 1),
    *(
        bad(TRAIN_VIDEOS, f'--{name} {value}', f'--{name} {value}', 'greater than 0')
        for name, value in (('lr', 'nan'), ('lr', 'inf'), ('lr', 0.0), ('key_lr', 'nan'),
                            ('gamma', 'inf'), ('gamma', -0.5), ('clip_grad', 'nan'),
                            ('clip_grad', 0.0))
    ),
    *(bad(TRAIN_VIDEOS, f'--weight_decay {x}', f'--weight_decay {x}', 'at least 0')
      for x in ('nan', 'inf', -1.0)),
    *(bad(TRAIN_VIDEOS, f'--ema {x}', f'--ema {x}', 'between 0 and 1')
      for x in ('nan', 'inf', 1.0, 0.0)),
    *(bad(TRAIN_VIDEOS, f'--bootstrap {x}', f'--bootstrap {x}', 'end after that')
      for x in ('-1 5', '5 5', '9 2')),
    bad(TRAIN_VIDEOS, '--stage 3', '--stage', 'invalid choice'),
    bad(TRAIN_VIDEOS, '--id ../x', '--id ../x: must be letters'),
    bad(TRAIN_VIDEOS, '--id ""', '--id : must be letters'),
    bad(TRAIN_VIDEOS, '--load_network a --load_model b', '--load_network and --load_model'),
    bad('train.py --stage 0', '--paste static', '--paste: for stages 1 and 2'),
    too_small(CHECK_STATIC, '--num_workers', 0, 1),
    too_small(CHECK_STATIC, '--num_workers', -3, 1),
    too_large(CHECK_STATIC, '--num_workers', 10**6),
    bad(CHECK_STATIC, '--static --video', '--video', 'not allowed with'),
    too_small(RESIZE_STATIC, '--short_side', 0, 1),
    too_small(RESIZE_STATIC, '--num_workers', 0, 1),
    too_large(RESIZE_STATIC, '--num_workers', 10**6),
    too_small(RESIZE_VIDEOS, '--short_side', -480, 1),
    too_large(RESIZE_VIDEOS, '--num_workers', 10**6),
    too_small(MAKE_CLIP, '--num_frames', 0, 1),
    too_small(MAKE_CLIP, '--height', -1, 1),
    too_small(MAKE_CLIP, '--seed', -1, 0),
    too_large(MAKE_CLIP, '--num_frames'),
    too_large(MAKE_CLIP, '--width'),
    too_small('scripts/demo.py --output out', '--num_frames', 2, 3),
    too_large('scripts/demo.py --output out', '--num-frames'),
    too_small('scripts/benchmark.py read', '--rounds', 0, 1),
    too_small('scripts/benchmark.py train', '--batch_size', 0, 1),
    too_large('scripts/benchmark.py train', '--batch_size'),
    too_large('scripts/benchmark.py train', '--crop'),
    too_large('scripts/benchmark.py inference', '--frames'),
    bad('scripts/benchmark.py read', '--size 480', '480: give HEIGHTxWIDTH'),
    bad('scripts/benchmark.py read', '--size 100000x100000', '100000x100000', 'at most'),
    bad('scripts/benchmark.py', 'nothing', 'invalid choice'),
    bad('scripts/benchmark.py read', '--json gone/out.json', '--json gone/out.json', 'folder'),
    bad('download_model.py', '--mirror ftp://here', '--mirror ftp://here', 'http'),
    bad('download_model.py', '--mirror http://', '--mirror http://', 'http'),
    bad('download_model.py', '--mirror http://[::1', '--mirror http://[::1', 'http'),
    bad('download_datasets.py', '--only davis-2018', '--only', 'invalid choice'),
    bad('download_bl30k.py', '--only BL30K_g', '--only', 'invalid choice'),
    bad('scripts/plot_training.py', 'log curves.jpg', 'curves.jpg: must end in .png'),
]  # fmt: skip

CASES = [
    *EARLY,
    bad(PROPAGATE, '--start 4', '--start 4: the input has only 4 frames'),
    bad(PROPAGATE, f'--start {HUGE}', 'the input has only 4 frames'),
    bad(PROPAGATE, '--size 100000000', 'frames: 48x32', 'short side of 100000000',
        'another short side (--size)'),
    bad(PROPAGATE, '--direction backward', '--direction backward: a single mask belongs'),
    bad(PROPAGATE, '--device cuda:99', '--device cuda:99: not on this machine'),
    bad(PROPAGATE, f'--device cuda:{HUGE}', '--device cuda:', 'not on this machine'),
    bad(PROPAGATE, '--device ""', '--device : not on this machine'),
    bad(PROPAGATE, '--device meta', '--device meta: not on this machine'),
    bad('propagate.py 0 --mask mask.png --output out', '--resume', 'camera'),
    bad(DAVIS, '--videos z', '--videos z: not in this benchmark'),
    bad(DAVIS, '--device warp', '--device warp: not on this machine'),
    bad(MATCH_POINT, '--size 100000000', 'source: 48x32', 'another short side (--size)'),
    bad(MATCH_POINT, '--size 4000', 'pairs of cells', 'smaller short side (--size)'),
    bad(MATCH_POINT, '--point 48,0', '--point 48,0: outside the source'),
    bad(MATCH_POINT, f'--point {HUGE},0', 'outside the source'),
    bad(MATCH_POINT, '--save frames/00000.png', 'frames/00000.png: is an input'),
    bad(MATCH_POINT, '--save gone/out.png', 'gone/out.png: cannot be written'),
    bad('try_correspondence.py', 'frames/00000.png frames/00001.png', 'no display', '--save'),
    bad('download_bl30k.py', '--root .', 'the terms are not accepted', '--yes'),
    bad('download_datasets.py --root . --yes', '--from gone', 'gone/static.zip: no such file',
          '--only'),
    bad('download_model.py', '--root notes.txt --yes --mirror http://127.0.0.1:9', 'notes.txt'),
    bad('scripts/baselines.py', '--device cpu', 'nothing to score', '--davis or --clip'),
    too_small('scripts/baselines.py --clip clip', '--size', 8, 16),
    bad('scripts/baselines.py', '--clip gone --model x', 'gone/images: no such'),
    bad('scripts/interaction.py confidence', '--device cpu', 'nothing to measure', '--davis'),
    too_small('scripts/interaction.py references --clip clip', '--size', 8, 16),
    bad('scripts/interaction.py corrections', '--clip gone --model x', 'gone/images: no such'),
    bad('scripts/plot_training.py', 'log curves.png', 'log: no event files of train.py'),
    bad('scripts/shrink_checkpoint.py', 'notes.txt notes.txt', 'notes.txt: already exists'),
    bad('scripts/shrink_checkpoint.py', 'notes.txt small.pth', 'notes.txt: not a readable'),
    bad('scripts/make_demo_clip.py', '--output notes.txt', 'notes.txt', 'not a clip'),
    bad('scripts/demo.py', '--output notes.txt', 'notes.txt'),
]  # fmt: skip
