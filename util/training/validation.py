"""Scoring a network on the way of its training."""

import itertools
import tempfile
from pathlib import Path

from util import distributed
from util.evaluation.run import num_frames, segment
from util.run_info import Stopwatch
from util.scores import mean_score, score_video


def mean_of(sequences, new_core, device):
    """Mean Score over the objects of all sequences, segmented by a new_core() each.

    The processes share the sequences. The masks are thrown away.
    """
    scores = []
    with tempfile.TemporaryDirectory() as folder:
        for sequence in distributed.split_by_cost(sequences, cost=num_frames):
            segment(sequence, new_core(), Stopwatch(device), Path(folder))
            scores += score_video(sequence.truth, Path(folder) / sequence.name).values()
    return mean_score(itertools.chain(*distributed.gather(scores)))
