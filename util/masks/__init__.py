"""Index masks: reading them from files of many kinds, and writing them."""

from util.masks.codes import DAVIS_PALETTE
from util.masks.files import as_ids, load_foreground, load_mask, read_palette, save_mask
from util.masks.reader import MaskReader

__all__ = [
    'DAVIS_PALETTE',
    'MaskReader',
    'as_ids',
    'load_foreground',
    'load_mask',
    'read_palette',
    'save_mask',
]
