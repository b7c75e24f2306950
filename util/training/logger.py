"""Reports on a training: means in the progress bar, scalars and images in TensorBoard."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.tensorboard import SummaryWriter

from util.visualize import overlay


class Averages:
    """Means over the iterations since they were last taken.

    IoU is computed over the pixels of all iterations together, not averaged.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget all iterations."""
        self.sums: dict[str, float] = defaultdict(float)
        self.count = 0
        self.intersection = self.union = np.zeros(1)  # one entry per object after the first `add`

    def add(self, results: Mapping[str, Any], **seconds: float) -> None:
        """Add an iteration: what `PropagationModel.step` returned, and how long its parts took."""
        for name, value in {'loss': results['loss'], **seconds}.items():
            self.sums[name] += value
        self.intersection = self.intersection + np.array(results['intersection'])
        self.union = self.union + np.array(results['union'])
        self.count += 1

    def iou(self) -> np.ndarray:
        """The IoU of each object; 0 for one without pixels."""
        return self.intersection / np.maximum(self.union, 1)

    def line(self, lr: float) -> str:
        """The means as a label for the progress bar."""
        loss, seconds = self.sums['loss'] / self.count, self.sums['time'] / self.count
        iou = ' '.join(f'{x:.2f}' for x in self.iou())
        waiting = self.sums['data_time'] / self.sums['time']
        return f'loss {loss:.3f} IoU {iou} lr {lr:.0e} {seconds:.2f} s, {waiting:.1%} waiting'

    def take(self) -> dict[str, float]:
        """Return the means by name and clear them."""
        means = {name: total / self.count for name, total in self.sums.items()}
        means |= {f'iou_{number}': float(iou) for number, iou in enumerate(self.iou(), 1)}
        self.clear()
        return means


class Logger:
    """Writes to the console and to TensorBoard; with folder None, to the console alone."""

    def __init__(self, folder: Path | None) -> None:
        self.writer = SummaryWriter(str(folder)) if folder else None

    def scalars(self, values: Mapping[str, float], iteration: int) -> None:
        """Print the values on one line and log them."""
        figures = '  '.join(f'{name} {value:.4g}' for name, value in values.items())
        print(f'iteration {iteration}: {figures}', flush=True)
        if self.writer:
            for name, value in values.items():
                self.writer.add_scalar(name, value, iteration)

    def picture(self, name: str, image: np.ndarray, iteration: int) -> None:
        """Log an image, uint8 (H, W, 3)."""
        if self.writer:
            self.writer.add_image(name, image, iteration, dataformats='HWC')

    def close(self) -> None:
        """Write whatever is still buffered."""
        if self.writer:
            self.writer.close()


def training_grid(
    batch: Mapping[str, Any], logits: torch.Tensor, max_samples: int = 4
) -> np.ndarray:
    """Draw a batch, one sample per row: image, prediction and ground truth of each frame.

    The first frame has no prediction, since its mask is given.

    Arguments:
        batch: see `PropagationModel.step`.
        logits: (B, T-1, K+1, H, W).
        max_samples: draw at most this many samples.
    Returns:
        uint8 (rows, columns, 3).
    """
    rows = []
    predictions = logits.argmax(2).to(torch.uint8).cpu()
    for b in range(min(max_samples, len(logits))):
        row = []
        for t, image in enumerate(batch['frames'][b]):
            picture = (image * 255).round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0)
            picture = np.ascontiguousarray(picture.cpu().numpy())
            ground_truth = batch['masks'][b, t].cpu().numpy().astype(np.uint8)
            row.append(picture)
            if t > 0:
                row.append(overlay(picture, predictions[b, t - 1].numpy()))
            row.append(overlay(picture, ground_truth))
        rows.append(np.hstack(row))
    return np.vstack(rows)
