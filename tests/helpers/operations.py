"""What a computation asks of its device: the operations, and where the host would wait for it."""

from collections import Counter

import torch
from torch.utils._python_dispatch import TorchDispatchMode

# These only make or describe a tensor; nothing is launched on a GPU.
FREE = {'empty', 'empty_like', 'empty_strided', 'new_empty', 'detach', '_unsafe_view', 'lift_fresh'}
# The host waits until it knows a value or a number of elements. `tolist` and `item` are
# _local_scalar_dense, too, and bool(tensor) as well.
WAITING = {
    '_local_scalar_dense', 'nonzero', 'masked_select', '_unique', '_unique2', 'unique_dim',
    'unique_consecutive', 'repeat_interleave', 'equal', 'is_nonzero',
}  # fmt: skip


class Operations(TorchDispatchMode):
    """Records the operations inside a `with` block.

    Attributes:
        count: number of operations by name; views and empty tensors are left out.
        waits: those that make the host wait, with what they were given.
        casts: (data_ptr, dtype) of the float tensors that were copied to another dtype.
    """

    def __init__(self):
        super().__init__()
        self.count, self.waits, self.casts = Counter(), [], []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = function._schema.name.removeprefix('aten::')
        if not name.startswith('upsample'):  # its decomposition is only meant for compilers
            with self:  # in inference mode, composite operations arrive here whole
                result = function.decompose(*args, **kwargs)
            if result is not NotImplemented:
                return result
        if name in WAITING or (name in ('index', 'index_put', 'index_put_') and by_mask(args[1])):
            self.waits.append(name)
        if name == '_to_copy' and args[0].is_floating_point():
            self.casts.append((args[0].data_ptr(), kwargs.get('dtype')))
        if not is_view(function) and name not in FREE:
            self.count[name] += 1
        return function(*args, **kwargs)

    @property
    def total(self):
        return sum(self.count.values())


def is_view(function):
    """Whether what it returns shares memory with an argument that it does not change."""
    aliases = [returned.alias_info for returned in function._schema.returns]
    return any(alias is not None and not alias.is_write for alias in aliases)


def by_mask(indices):
    """Whether one of these indices is boolean: it is turned into the numbers of its True."""
    return any(index is not None and index.dtype == torch.bool for index in indices)
