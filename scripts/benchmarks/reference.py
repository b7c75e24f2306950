"""A plain reference implementation of the method: slow and simple on purpose.

The whole memory is concatenated, the softmax is dense, and objects come one at a time. Tests and
benchmarks compare the project's own code with it. Legend: T frames, K objects, h w feature cells.
"""

import math

import torch
import torch.nn.functional as F


def read(memory_keys, memory_values, query_key, top_k=None, sigma=None):
    """Read the memory of one object: keys (CK, T, h, w), values (CV, T, h, w).

    query_key (CK, h, w). Returns (CV, h, w).
    """
    height, width = query_key.shape[-2:]
    scores = memory_keys.flatten(1).T @ query_key.flatten(1) / math.sqrt(len(query_key))  # N, M
    weights = (scores - scores.max(0).values).exp()
    if sigma is not None:
        best = scores.argmax(1)
        y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing='ij')
        dy = y.flatten()[None] - (best // width)[:, None]
        dx = x.flatten()[None] - (best % width)[:, None]
        weights = weights * (-(dy**2 + dx**2) / (2 * sigma**2)).exp()
    if top_k is not None:
        smallest = weights.topk(min(top_k, len(weights)), 0).values[-1]
        weights = torch.where(weights >= smallest, weights, 0)
    weights = weights / weights.sum(0)
    return (memory_values.flatten(1) @ weights).view(-1, height, width)


def aggregate(prob):
    """Probabilities of K objects (K, H, W) as those of background and objects (K+1, H, W)."""
    joint = torch.cat([(1 - prob).prod(0, keepdim=True), prob]).clamp(1e-7, 1 - 1e-7)
    return (joint / (1 - joint)).log().softmax(0)


@torch.no_grad()
def propagate(network, images, annotations, **options):
    """The last ids that `frames` yields, and all its probabilities in a list."""
    ids, results = zip(*frames(network, images, annotations, **options), strict=True)
    return ids[-1], list(results)


def frames(network, images, annotations, *, top_k=50, mem_every=5, sigma=None):
    """Propagate through images (T, 3, H, W) in [0, 1].

    annotations: frame -> mask of ids (H, W). Yields ids and probabilities (K+1, H, W) from the
    first annotated frame on, for the K objects known by then.
    """
    height, width = images.shape[-2:]
    top, left = (-height % 16) // 2, (-width % 16) // 2
    pads = (left, -width % 16 - left, top, -height % 16 - top)
    first = min(annotations)
    ids, memory = [], {}
    objects = last = None
    for t in range(first, len(images)):
        normal = F.pad(network.normalize(images[t]), pads)
        image = normal * network.std + network.mean  # the network normalises it to `normal` again
        if objects is not None:
            query = network.encode_query(image[None])
            logits = []
            for i in ids:
                keys = torch.cat([frame[0] for frame in memory[i]], 1)
                values = torch.cat([frame[1] for frame in memory[i]], 1)
                readout = read(keys, values, query.key[0], top_k, sigma)
                logits.append(network.decode(query, readout[None, None])[0, 0])
            objects = aggregate(torch.stack(logits).sigmoid())[1:]
        if t in annotations:
            mask = F.pad(torch.as_tensor(annotations[t]).long(), pads).to(images.device)
            new = [i for i in mask.unique().tolist() if i and i not in ids]
            ids += new
            blank = images.new_zeros(len(new), *mask.shape)
            objects = blank if objects is None else torch.cat([objects, blank])
            objects = objects * (mask == 0)
            for i in mask.unique().tolist():
                if i:
                    objects[ids.index(i)] = (mask == i).float()
            objects, last = aggregate(objects)[1:], t
        background = 1 - objects.sum(0, keepdim=True)
        prob = torch.cat([background, objects])
        yield ids, prob[:, top : top + height, left : left + width]
        remember(network, memory, ids, image, objects, keep=(t - last) % mem_every == 0)


def remember(network, memory, ids, image, objects, keep):
    """Append this frame to every object's memory and drop the frame that was not to be kept."""
    keys, values = network.memorize(image[None], objects[None])
    for channel, i in enumerate(ids):
        kept = [frame for frame in memory.get(i, []) if frame[2]]
        memory[i] = [*kept, (keys[0, channel][:, None], values[0, channel][:, None], keep)]


def training_loss(network, frames, masks, valid, iteration):
    """The training loss, bootstrapped cross entropy, sample by sample and object by object.

    frames (B, 3, 3, H, W), masks (B, 3, H, W) of 0..K, valid (B, K). Returns the loss and p, the
    share of the hardest pixels that it is averaged over.
    """
    p = 1.0 if iteration < 20_000 else max(0.15, 1 - 0.85 * (iteration - 20_000) / 50_000)
    total = 0
    for sample, mask, present in zip(frames, masks, valid, strict=True):
        num_objects = len(present)
        objects = torch.stack([(mask[0] == k + 1).float() for k in range(num_objects)])
        keys, values = [], []
        for t in (1, 2):
            key, value = network.memorize(sample[t - 1][None], objects[None])
            keys.append(key[0])
            values.append(value[0])
            query = network.encode_query(sample[t][None])
            probs = []
            for k in range(num_objects):
                memory = [torch.stack([frame[k] for frame in kind], 1) for kind in (keys, values)]
                readout = read(*memory, query.key[0])
                probs.append(network.decode(query, readout[None, None])[0, 0].sigmoid())
            probs = torch.stack(probs) * present[:, None, None]
            joint = torch.cat([(1 - probs).prod(0, keepdim=True), probs]).clamp(1e-7, 1 - 1e-7)
            logits = (joint / (1 - joint)).log()
            objects = logits.softmax(0)[1:]
            channels = 1 + int(present.sum())
            losses = F.cross_entropy(logits[None, :channels], mask[t][None], reduction='none')
            hardest = losses.flatten().sort(descending=True).values[: int(p * losses.numel())]
            total = total + hardest.mean()
    return total / len(frames), p
