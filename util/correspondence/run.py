"""Find points or a mask of one picture in another, and show or write what was found."""

import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from dataset.sizes import Size, fit_mask, resize_image, size_for_network
from model.correspondence import Correspondence, Grid, correspond
from model.network import PropagationNetwork, load_network
from util.correspondence.options import CorrespondenceOptions
from util.correspondence.window import Viewer, save_picture, show
from util.device import choose_device, configure_torch
from util.errors import UserError
from util.files import save_json
from util.images import read_image
from util.masks.codes import read_drawn_codes
from util.options import choose_model, choose_short_side

MAX_ENTRIES = 2**30  # the largest affinity between two pictures: 4 GiB of float32


def run(options: CorrespondenceOptions) -> None:
    """Open the window, or write the files that the options name."""
    configure_torch()
    source, target = read_image(options.source), read_image(options.target)
    mask = load_source_mask(options.mask, source.shape[:2]) if options.mask else None
    check_points(options.points, source.shape[:2])
    model = choose_model(options.network.model)
    network = load_network(model, choose_device(options.network.device), for_inference=True)
    short_side = choose_short_side(options.size, network.short_side)
    pair = relate(network, source, target, short_side)
    titles = (f'source: {options.source.name}', f'target: {options.target.name}')
    viewer = Viewer(pair, source, target, titles)
    if options.points:
        viewer.set_points(options.points)
    elif mask is not None:
        viewer.set_mask(mask)
    if options.opens_window:
        return show(viewer)
    print(*viewer.findings(), sep='\n')
    if options.save:
        save_picture(options.save, viewer.picture())
    if options.json:
        save_json(options.json, summarize(options, model, short_side, viewer))


def load_source_mask(path: Path, size: Size) -> np.ndarray:
    """Read which pixels of the source to find: bool (H, W), True where the image is not 0.

    size: (H, W) of the source. Raises UserError for another size, or if no pixel is chosen.
    """
    codes = read_drawn_codes(path).codes
    mask = fit_mask(path, (codes != 0).astype(np.uint8), size) > 0
    if not mask.any():
        raise UserError(f'{path}: every pixel is background (0); paint what is to be found')
    return mask


def check_points(points: Iterable[tuple[int, int]], size: Size) -> None:
    """Raise UserError for a point (x, y) outside the source, whose size is (H, W)."""
    height, width = size
    for x, y in points:
        if not (0 <= x < width and 0 <= y < height):
            raise UserError(
                f'--point {x},{y}: outside the source, which is {width}x{height}; choose X in '
                f'0..{width - 1} and Y in 0..{height - 1}'
            )


def relate(
    network: PropagationNetwork, source: np.ndarray, target: np.ndarray, short_side: int | None
) -> Correspondence:
    """Compute the Correspondence between two pictures, uint8 (H, W, 3), of any two sizes.

    short_side: what both are scaled to before the network sees them; None keeps their sizes.
    Raises UserError (parameter 'short_side') if that takes too much memory.
    """
    pictures = {'source': source, 'target': target}
    sizes = [size_for_network(name, p.shape[:2], short_side) for name, p in pictures.items()]
    grids = [Grid(p.shape[:2], size) for p, size in zip(pictures.values(), sizes, strict=True)]
    num_entries = math.prod(math.prod(grid.shape) for grid in grids)
    if num_entries > MAX_ENTRIES:
        raise UserError(
            f'the two pictures have {num_entries / 1e9:.1f} billion pairs of cells, and at most '
            f'{MAX_ENTRIES / 1e9:.1f} fit; choose a smaller short side',
            parameter='short_side',
        )
    images = []
    for picture, size in zip(pictures.values(), sizes, strict=True):
        image = torch.from_numpy(picture).permute(2, 0, 1).float() / 255
        images.append(resize_image(image, size))
    return Correspondence(correspond(network, *images), *grids)


def summarize(
    options: CorrespondenceOptions, model: Path, short_side: int | None, viewer: Viewer
) -> dict:
    """The content of the JSON file. Points and matches are pixels (x, y).

    `model.correspondence.Match` says what the probability means.
    """
    points: list[dict] = [{'point': point} for point in viewer.points]
    sources = points or [{'mask': str(options.mask)}]
    return {
        'source': str(options.source),
        'target': str(options.target),
        'model': str(model),
        'size': short_side or -1,
        'matches': [
            {**source, 'match': match.point, 'probability': match.probability}
            for source, match in zip(sources, viewer.matches, strict=True)
        ],
    }
