"""The options of propagate.py."""

from dataclasses import dataclass, field
from typing import Literal

from util.options import CoreOptions, NetworkOptions

Direction = Literal['forward', 'backward', 'both']


@dataclass(frozen=True)
class PropagationOptions:
    """The options of one run.

    Arguments:
        input: a video file, a folder of images, or the number of a camera.
        mask: a mask for the first frame, or a folder of masks named like their frames.
        output: folder for the results.
        network: which checkpoint to use, and on which device.
        core: how to propagate; see `InferenceCore`.
        outputs: what to write besides masks and run.json; names from
            `util.propagation.outputs.OUTPUTS`.
        size: see `util.options.choose_short_side`.
        direction: from the first annotated frame forward, from the last one backward, or both.
        whole_masks: masks say everything; see `InferenceCore.step`.
        references: memorise the frames of all masks before the first frame; see
            `InferenceCore.memorize`.
        clean_mask: snap soft mask borders to solid areas instead of rejecting such masks.
        start, end, stride: which frames to use, as in a Python slice.
        resume: continue an interrupted run.
    """

    input: str
    mask: str
    output: str
    network: NetworkOptions = field(default_factory=NetworkOptions)
    core: CoreOptions = field(default_factory=CoreOptions)
    outputs: tuple[str, ...] = ('overlay', 'sheet')
    size: int | None = None
    direction: Direction = 'forward'
    whole_masks: bool = False
    references: bool = False
    clean_mask: bool = False
    start: int = 0
    end: int | None = None
    stride: int = 1
    resume: bool = False
