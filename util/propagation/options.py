"""What propagate.py is asked to do."""

from dataclasses import dataclass, field
from typing import Literal

from util.options import CoreOptions, NetworkOptions

Direction = Literal['forward', 'backward', 'both']


@dataclass(frozen=True)
class PropagationOptions:
    """One run.

    input: a video file, a folder of images, or the number of a camera. mask: an image, or a folder
    of images named like frames. outputs: names from `util.propagation.outputs.OUTPUTS`, besides
    masks and run.json. size: see `util.options.choose_short_side`. clean_mask: snap soft borders.
    start, end, stride: frames, as in a Python slice. resume: continue an interrupted run.
    """

    input: str
    mask: str
    output: str
    network: NetworkOptions = field(default_factory=NetworkOptions)
    core: CoreOptions = field(default_factory=CoreOptions)
    outputs: tuple[str, ...] = ('overlay', 'sheet')
    size: int | None = None
    direction: Direction = 'forward'
    clean_mask: bool = False
    start: int = 0
    end: int | None = None
    stride: int = 1
    resume: bool = False
