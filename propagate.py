"""Follow the objects of a mask through your own video.

python propagate.py VIDEO --mask MASK.png --output DIR
python propagate.py FOLDER_OF_IMAGES --mask FOLDER_OF_MASKS --output DIR --direction both
"""

import argparse
import sys
from pathlib import Path

from util.errors import UserError, entry_point
from util.options import add_core_options, check_least, choose_model, core_options, short_side


@entry_point
def main(argv=None):
    args = build_parser().parse_args(argv)
    check(args)
    run(args)


def build_parser():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add('input', help='a video file, a folder of images, or the number of a camera')
    add('--mask', required=True, help='a mask for the first frame, or a folder of masks')
    add('--output', required=True, help='folder for the results')
    add('--size', type=int, default=480, help='short side for the network, -1: as it is (480)')
    add('--direction', choices=('forward', 'backward', 'both'), default='forward')
    add('--overlay', action=argparse.BooleanOptionalAction, default=True, help='overlay.mp4')
    add('--clean_mask', action='store_true', help='snap soft borders of masks to solid areas')
    add('--start', type=int, default=0, help='first frame, counted from 0')
    add('--end', type=int, help='the frame after the last one')
    add('--stride', type=int, default=1, help='take every n-th frame')
    add('--resume', action='store_true', help='go on with an interrupted run')
    add_core_options(parser)
    return parser


def check(args):
    """Raise UserError for values that no run can have."""
    check_least(args, start=0, end=1, stride=1)
    core_options(args)
    short_side(args)
    if args.end is not None and args.end <= args.start:
        raise UserError(f'--end {args.end}: must be greater than --start {args.start}')


def choose_frames(args, names):
    """--start, --end and --stride -> a range of frame indices."""
    length = len(names) if names else sys.maxsize
    indices = range(length)[args.start : args.end : args.stride]
    if not indices:
        raise UserError(f'--start {args.start}: the input has {length} frames only; choose less')
    return indices


def check_source(args, source):
    """Raise UserError for what a camera, a single mask or the network cannot do."""
    from dataset.sizes import size_for_network

    size_for_network(args.input, source.size, short_side(args))
    if source.names is None and (args.direction != 'forward' or args.resume):
        option = '--resume' if args.resume else f'--direction {args.direction}'
        raise UserError(f'{option}: not with a camera, whose past is gone')
    if args.direction == 'backward' and Path(args.mask).is_file():
        raise UserError(
            '--direction backward: the mask of the first frame reaches no frame before it; give '
            'a folder of masks named like their frames'
        )


def run(args):
    """Everything after the arguments. The libraries of the network take seconds to load, so they
    are imported here: --help and mistyped options answer at once."""
    from dataset.sources import open_source, unpack
    from dataset.video import Video, match_masks
    from dataset.video_file import VideoFile
    from inference_core import InferenceCore
    from model.network import load_network
    from util.device import choose_device
    from util.propagation.clip import Clip, claim_output, write_clip

    source = open_source(args.input)
    indices = choose_frames(args, source.names)
    check_source(args, source)
    masks, reader, notes = match_masks(args.mask, source, indices, clean=args.clean_mask)
    args.model = choose_model(args.model)
    network = load_network(
        args.model,
        choose_device(args.device),
        multi_object=True,
        for_inference=True,
        compiled=args.compile,
    )
    folder = claim_output(args.output, [args.input, args.mask, args.model])
    options = core_options(args)

    def open_video(indices):
        frames = source
        if indices.step < 0 and isinstance(source, VideoFile):  # which is read forward only
            frames = unpack(source, indices, clip.work / 'frames')
        side = short_side(args)
        return Video(frames, masks, reader.read, short_side=side, indices=indices)

    clip = Clip(
        folder,
        indices,
        sorted(masks),
        new_core=lambda: InferenceCore(network, **options),
        open_video=open_video,
        device=network.device,
    )
    for line in notes:
        print(f'note: {line}')
    if reader.colours:
        print('colours:', ', '.join(f'{colour} is {i}' for colour, i in reader.colours.items()))
    settings = {
        **describe_run(args, network.device),
        **options,
        'colours': reader.colours,
        'notes': notes,
    }
    album = {'size': source.size, 'fps': source.fps / args.stride, 'with_video': args.overlay}
    write_clip(folder, clip, args.direction, settings, album, resume=args.resume)


def describe_run(args, device):
    """What the masks depend on, beside the options of the core."""
    import torch

    from inference_core import amp_dtype
    from util.device import device_name
    from util.files import fingerprint, sha256

    names = ('input', 'mask', 'model', 'size', 'direction', 'clean_mask', 'start', 'end')
    names += ('stride', 'compile')
    return {
        **{name: getattr(args, name) for name in names},
        'input files': fingerprint(args.input),
        'mask files': fingerprint(args.mask),
        'model sha256': sha256(args.model),
        'device': device_name(device),
        'dtype': str(amp_dtype(device) if args.amp else torch.float32).removeprefix('torch.'),
        'torch': torch.__version__,
    }


if __name__ == '__main__':
    main()
