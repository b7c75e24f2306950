"""Options that are negative, zero, huge, no number, or contradict each other.

They are told before anything is read: `EARLY` is run without any package.
"""

from tests.faults.bad_inputs.case import Bad

RUN = 'propagate.py frames --mask mask.png --output out'
EVAL = 'eval_davis.py --davis DAVIS/2017 --output out'
FIND = 'try_correspondence.py frames/00000.png frames/00001.png --point 3,4 --save out.png'
TRAIN = 'train.py --stage 2 --vos_root videos --pretrained none -b 1 --num_workers 0 -i 9'
TRAIN += ' --crop 32 --device cpu'
SMALLER = 'scripts/resize_static.py static'
CHECK = 'scripts/check_dataset.py static'
CLIP = 'scripts/make_demo_clip.py --output out'
HUGE = 10**12


def least(command, option, value, minimum):
    return Bad(
        f'{command.split()[0]} {option} {value}',
        f'{command} {option} {value}',
        f'{option} {value}: must be at least {minimum}',
    )


def most(command, option, value=HUGE):
    return Bad(
        f'{command.split()[0]} {option} {value}',
        f'{command} {option} {value}',
        f'{option} {value}: must be at most ',
    )


def other(command, words, *message):
    return Bad(f'{command.split()[0]} {words}', f'{command} {words}', message)


EARLY = [
    least(RUN, '--size', 0, 16),
    least(RUN, '--size', -480, 16),
    least(RUN, '--start', -1, 0),
    least(RUN, '--stride', 0, 1),
    least(RUN, '--stride', -2, 1),
    least(RUN, '--mem_every', 0, 1),
    least(RUN, '--top_k', 0, 1),
    least(RUN, '--top_k', -5, 1),
    least(RUN, '--max_mem_frames', 0, 1),
    other(RUN, '--start 3 --end 3', '--end 3: must be greater than --start 3'),
    other(RUN, '--end 0', '--end 0: must be at least 1'),
    other(RUN, '--no_top --top_k 20', '--top_k', '--no_top', 'not allowed with'),
    other(RUN, '--top_k 1e3', '--top_k', 'invalid int value'),
    other(RUN, '--size nan', '--size', 'invalid int value'),
    other(RUN, '--direction sideways', '--direction', 'invalid choice'),
    other(RUN, '--colour red', 'unrecognized arguments: --colour red'),
    other('propagate.py frames', '--mask mask.png', 'required: --output'),
    least(EVAL, '--num_workers', 0, 1),
    most(EVAL, '--num_workers', 10**6),
    least(EVAL, '--mem_every', -1, 1),
    other(EVAL, '--split testdev --zip --videos a', '--zip with --videos'),
    other('eval_youtube.py --yv YouTube --output out', '--zip --videos x', '--zip with --videos'),
    least('eval_davis_2016.py', '--top_k', 0, 1),
    least(FIND, '--size', 15, 16),
    other(FIND, '--mask mask.png', '--point and --mask'),
    other(FIND, '--json out.txt', '--json out.txt: must end in .json'),
    other(FIND, '--point nan,3', "'nan,3'", 'X,Y'),
    least(TRAIN, '--iterations', 0, 1),
    least(TRAIN, '--batch_size', -4, 1),
    most(TRAIN, '--batch_size'),
    most(TRAIN, '--num_workers', 10**6),
    least(TRAIN, '--num_workers', -1, 0),
    most(TRAIN, '--crop', 16 * 10**6),
    other(TRAIN, '--crop 100', '--crop 100: must be a multiple of 16'),
    most(TRAIN, '--short_side', 10**8),
    most(TRAIN, '--validate_size', 10**8),
    least(TRAIN, '--save_every', 0, 1),
    least(TRAIN, '--validate_every', 0, 1),
    least(TRAIN, '--seed', -1, 0),
    most(TRAIN, '--seed', 10**30),
    least(TRAIN, '--steps', -3, 1),
    *(
        other(TRAIN, f'--{name} {value}', f'--{name} {value}', 'greater than 0')
        for name, value in (('lr', 'nan'), ('lr', 'inf'), ('lr', 0.0), ('key_lr', 'nan'),
                            ('gamma', 'inf'), ('gamma', -0.5), ('clip_grad', 'nan'),
                            ('clip_grad', 0.0))
    ),
    *(other(TRAIN, f'--weight_decay {x}', f'--weight_decay {x}', 'at least 0')
      for x in ('nan', 'inf', -1.0)),
    *(other(TRAIN, f'--ema {x}', f'--ema {x}', 'between 0 and 1')
      for x in ('nan', 'inf', 1.0, 0.0)),
    *(other(TRAIN, f'--bootstrap {x}', f'--bootstrap {x}', 'end after that')
      for x in ('-1 5', '5 5', '9 2')),
    other(TRAIN, '--stage 3', '--stage', 'invalid choice'),
    other(TRAIN, '--id ../x', '--id ../x: must be letters'),
    other(TRAIN, '--id ""', '--id : must be letters'),
    other(TRAIN, '--load_network a --load_model b', '--load_network and --load_model'),
    other('train.py --stage 0', '--paste static', '--paste: for stages 1 and 2'),
    least(CHECK, '--num_workers', 0, 1),
    least(CHECK, '--num_workers', -3, 1),
    most(CHECK, '--num_workers', 10**6),
    other(CHECK, '--static --video', '--video', 'not allowed with'),
    least(SMALLER, '--short_side', 0, 1),
    least(SMALLER, '--num_workers', 0, 1),
    most(SMALLER, '--num_workers', 10**6),
    least('scripts/resize_youtube.py videos', '--short_side', -480, 1),
    most('scripts/resize_youtube.py videos', '--num_workers', 10**6),
    least(CLIP, '--num-frames', 0, 1),
    least(CLIP, '--height', -1, 1),
    least(CLIP, '--seed', -1, 0),
    most(CLIP, '--num-frames'),
    most(CLIP, '--width'),
    least('scripts/demo.py --output out', '--num-frames', 2, 3),
    most('scripts/demo.py --output out', '--num-frames'),
    least('scripts/benchmark.py read', '--rounds', 0, 1),
    least('scripts/benchmark.py train', '--batch_size', 0, 1),
    most('scripts/benchmark.py train', '--batch_size'),
    most('scripts/benchmark.py train', '--crop'),
    most('scripts/benchmark.py inference', '--frames'),
    other('scripts/benchmark.py read', '--size 480', '480: give HEIGHTxWIDTH'),
    other('scripts/benchmark.py read', '--size 100000x100000', '100000x100000', 'at most'),
    other('scripts/benchmark.py', 'nothing', 'invalid choice'),
    other('scripts/benchmark.py read', '--json gone/out.json', '--json gone/out.json', 'folder'),
    other('download_model.py', '--mirror ftp://here', '--mirror ftp://here', 'http'),
    other('download_model.py', '--mirror http://', '--mirror http://', 'http'),
    other('download_model.py', '--mirror http://[::1', '--mirror http://[::1', 'http'),
    other('download_datasets.py', '--only davis-2018', '--only', 'invalid choice'),
    other('download_bl30k.py', '--only BL30K_g', '--only', 'invalid choice'),
    other('scripts/plot_training.py', 'log curves.jpg', 'curves.jpg: must end in .png'),
]  # fmt: skip

CASES = [
    *EARLY,
    other(RUN, '--start 4', '--start 4: the input has only 4 frames'),
    other(RUN, f'--start {HUGE}', 'the input has only 4 frames'),
    other(RUN, '--size 100000000', 'frames: 48x32', '--size 100000000', 'another --size'),
    other(RUN, '--direction backward', '--direction backward: the mask of the first frame'),
    other(RUN, '--device cuda:99', '--device cuda:99: not on this machine'),
    other(RUN, f'--device cuda:{HUGE}', '--device cuda:', 'not on this machine'),
    other(RUN, '--device ""', '--device : not on this machine'),
    other(RUN, '--device meta', '--device meta: not on this machine'),
    other('propagate.py 0 --mask mask.png --output out', '--resume', 'camera'),
    other(EVAL, '--videos z', '--videos z: not in this benchmark'),
    other(EVAL, '--device warp', '--device warp: not on this machine'),
    other(FIND, '--size 100000000', 'source: 48x32', 'another --size'),
    other(FIND, '--size 4000', '--size 4000', 'pairs of cells'),
    other(FIND, '--point 48,0', '--point 48,0: outside the source'),
    other(FIND, f'--point {HUGE},0', 'outside the source'),
    other(FIND, '--save frames/00000.png', 'frames/00000.png: is an input'),
    other(FIND, '--save gone/out.png', 'gone/out.png: cannot be written'),
    other('try_correspondence.py', 'frames/00000.png frames/00001.png', 'no display', '--save'),
    other('download_bl30k.py', '--root .', 'the terms are not accepted', '--yes'),
    other('download_datasets.py --root . --yes', '--from gone', 'gone/static.zip: no such file',
          '--only'),
    other('download_model.py', '--root notes.txt --yes --mirror http://127.0.0.1:9', 'notes.txt'),
    other('scripts/baselines.py', '--device cpu', 'nothing to score', '--davis or --clip'),
    least('scripts/baselines.py --clip clip', '--size', 8, 16),
    other('scripts/baselines.py', '--clip gone --model x', 'gone/images: no such folder'),
    other('scripts/plot_training.py', 'log curves.png', 'log: no event files of train.py'),
    other('scripts/shrink_checkpoint.py', 'notes.txt notes.txt', 'notes.txt: already exists'),
    other('scripts/shrink_checkpoint.py', 'notes.txt small.pth', 'notes.txt: not a readable'),
    other('scripts/make_demo_clip.py', '--output notes.txt', 'notes.txt', 'not a clip'),
    other('scripts/demo.py', '--output notes.txt', 'notes.txt'),
]  # fmt: skip
