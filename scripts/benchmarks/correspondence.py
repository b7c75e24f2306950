"""How often the network finds a point of one picture in another, against colours alone."""

import numpy as np

SHORT_SIDE = 480  # of what the network sees
RADII = (1, 2)  # in feature cells


def run(args):
    """The share of points that are found within 1 and 2 cells, on scikit-image's motorcycle.

    Points: the middle of each feature cell of the left picture whose true place in the right one
    is known and lies inside it. Found: the middle of the best cell, out of all cells of the right
    picture, lies that near to the true place (Euclidean; a cell is 16 pixels of the network). Four
    ways to choose that cell: the network's W (largest in the point's row; a point that no cell
    takes anything from is not found); the nearest mean colour (RGB of the cell's pixels); the
    cell at the same place, as if nothing had moved; any cell at all (chance).
    """
    import torch
    from skimage.data import stereo_motorcycle

    from model.network import load_network
    from try_correspondence import relate
    from util.device import choose_device
    from util.options import choose_model

    source, target, disparity = stereo_motorcycle()
    model = choose_model(args.model)
    network = load_network(model, choose_device(args.device))
    pair = relate(network, source, target, SHORT_SIDE)
    cells, truth = map(torch.from_numpy, true_places(pair, disparity))
    colours = mean_colours(pair.source, source), mean_colours(pair.target, target)
    best = {
        'network': pair.weights[cells].argmax(1),
        'mean colour': torch.cdist(colours[0][cells], colours[1]).argmin(1),
        'same place': cells,
    }
    cell_side = 16 * source.shape[0] / pair.source.network_size[0]
    middles = torch.tensor([pair.target.centre(cell) for cell in range(len(colours[1]))])
    away = torch.cdist(truth.float(), middles.float()) / cell_side  # points, M
    distances = {name: away.gather(1, cell[:, None]) for name, cell in best.items()}
    lost = pair.weights[cells].amax(1) == 0
    distances['network'][lost] = torch.inf
    figures = {
        'network': str(model),
        'pair': f'motorcycle, short side {SHORT_SIDE}, {len(cells)} points, {away.shape[1]} cells',
        'points that no cell takes from': int(lost.sum()),
    }
    for radius in RADII:
        for name, distance in {**distances, 'chance': away}.items():
            share = (distance <= radius).float().mean().item()
            figures[f'within {radius} cells, {name}'] = f'{share:.1%}'
    return figures


def true_places(pair, disparity):
    """-> the cells of the source whose true place is known (P,), these places (P, 2) as x, y."""
    points = np.array([pair.source.centre(cell) for cell in range(len(pair.weights))])  # N, 2
    x, y = points.T
    # left x shows what right x - disparity shows; scikit-image's docstring has it the other way
    places = np.stack([x - disparity[y, x], y], 1)
    known = np.isfinite(places[:, 0]) & (places[:, 0] >= 0)
    return known.nonzero()[0], places[known]


def mean_colours(grid, picture):
    """-> (h*w, 3): mean red, green and blue of each cell."""
    import torch

    return torch.stack([grid.reduce(picture[..., channel]) for channel in range(3)], 1)
