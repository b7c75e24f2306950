"""scripts/shrink_checkpoint.py: the short side that a network is best at stays with it."""

import pytest
import torch

from model.network import load_network
from scripts import shrink_checkpoint


def shrunk(checkpoint, path, *options):
    """The network of a checkpoint after `shrink_checkpoint.py CHECKPOINT PATH OPTIONS`."""
    shrink_checkpoint.main([str(checkpoint), str(path), *options])
    return load_network(path)


def test_the_short_side_is_stored_kept_and_replaced(checkpoint, tmp_path):
    first, second, third = (tmp_path / f'{number}.pth' for number in range(3))
    assert shrunk(checkpoint, first, '--short_side', '240').short_side == 240
    assert shrunk(first, second).short_side == 240
    assert shrunk(first, third, '--short_side', '480').short_side == 480


def test_without_a_short_side_the_file_states_none(checkpoint, tmp_path):
    assert shrunk(checkpoint, tmp_path / 'small.pth').short_side is None
    assert torch.load(tmp_path / 'small.pth').keys() == {'network', 'scales'}


def test_a_short_side_below_one_cell_is_refused(checkpoint, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        shrunk(checkpoint, tmp_path / 'small.pth', '--short_side', '8')
    assert stop.value.code == 2
    assert '--short_side 8: must be at least 16' in capsys.readouterr().err
    assert not (tmp_path / 'small.pth').exists()
