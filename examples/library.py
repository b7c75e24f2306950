"""Follow objects in a program of your own, which gets its frames one by one, as from a camera.

    python examples/library.py VIDEO MASKS OUTPUT

VIDEO is a video file or the number of a camera. In the folder MASKS, reference.jpg is any picture
of the objects and reference.png its mask (object ids; 0 is background). A file NUMBER.png there
corrects that frame, counted from 0. Ctrl-C ends it.
"""

import sys
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from inference_core import InferenceCore, load_for_inference
from model.confidence import confidence
from util.errors import entry_point
from util.images import read_image
from util.masks import load_mask, save_mask


def follow(video, masks, output):
    core = InferenceCore(load_for_inference(), max_mem_frames=20)

    # A reference makes the objects known, so that no frame of the video needs a mask.
    reference = read_image(masks / 'reference.jpg')
    core.memorize(as_tensor(reference), load_mask(masks / 'reference.png'))

    for number, picture in enumerate(pictures(video)):
        # A correction says everything: where it is 0 is background, whatever was found there.
        correction = masks / f'{number}.png'
        mask = load_mask(correction) if correction.exists() else None
        prob = core.step(as_tensor(picture), mask, whole=True)

        # The lower the confidence of an object, the sooner its mask needs a look.
        trust = confidence(prob, core.object_ids)
        print(f'frame {number}:', ', '.join(f'object {i} {trust[i]:.0%}' for i in trust))

        # Export a mask of ids, and the objects cut out with soft borders.
        ids = core.to_mask(prob)
        save_mask(output / f'{number:05}.png', ids)
        alpha = (255 * (1 - prob[0])).byte().cpu().numpy()
        Image.fromarray(np.dstack([picture, alpha])).save(output / f'{number:05}_cut_out.png')

        # Remove objects that have disappeared, so that nothing else is taken for them.
        core.remove([i for i in core.object_ids if not (ids == i).any()])


def pictures(video):
    """The frames of a video file or a camera, uint8 (H, W, 3). Scale large ones down here."""
    capture = cv2.VideoCapture(int(video) if video.isdecimal() else video)
    while True:
        found, picture = capture.read()
        if not found:
            return
        yield cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def as_tensor(picture):
    return torch.from_numpy(picture).permute(2, 0, 1)


@entry_point
def main(argv=None):
    words = sys.argv[1:] if argv is None else argv
    if len(words) != 3:
        sys.exit(__doc__)
    follow(words[0], Path(words[1]), Path(words[2]))


if __name__ == '__main__':
    main()
