"""A checkpoint with int8 kernels: see shrink_checkpoint.py."""

from model.network import load_network
from model.weights import quantize
from util.tensor import save_tensors


def shrink(checkpoint, output, short_side=None):
    """Write the network of a checkpoint to `output` in a quarter of its size.

    short_side: the short side it is best at; None keeps what the checkpoint says.
    """
    network = load_network(checkpoint)
    weights = {name: weight.contiguous() for name, weight in network.state_dict().items()}
    save_tensors(output, quantize(weights, short_side or network.short_side))
