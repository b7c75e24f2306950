"""The order in which training samples come: the same for any number of processes."""

import itertools

import numpy as np

from dataset.endless import EndlessSampler


def take(count, **options):
    """The first keys of a sampler over 11 samples."""
    return list(itertools.islice(EndlessSampler(11, **options), count))


def test_the_sampler_splits_whole_batches_and_resumes_where_it_stopped():
    whole = take(30, batch_size=4)
    parts = [take(15, batch_size=2, rank=rank, world_size=2) for rank in (0, 1)]
    assert [key for pair in zip(*parts, strict=True) for key in pair] == whole
    assert [epoch for epoch, _ in whole] == list(np.repeat(range(4), 8))[:30]
    assert len(set(whole[:8])) == 8 and whole[:8] != whole[8:16]
    assert take(10, batch_size=4, start=5) == whole[20:30]
    assert len(take(20, batch_size=16)) == 20, 'a dataset smaller than a batch repeats'
