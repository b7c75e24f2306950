"""Settings of the process that programs, and only they, make."""

import pytest
import torch
from PIL import Image

from util.device import configure_torch


@pytest.fixture
def settings_restored():
    tf32 = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    num_threads, max_pixels = torch.get_num_threads(), Image.MAX_IMAGE_PIXELS
    yield
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.set_num_threads(num_threads)
    Image.MAX_IMAGE_PIXELS = max_pixels


@pytest.mark.usefixtures('settings_restored')
@pytest.mark.parametrize('num_threads, expected', [(1, 2), (2, 2), (3, 3)])
def test_a_program_computes_without_tf32_and_with_two_threads_at_least(num_threads, expected):
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    torch.set_num_threads(num_threads)
    configure_torch()
    assert not torch.backends.cudnn.allow_tf32 and not torch.backends.cuda.matmul.allow_tf32
    assert torch.get_num_threads() == expected
