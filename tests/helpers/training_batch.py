"""A batch as the training data gives it, drawn by the stand-in clip."""

import torch

from tests.helpers import stand_in


def make_batch(num_samples=2, num_objects=2, size=48, seed=0):
    """Samples of two moving boxes on three frames; all but the first sample lack object 2."""
    frames, masks = [], []
    for number in range(num_samples):
        images, mask = stand_in.clip(3, size, size, seed + number)
        frames.append(torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255)
        masks.append(torch.from_numpy(mask).long())
    masks, valid = torch.stack(masks), torch.ones(num_samples, num_objects)
    valid[1:, 1:] = 0
    masks = torch.where(masks > valid.sum(1).long()[:, None, None, None], 0, masks)
    names = [f'sample {number}' for number in range(num_samples)]
    return {'frames': torch.stack(frames), 'masks': masks, 'valid': valid, 'name': names}
