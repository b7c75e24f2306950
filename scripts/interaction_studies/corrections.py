"""What the correction of one frame brings, chosen by its confidence or at random."""

from statistics import mean

from scripts.interaction_studies.videos import follow, jf

NUM_RANDOM = 3


def measure(network, recordings):
    """J&F of each recording: as it is, and with the ground truth of one further frame, whole.

    That frame is the one with the least confidence or, in place of a random one, each of a few
    evenly spaced ones, whose scores are averaged. Its mask is either met on the way, where it helps
    the frames after it only, or in memory from the start.
    """
    for recording in recordings:
        found = follow(network, recording, given=(0,))
        lowest = [min(frame.confidence.values()) for frame in found]
        last = len(found) - 1
        worst = min(range(1, last), key=lowest.__getitem__)
        spaced = [(2 * n + 1) * last // (2 * NUM_RANDOM) for n in range(NUM_RANDOM)]
        scores = {'as it is': jf(recording, found)}
        for way, frames in (('worst', [worst]), ('random', spaced)):
            for is_reference in (False, True):
                corrected = []
                for t in frames:
                    given = (0, t)
                    references = given if is_reference else ()
                    corrected.append(jf(recording, follow(network, recording, given, references)))
                scores[f'{way}, {"reference" if is_reference else "met"}'] = mean(corrected)
        yield recording.name, scores
