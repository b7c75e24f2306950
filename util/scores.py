"""Region similarity J and boundary accuracy F of DAVIS, computed by the vos-benchmark package.

Perazzi et al., CVPR 2016, section 4 (J, F); Pont-Tuset et al., arXiv:1704.00675 (several objects).
"""

from typing import NamedTuple

import numpy as np
from vos_benchmark.evaluator import Evaluator


class Score(NamedTuple):
    """In percent, means over frames."""

    j: float
    f: float

    @property
    def jf(self):
        return (self.j + self.f) / 2


def score_video(pairs):
    """pairs of (truth, prediction), uint8 (H, W) masks of ids, in order -> dict id -> Score.

    DAVIS leaves out the first frame (it is given) and the last: do so before calling.
    """
    evaluator = Evaluator()
    for truth, prediction in pairs:
        evaluator.feed_frame(prediction, truth)
    region, boundary = evaluator.conclude()
    return {number: Score(region[number], boundary[number]) for number in sorted(region)}


def mean_score(scores):
    """Scores of objects -> their mean; every object counts once, however many its video has."""
    return Score(*np.mean([tuple(score) for score in scores], 0))
