"""examples/library.py runs, and does what it shows."""

import numpy as np
import pytest
from PIL import Image

from examples import library
from tests.helpers.clips import frame_names, make_clip, make_video
from tests.helpers.coarse_network import CoarseNetwork
from util.masks import load_mask, save_mask


@pytest.fixture
def results(tmp_path, monkeypatch, capsys):
    """A run on eight frames, where object 2 is erased in frame 4: (masks, cut-outs, lines)."""
    clip = make_clip(tmp_path / 'clip')
    video, folder, output = (
        make_video(clip, tmp_path / 'clip.mkv'),
        tmp_path / 'in',
        tmp_path / 'out',
    )
    folder.mkdir()
    Image.open(clip / 'images' / '00007.png').save(folder / 'reference.jpg', quality=100)
    for frame, name in (('00007', 'reference'), ('00004', '4')):
        mask = load_mask(clip / 'masks' / f'{frame}.png')
        save_mask(folder / f'{name}.png', np.where(mask == 2, 0, mask) if name == '4' else mask)
    monkeypatch.setattr(library, 'load_for_inference', CoarseNetwork)
    library.main([str(video), str(folder), str(output)])
    masks = {name: load_mask(output / f'{name}.png') for name in frame_names(range(8))}
    cut_outs = {name: Image.open(output / f'{name}_cut_out.png') for name in masks}
    return clip, masks, cut_outs, capsys.readouterr().out.splitlines()


def test_the_example_follows_from_a_reference_corrects_and_removes(results):
    clip, masks, _, lines = results
    assert all((masks[name] == i).any() for name in frame_names(range(4)) for i in (1, 2))
    truth = load_mask(clip / 'masks' / '00004.png')
    np.testing.assert_array_equal(masks['00004'], np.where(truth == 2, 0, truth))
    assert not any((masks[name] == 2).any() for name in frame_names(range(4, 8)))
    assert all((masks[name] == 1).any() for name in masks)
    assert [line.count('object') for line in lines] == [2, 2, 2, 2, 2, 1, 1, 1]
    assert 'object 2 100%' in lines[4], 'it is certain that it is absent'


def test_the_example_exports_cut_outs_with_the_colours_of_the_frame(results):
    clip, masks, cut_outs, _ = results
    for name, cut_out in cut_outs.items():
        picture = np.asarray(cut_out)
        assert cut_out.mode == 'RGBA'
        frame = np.asarray(Image.open(clip / 'images' / f'{name}.png'))
        np.testing.assert_allclose(picture[..., :3].astype(int), frame, atol=3)
    corrected = np.asarray(cut_outs['00004'])[..., 3]
    np.testing.assert_array_equal(corrected, 255 * (masks['00004'] > 0))
    assert len(np.unique(np.asarray(cut_outs['00005'])[..., 3])) > 20, 'others have soft borders'


def test_without_arguments_the_example_says_what_it_needs():
    with pytest.raises(SystemExit, match='VIDEO MASKS OUTPUT'):
        library.main([])
