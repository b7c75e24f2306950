"""The formats that propagate.py writes: only those asked for, and whole or not at all."""

from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pytest

from tests.helpers import stand_in
from util.propagation.outputs import OUTPUTS, open_outputs


class Frame(NamedTuple):
    """The fields of a dataset.video.Frame that the formats use."""

    index: int
    picture: np.ndarray
    name: str


class Images:
    """The fields of a source without times that the formats use."""

    size, times = (48, 64), MappingProxyType({})


def add_frames(add, images, masks):
    for number, (image, mask) in enumerate(zip(images, masks, strict=True)):
        add(Frame(number, image, f'{number:05}'), mask)


def test_only_the_formats_asked_for_are_written(tmp_path):
    images, masks = stand_in.clip(3, 48, 64)
    with open_outputs(tmp_path, ['sheet'], Images(), 25.0) as add:
        add_frames(add, images, masks)
    assert [path.name for path in tmp_path.iterdir()] == ['contact_sheet.png']


@pytest.mark.parametrize('num_frames', [0, 1, 40])
@pytest.mark.parametrize('error', [ValueError, KeyboardInterrupt])
def test_a_failed_run_leaves_no_output(tmp_path, num_frames, error):
    images, masks = stand_in.clip(num_frames, 48, 64)
    with pytest.raises(error), open_outputs(tmp_path, list(OUTPUTS), Images(), 25.0) as add:
        add_frames(add, images, masks)
        raise error
    assert list(tmp_path.iterdir()) == []
