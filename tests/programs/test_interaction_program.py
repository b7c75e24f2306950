"""scripts/interaction.py: the studies on clips whose outcome is known."""

import numpy as np
import pytest
import torch

from inference_core import InferenceCore
from model.confidence import confidence
from scripts import interaction
from scripts.interaction_studies import confidence as confidence_study
from scripts.interaction_studies import corrections, references, videos
from tests.helpers.clips import make_clip
from tests.helpers.coarse_network import CoarseNetwork


@pytest.fixture
def recording(tmp_path):
    (found,) = videos.find(None, 'val', None, [make_clip(tmp_path / 'clip', num_frames=9)])
    return videos.read(found, short_side=32, max_frames=9)


def test_a_recording_is_evenly_spaced_and_scaled(tmp_path):
    (found,) = videos.find(None, 'val', None, [make_clip(tmp_path / 'clip', num_frames=9)])
    every = videos.read(found, 32, 9)
    some = videos.read(found, 16, 4)
    assert (some.name, len(some.images), len(every.images)) == ('clip', 3, 9)
    assert some.images[0].shape == (3, 16, 24) and some.masks[0].shape == (16, 24)
    for t, mask in enumerate(some.ground_truth):
        np.testing.assert_array_equal(mask, every.ground_truth[3 * t])


def test_following_equals_steps_and_perfect_masks_score_100(recording):
    core = InferenceCore(CoarseNetwork())
    for t, found in enumerate(videos.follow(CoarseNetwork(), recording, given=(0, 4))):
        mask = recording.masks[t] if t in (0, 4) else None
        prob = core.step(recording.images[t], mask, whole=True)
        np.testing.assert_array_equal(found.mask, core.to_mask(prob))
        assert found.confidence == confidence(prob, [1, 2])
    assert videos.jf(recording, videos.follow(CoarseNetwork(), recording, range(9))) == 100
    assert videos.jf(recording, videos.follow(CoarseNetwork(), recording, (0,))) < 100


def test_the_study_of_references_leaves_out_the_frames_whose_masks_are_given(recording):
    ((name, scores),) = references.measure(CoarseNetwork(), [recording])
    assert name == 'clip'
    found = videos.follow(CoarseNetwork(), recording, (0, 3, 6), references=(0, 3, 6))
    assert scores['references'] == videos.jf(recording, found, leave_out=(0, 3, 6))
    assert scores['references'] != videos.jf(recording, found)


def test_the_study_of_corrections_corrects_the_frame_with_the_least_confidence(recording):
    found = videos.follow(CoarseNetwork(), recording, (0,))
    lowest = [min(frame.confidence.values()) for frame in found]
    worst = 1 + int(np.argmin(lowest[1:-1]))
    ((_, scores),) = corrections.measure(CoarseNetwork(), [recording])
    assert scores['as it is'] == videos.jf(recording, found)
    corrected = videos.follow(CoarseNetwork(), recording, (0, worst))
    assert scores['worst, met'] == videos.jf(recording, corrected) > scores['as it is']
    spaced = [
        videos.jf(recording, videos.follow(CoarseNetwork(), recording, (0, t))) for t in (1, 4, 6)
    ]
    assert scores['random, met'] == pytest.approx(np.mean(spaced))


def test_the_study_of_the_confidence_gives_a_correlation_for_each_measure(recording):
    ((_, figures),) = confidence_study.measure(CoarseNetwork(), [recording])
    assert [*figures] == [*confidence_study.MEASURES, 'error']
    assert all(-1 <= figure <= 1 for figure in figures.values())
    assert 0 < figures['error'] < 1


def test_what_measures_see_of_a_perfect_mask():
    mask = torch.zeros(32, 48, dtype=torch.bool)
    mask[8:24, 16:40] = True
    prob = torch.stack([~mask, mask]).float()
    own = torch.ones(2, 3)
    seen = confidence_study.Seen(prob, 1, mask, mask, mask, own)
    for name, measure in confidence_study.MEASURES.items():
        assert measure(seen) == pytest.approx(1), name


@pytest.mark.parametrize(
    'a, b, expected',
    [
        ([1, 2, 3, 4], [10, 20, 25, 90], 1),
        ([1, 2, 3, 4], [4, 3, 2, 1], -1),
        ([1, 2, 2, 3], [1, 2, 2, 3], 1),
        ([1, 2, 3], [2, 1, 3], 0.5),
        ([1, 1, 1], [1, 2, 3], 0),
    ],
)
def test_rank_correlation(a, b, expected):
    assert confidence_study.rank_correlation(a, b) == pytest.approx(expected)


def test_the_share_of_an_object_in_what_is_read_is_1_inside_it_and_0_elsewhere():
    network = confidence_study.OwnShare(CoarseNetwork())
    image = torch.zeros(3, 32, 32)
    image[0, :, :16], image[2, :, 16:] = 1, 1
    mask = np.zeros((32, 32), np.uint8)
    mask[:, :16] = 1
    core = InferenceCore(network)
    expected = InferenceCore(CoarseNetwork())
    core.step(image, mask)
    expected.step(image, mask)
    assert torch.equal(core.step(image), expected.step(image))
    torch.testing.assert_close(network.read[0], torch.tensor([[1.0, 0], [1, 0]]), atol=1e-3, rtol=0)


def test_nothing_to_measure_is_an_error(capsys):
    with pytest.raises(SystemExit) as end:
        interaction.main(['references'])
    assert end.value.code == 2 and 'give --davis or --clip' in capsys.readouterr().err
