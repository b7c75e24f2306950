"""How often the network finds a point of one picture in another, against colours alone."""

import numpy as np
import torch
from skimage.data import stereo_motorcycle

from model.network import load_network
from util.correspondence.run import relate
from util.device import choose_device, configure_torch
from util.options import choose_model

SHORT_SIDE = 480  # both pictures are scaled to it for the network
RADII = (1, 2)  # in feature cells


def run(options):
    """The share of points found within 1 and 2 cells, on the stereo pair of a motorcycle.

    A point is the middle of a feature cell of the left picture whose true place in the right one is
    known and lies inside it. It counts as found if the middle of the cell chosen, out of all cells
    of the right picture, lies that near to the true place (Euclidean; a cell is 16 pixels of what
    the network sees). There are four ways to choose the cell:

    - network: where the affinity is largest in the point's row; a point that no cell of the right
      picture reads from is not found.
    - mean colour: the nearest mean colour (RGB over the cell's pixels).
    - same place: the cell at the same place, as if nothing had moved.
    - chance: any cell at all.
    """
    configure_torch()
    source, target, disparity = stereo_motorcycle()
    model = choose_model(options.model)
    network = load_network(model, choose_device(options.device))
    pair = relate(network, source, target, SHORT_SIDE)
    cells, places = map(torch.from_numpy, true_places(pair, disparity))
    colours = mean_colours(pair.source, source), mean_colours(pair.target, target)
    best = {
        'network': pair.weights[cells].argmax(1),
        'mean colour': torch.cdist(colours[0][cells], colours[1]).argmin(1),
        'same place': cells,
    }
    cell_side = 16 * source.shape[0] / pair.source.network_size[0]
    middles = torch.tensor([pair.target.centre(cell) for cell in range(len(colours[1]))])
    away = torch.cdist(places.float(), middles.float()) / cell_side  # points, M
    distances = {name: away.gather(1, cell[:, None]) for name, cell in best.items()}
    lost = pair.weights[cells].amax(1) == 0
    distances['network'][lost] = torch.inf
    figures = {
        'network': str(model),
        'pair': f'motorcycle, short side {SHORT_SIDE}, {len(cells)} points, {away.shape[1]} cells',
        'points that no cell reads from': int(lost.sum()),
    }
    for radius in RADII:
        for name, distance in {**distances, 'chance': away}.items():
            share = (distance <= radius).float().mean().item()
            figures[f'within {radius} cells, {name}'] = f'{share:.1%}'
    return figures


def true_places(pair, disparity):
    """Cells of the source whose true place in the target is known (P,), and these places (P, 2).

    A place is a pixel (x, y).
    """
    points = np.array([pair.source.centre(cell) for cell in range(len(pair.weights))])  # N, 2
    x, y = points.T
    # pixel x on the left shows what x - disparity shows on the right; the docstring of
    # stereo_motorcycle states the opposite
    places = np.stack([x - disparity[y, x], y], 1)
    known = np.isfinite(places[:, 0]) & (places[:, 0] >= 0)
    return known.nonzero()[0], places[known]


def mean_colours(grid, picture):
    """Mean red, green and blue of each cell: (h*w, 3)."""
    return torch.stack([grid.reduce(picture[..., channel]) for channel in range(3)], 1)
