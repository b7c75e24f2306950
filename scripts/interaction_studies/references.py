"""What masks bring if they are in memory from the start, rather than from their frame on."""

from scripts.interaction_studies.videos import follow, jf


def measure(network, recordings):
    """J&F of each recording, with one mask and, in three ways, with three.

    The masks are the ground truth of the first frame and of those after one and two thirds of the
    video, whole; none of these frames is scored.
    """
    for recording in recordings:
        num_frames = len(recording.images)
        three = (0, num_frames // 3, 2 * num_frames // 3)
        ways = {
            'one mask': {'given': three[:1]},
            'three met': {'given': three},
            'references': {'given': three, 'references': three},
            'not met again': {'given': (), 'references': three},
        }
        found = {way: follow(network, recording, **masks) for way, masks in ways.items()}
        yield recording.name, {way: jf(recording, found[way], three) for way in ways}
