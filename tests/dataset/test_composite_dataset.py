"""dataset/composite_dataset.py and cutouts.py: samples with things pasted."""

import numpy as np
import pytest
import torch
from PIL import Image

from dataset.composite_dataset import CompositeDataset, texture
from dataset.cutouts import SOLID, camouflage, find_cutouts, paste, read_cutout, usable_cutouts
from dataset.stages import build_stage
from tests.helpers.training_trees import CROP, assert_same, own_tree, videos_of
from util.errors import UserError

RED = (250, 5, 5)


@pytest.fixture
def cutouts(tmp_path):
    """Two red discs, one of them with a speck far away."""
    folder = tmp_path / 'cutouts'
    (folder / 'more').mkdir(parents=True)
    for name in ('a.png', 'more/b.png'):
        y, x = np.mgrid[:60, :60]
        alpha = ((y - 30) ** 2 + (x - 30) ** 2 < 200) * np.uint8(255)
        alpha[2:4, 55:58] = 255 if name == 'a.png' else 0
        image = np.dstack([np.full((60, 60), value, np.uint8) for value in RED] + [alpha])
        Image.fromarray(image).save(folder / name)
    return folder


@pytest.fixture
def composite(tmp_path, cutouts):
    return CompositeDataset(videos_of(own_tree(tmp_path / 'tree')), find_cutouts(cutouts))


def samples(dataset, number):
    return [dataset.sample(i % len(dataset), np.random.default_rng(i), 5) for i in range(number)]


def test_samples_are_what_the_network_takes_with_one_or_two_objects(composite):
    found = samples(composite, 80)
    for sample in found:
        assert sample['frames'].shape == (3, 3, CROP, CROP)
        assert sample['frames'].dtype == torch.float32 and sample['frames'].min() >= 0
        assert sample['masks'].shape == (3, CROP, CROP)
        ids = set(sample['masks'].unique().tolist())
        assert ids - {0} <= set(range(1, 1 + int(sample['valid'].sum())))
    assert {int(sample['valid'].sum()) for sample in found} == {1, 2}
    assert len({sample['name'] for sample in found}) > 10
    assert any(sample['name'] == 'texture' for sample in found)


def test_the_same_seed_gives_the_same_sample(composite):
    for a, b in zip(samples(composite, 12), samples(composite, 12), strict=True):
        assert_same(a, b)


def test_all_frames_of_a_sample_are_recoloured_alike(composite, monkeypatch):
    monkeypatch.setattr('dataset.composite_dataset.Jitter.sample', lambda *_, **__: np.invert)
    found = {}
    for share in (0, 1):
        monkeypatch.setattr('dataset.composite_dataset.RECOLOURED', share)
        found[share] = composite.sample(0, np.random.default_rng(3), 5)
    assert torch.equal(found[0]['masks'], found[1]['masks'])
    torch.testing.assert_close(found[0]['frames'], 1 - found[1]['frames'])


def test_what_is_pasted_lies_under_its_mask_in_every_frame(cutouts):
    layers = [read_cutout(cutouts / 'a.png', 40)] * 3
    seen = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        images = [np.full((64, 64, 3), 90, np.uint8) for _ in range(3)]
        masks = [np.zeros((64, 64), np.uint8) for _ in range(3)]
        paste(rng, layers, images, masks)
        for image, mask in zip(images, masks, strict=True):
            red = image[..., 0].astype(int) - image[..., 1]
            assert set(np.unique(mask)) <= {0, 1}
            assert (red[mask == 1] > 30).all() and (red[mask == 0] < 200).all()
            seen += (mask == 1).any()
    assert seen > 30


def test_a_pasted_thing_is_in_front_or_behind_and_takes_a_free_id(cutouts):
    layers = [read_cutout(cutouts / 'a.png', 40)] * 3
    kinds = set()
    for seed in range(30):
        masks = [np.full((64, 64), 255, np.uint8) for _ in range(3)]
        masks[0][:, :32] = 0
        images = [np.full((64, 64, 3), 90, np.uint8) for _ in range(3)]
        paste(np.random.default_rng(seed), layers, images, masks)
        over = (masks[0][:, 32:] == 1).any() or (masks[1] == 1).any()
        hidden = (masks[0][:, :32] == 1).any() and (masks[0][:, 32:] == 255).all()
        assert set(np.unique(masks)) <= {0, 1, 255}
        assert all(
            (image[mask == 255] == 90).all()
            for image, mask in zip(images, masks, strict=True)
            if not over
        )
        kinds |= {'in front'} if over else {'behind'} if hidden else set()
    assert kinds == {'in front', 'behind'}


def test_a_thing_may_appear_after_the_first_frame(cutouts):
    layers = [read_cutout(cutouts / 'a.png', 40)] * 3
    images = [np.full((64, 64, 3), 90, np.uint8) for _ in range(3)]
    masks = [np.zeros((64, 64), np.uint8) for _ in range(3)]
    paste(np.random.default_rng(0), layers, images, masks, first=1)
    assert (images[0] == 90).all() and not masks[0].any()
    assert (masks[1] == 1).any() and (images[1][masks[1] == 1] != 90).any()


def test_camouflage_brings_colours_near_those_of_the_image(cutouts):
    layers = [read_cutout(cutouts / 'a.png', 40)] * 3
    before = layers[0].copy()
    shown = before[..., 3] > SOLID
    image = np.random.default_rng(0).integers(20, 60, (64, 64, 3), np.uint8)
    for seed in range(10):
        changed = camouflage(np.random.default_rng(seed), layers, image)
        for layer in changed:
            assert (layer[..., 3] == before[..., 3]).all()
            gap = abs(layer[shown, :3].mean(0) - image.mean((0, 1)))
            assert (gap <= 0.7 * abs(before[shown, :3].mean(0) - image.mean((0, 1))) + 1).all()
    assert (layers[0] == before).all()


def test_specks_and_margins_of_a_cutout_are_dropped(cutouts):
    layer = read_cutout(cutouts / 'a.png', 60)
    assert layer.shape == (29, 29, 4)
    assert max(read_cutout(cutouts / 'a.png', 30).shape[:2]) < 18


def test_textures_differ_and_fill_their_range():
    images = [texture(np.random.default_rng(seed), 64) for seed in range(4)]
    assert all(p.shape == (64, 64, 3) and p.dtype == np.uint8 and p.std() > 15 for p in images)
    assert (images[0] != images[1]).any()


def test_a_stage_pastes_cutouts_and_counts_them(tmp_path, cutouts):
    stage = build_stage(2, vos_root=[own_tree(tmp_path / 'tree')], crop=CROP, paste=cutouts)
    assert str(stage.counts[-1]) == f'cut-outs: 2 images ({cutouts})'
    stage.num_epochs = 10
    assert_same(stage.sample(3, 1), stage.sample(3, 1))


@pytest.mark.parametrize(
    'write, words',
    [
        (None, 'no such folder; name one of cut-outs'),
        (lambda folder: folder.mkdir(), r'no cut-outs .* in it'),
    ],
)
def test_a_folder_without_cutouts_is_refused(tmp_path, write, words):
    folder = tmp_path / 'none'
    if write:
        write(folder)
    with pytest.raises(UserError, match=words) as error:
        find_cutouts(folder)
    assert error.value.parameter == 'paste'


@pytest.mark.parametrize('alpha', [0, 255])
def test_an_image_without_an_outline_is_no_cutout(tmp_path, alpha):
    image = np.dstack([np.zeros((8, 8, 3), np.uint8), np.full((8, 8), alpha, np.uint8)])
    Image.fromarray(image).save(tmp_path / 'x.png')
    with pytest.raises(UserError, match='not a cut-out'):
        read_cutout(tmp_path / 'x.png', 64)


def shape(alpha, kind='RGBA'):
    """A disc of 30 x 30 pixels, or what is left of it without its surroundings."""
    y, x = np.mgrid[:30, :30]
    disc = ((y - 15) ** 2 + (x - 15) ** 2 < 100) * np.uint8(255)
    image = np.dstack(
        [np.full((30, 30, 3), 90, np.uint8), disc if alpha is None else np.full_like(disc, alpha)]
    )
    return Image.fromarray(image).convert(kind)


def edge_of_a_pixel():
    """Its transparent border is lost when it is scaled down to the crop."""
    alpha = np.pad(np.full((510, 510), 255, np.uint8), 1)
    return Image.fromarray(np.dstack([np.full((512, 512, 3), 90, np.uint8), alpha]))


UNUSABLE = {
    'opaque.png': lambda: shape(255),
    'transparent.png': lambda: shape(0),
    'rgb.png': lambda: shape(None, 'RGB'),
    'grey.png': lambda: shape(None, 'L'),
    'faint.png': lambda: shape(100),
    'edge.png': edge_of_a_pixel,
}
USABLE = {'grey with alpha.png': lambda: shape(None, 'LA'), 'CAPITALS.PNG': lambda: shape(None)}


def test_unusable_cutouts_are_left_out_before_the_start_and_counted(tmp_path, cutouts):
    for name, make in (UNUSABLE | USABLE).items():
        make().save(cutouts / name, format='PNG')
    (cutouts / 'cut.png').write_bytes((cutouts / 'a.png').read_bytes()[:80])
    (cutouts / 'page.png').write_text('<!DOCTYPE html>')
    (cutouts / '._a.png').write_bytes(b'Mac OS X')
    stage = build_stage(2, vos_root=[own_tree(tmp_path / 'tree')], crop=CROP, paste=cutouts)
    line = str(stage.counts[-1])
    assert line.startswith(f'cut-outs: 4 images ({cutouts}); 8 unusable ones left out, first ')
    (dataset,) = stage.datasets
    names = {path.relative_to(cutouts).as_posix() for path in dataset.cutouts}
    assert names == {'a.png', 'more/b.png', *USABLE}
    for path in dataset.cutouts:
        read_cutout(path, CROP)


def test_files_without_alpha_are_recognised_without_decoding_them(tmp_path, monkeypatch):
    shape(None, 'RGB').save(tmp_path / 'x.png')
    monkeypatch.setattr('PIL.Image.Image.load', lambda _: pytest.fail('decoded'))
    with pytest.raises(UserError, match='it has no alpha channel'):
        read_cutout(tmp_path / 'x.png', 64)


def test_a_folder_of_unusable_cutouts_is_refused(tmp_path):
    shape(255).save(tmp_path / 'x.png')
    with pytest.raises(UserError, match='none of 1 PNG files is a cut-out') as error:
        usable_cutouts(find_cutouts(tmp_path), CROP)
    assert error.value.parameter == 'paste'
