"""Stand-in weights with the published names and shapes, and the small clip of the benchmarks."""

import json
from pathlib import Path

from scripts.benchmarks import stand_in
from scripts.benchmarks.stand_in import clip, draw

__all__ = ['GOLDEN', 'MANIFEST', 'clip', 'draw', 'weights']
GOLDEN = Path(__file__).parents[1] / 'golden'
MANIFEST = json.loads((GOLDEN / 'checkpoint_manifest.json').read_text())  # name -> shape


def weights(manifest=MANIFEST):
    """Made-up tensors, seeded by their names; by default those of a whole published checkpoint."""
    return stand_in.weights(manifest)
