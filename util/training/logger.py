"""What a training shows: averages in a line of the progress bar, TensorBoard scalars, pictures."""

from collections import defaultdict

import numpy as np
import torch

from util.visualize import overlay


class Averages:
    """Means of what `step` returns since they were last taken; IoU over pixels, not over steps."""

    def __init__(self):
        self.clear()

    def clear(self):
        self.sums = defaultdict(float)
        self.count = 0
        self.intersection, self.union = 0, 0

    def add(self, results, **seconds):
        for name, value in {'loss': results['loss'], **seconds}.items():
            self.sums[name] += value
        self.intersection = self.intersection + np.array(results['intersection'])
        self.union = self.union + np.array(results['union'])
        self.count += 1

    def line(self, lr):
        """The means so far, for the progress bar."""
        loss, seconds = self.sums['loss'] / self.count, self.sums['time'] / self.count
        iou = ' '.join(f'{x:.2f}' for x in self.intersection / np.maximum(self.union, 1))
        waiting = self.sums['data_time'] / self.sums['time']
        return f'loss {loss:.3f} IoU {iou} lr {lr:.0e} {seconds:.2f} s, {waiting:.1%} waiting'

    def take(self):
        """-> dict of means, and start anew."""
        means = {name: total / self.count for name, total in self.sums.items()}
        for number, iou in enumerate(self.intersection / np.maximum(self.union, 1), 1):
            means[f'iou_{number}'] = float(iou)
        self.clear()
        return means


class Logger:
    """TensorBoard under log/ID, and one line a report on the console; nothing but that for NULL."""

    def __init__(self, folder):
        self.writer = None
        if folder is not None:
            from torch.utils.tensorboard import SummaryWriter

            self.writer = SummaryWriter(str(folder))

    def scalars(self, values, iteration):
        figures = '  '.join(f'{name} {value:.4g}' for name, value in values.items())
        print(f'iteration {iteration}: {figures}', flush=True)
        for name, value in values.items():
            if self.writer:
                self.writer.add_scalar(name, value, iteration)

    def picture(self, name, image, iteration):
        """image: uint8 (H, W, 3)."""
        if self.writer:
            self.writer.add_image(name, image, iteration, dataformats='HWC')

    def close(self):
        if self.writer:
            self.writer.close()


def training_grid(batch, logits, max_samples=4):
    """The samples of a batch, a row each: for every frame image, prediction and truth.

    batch: see PropagationModel.step; logits (B, T-1, K+1, H, W) -> uint8 (rows, columns, 3).
    The first frame has no prediction; its mask is given.
    """
    rows = []
    predictions = logits.argmax(2).to(torch.uint8).cpu()
    for b in range(min(max_samples, len(logits))):
        row = []
        for t, image in enumerate(batch['frames'][b]):
            picture = (image * 255).round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0)
            picture = np.ascontiguousarray(picture.cpu().numpy())
            truth = batch['masks'][b, t].cpu().numpy().astype(np.uint8)
            row.append(picture)
            if t > 0:
                row.append(overlay(picture, predictions[b, t - 1].numpy()))
            row.append(overlay(picture, truth))
        rows.append(np.hstack(row))
    return np.vstack(rows)
