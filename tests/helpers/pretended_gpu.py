"""Run as a program, this segments frames on a GPU that is only pretended.

Tensors have a device there, but no values: an operation fails if its tensors are on two devices, or
if the host would have to wait for a value.
"""

import torch
from torch._subclasses import FakeTensorMode

from inference_core import InferenceCore
from model.bank import KeptFrame
from model.fuse import prepare_for_inference
from model.network import PropagationNetwork

HEIGHT, WIDTH = 48, 64


def core_with_memory(network, num_frames, num_objects, **options):
    """An InferenceCore that has just segmented a frame, with `num_frames` of them in memory."""
    core = InferenceCore(network, mem_every=1, **options)
    shape = HEIGHT // 16, WIDTH // 16
    for index in range(num_frames - 1):
        keys = torch.rand(num_objects, 128, *shape, device=network.device)
        values = torch.rand(num_objects, 512, *shape, device=network.device)
        ids = [*range(1, num_objects + 1)]
        core.restore([KeptFrame(index, index == 0, ids, [index] * num_objects, keys, values)])
    core.step(picture(network))  # the next step will memorise it
    return core


def picture(network):
    return torch.full((3, HEIGHT, WIDTH), 99, dtype=torch.uint8, device=network.device)


def move(network, device):
    """Give the weights of a network another device, in their present layout."""
    for module in network.modules():
        for name, x in [*module.named_parameters(recurse=False)]:
            setattr(module, name, torch.nn.Parameter(like(x, device), requires_grad=False))
        for name, x in [*module.named_buffers(recurse=False)]:
            setattr(module, name, like(x, device))


def like(x, device):
    return torch.empty_strided(x.shape, x.stride(), dtype=x.dtype, device=device)


def main():
    torch.inference_mode = lambda *_: torch.no_grad()  # the mode below does not go with it
    network = prepare_for_inference(PropagationNetwork(), device=torch.device('cuda'))
    with FakeTensorMode():
        move(network, torch.device('cuda', 0))
        for options in ({}, {'top_k': None}, {'kernel_sigma': 5.6}):
            prob = core_with_memory(network, 9, 2, **options).step(picture(network))
            print(f'{options}: {prob.device} {tuple(prob.shape)}')


if __name__ == '__main__':
    main()
