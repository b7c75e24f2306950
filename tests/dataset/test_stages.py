import pytest
import torch
from torch.utils.data import DataLoader

from dataset.stages import SKIPS, StageDataset, build_stage, max_skip
from tests.helpers import benchmark_trees
from tests.helpers.training_trees import CROP, assert_same, own_tree, videos_of, write_pair
from util.errors import UserError
from util.parallel import init_worker


def test_max_skip_by_hand():
    """Stage 1 of 10 epochs, stage 2 of 20."""
    assert [max_skip(1, e / 10) for e in range(10)] == [5, 10, 15, 20, 25, 25, 25, 25, 5, 5]
    stage_2 = [max_skip(2, e / 20) for e in range(20)]
    assert stage_2 == [5, 5, 10, 10, 15, 15, 20, 20, *[25] * 10, 5, 5]
    assert max_skip(2, 0.85) == 25 and max_skip(1, 0.85) == SKIPS[-1]


def test_samples_do_not_depend_on_the_number_of_workers(tmp_path):
    write_pair(tmp_path / 'static', 'x')
    write_pair(tmp_path / 'static', 'yy')
    stages = [
        build_stage(0, static_root=tmp_path / 'static', crop=CROP, seed=3),
        build_stage(2, vos_root=[own_tree(tmp_path)], crop=CROP, seed=3),
    ]
    for dataset in stages:
        dataset.set_epoch(4, 10)
        there = DataLoader(dataset, None, num_workers=2, worker_init_fn=init_worker)
        for here, sample in zip(DataLoader(dataset, None), there, strict=True):
            assert_same(here, sample)


def test_a_set_that_is_repeated_gives_other_samples(tmp_path):
    root = own_tree(tmp_path)
    dataset = StageDataset(2, [(videos_of(root), 2), (videos_of(root), 1)], [])
    assert len(dataset) == 9
    names = [dataset[i]['name'].split(':')[0][-1] for i in range(9)]
    assert names == list('abc') * 3
    for a, b in ((0, 3), (0, 6), (3, 6)):
        assert not torch.equal(dataset[a]['frames'], dataset[b]['frames'])
    assert sum(1 for _ in dataset) == 9


def test_known_static_sets_have_their_repeats(tmp_path):
    for folder in ('fss/ab', 'fss/cd', 'DUTS-TR', 'BIG_small'):
        write_pair(tmp_path / folder, '1')
    dataset = build_stage(0, static_root=tmp_path, crop=CROP)
    counts = {count.name: (count.num_items, count.repeats) for count in dataset.counts}
    assert counts['fss'] == (2, 1) and counts['DUTS-TR'] == (1, 1) and counts['BIG_small'] == (1, 5)
    assert counts['ecssd'][0] == counts['HRSOD_small'][0] == 0
    assert len(dataset) == 2 + 1 + 5
    printed = '\n'.join(str(count) for count in dataset.counts)
    assert f'BIG_small: 1 images x 5 an epoch ({tmp_path}/BIG_small)' in printed
    assert f'ecssd: 0, absent ({tmp_path}/ecssd)' in printed


def test_ones_own_images_are_one_set(tmp_path):
    write_pair(tmp_path, 'x')
    write_pair(tmp_path / 'more' / 'of_them', 'y')
    dataset = build_stage(0, static_root=tmp_path, crop=CROP)
    assert len(dataset) == 2 and [count.num_items for count in dataset.counts] == [2]


def test_stage_2_is_davis_five_times_and_youtube_with_a_fifth_of_the_distance(tmp_path):
    benchmark_trees.davis_2017(tmp_path / 'DAVIS' / '2017')
    own_tree(tmp_path / 'YouTube' / 'train_480p', lengths=(4, 3))
    own = own_tree(tmp_path / 'own', lengths=(3, 2, 5))
    dataset = build_stage(
        2, davis_root=tmp_path / 'DAVIS', yv_root=tmp_path / 'YouTube', vos_root=[own], crop=CROP
    )
    assert [(count.num_items, count.repeats) for count in dataset.counts] == [
        (3, 5),
        (2, 1),
        (2, 1),
    ]
    assert 'own videos: 2 videos' in str(dataset.counts[2])
    assert '1 videos of fewer than 3 frames left out' in str(dataset.counts[2])
    assert len(dataset) == 15 + 2 + 2
    for epoch, skips in ((0, [5, 1, 5]), (4, [25, 5, 25]), (9, [5, 1, 5])):
        dataset.set_epoch(epoch, 10)
        assert [part.max_skip for part in dataset.datasets] == skips
    assert not any(part.bl30k for part in dataset.datasets)


def test_stage_1_is_bl30k_with_its_rules(tmp_path):
    dataset = build_stage(1, bl_root=own_tree(tmp_path), crop=CROP)
    assert len(dataset) == 3 and dataset.datasets[0].bl30k
    dataset.set_epoch(8, 10)
    assert dataset.datasets[0].max_skip == 5


def test_davis_takes_the_training_videos(tmp_path):
    benchmark_trees.davis_2017(tmp_path / '2017')
    lists = tmp_path / '2017' / 'trainval' / 'ImageSets' / '2017'

    def names():
        return [name for name, _, _ in build_stage(2, davis_root=tmp_path).datasets[0].videos]

    assert names() == ['a', 'b', 'c'], 'val.txt lists them all'
    (lists / 'val.txt').write_text('b\n')
    assert names() == ['a', 'c']
    (lists / 'train.txt').write_text('c\nb\n')
    assert names() == ['c', 'b']
    (lists / 'train.txt').write_text('c\nz\n')
    with pytest.raises(UserError, match=r'z: cannot be read \(No such file'):
        names()


def test_absent_roots_are_named_with_their_option(tmp_path, monkeypatch):
    (tmp_path / 'here').mkdir()
    monkeypatch.chdir(tmp_path / 'here')
    own = own_tree(tmp_path / 'own')
    for stage, option, root in (
        (0, 'static_root', 'nowhere'),
        (1, 'bl_root', 'nowhere'),
        (2, 'davis_root', 'nowhere/2017/trainval'),
        (2, 'yv_root', 'nowhere/train_480p'),
    ):
        with pytest.raises(UserError, match=f'{root}: no such folder.*--{option}'):
            build_stage(stage, **{option: 'nowhere', 'vos_root': [own]})
    with pytest.raises(UserError, match=r'nowhere: no such folder \(own videos, --vos_root'):
        build_stage(2, vos_root=['nowhere'])
    with pytest.raises(UserError, match=r'static: no such folder.*--static_root'):
        build_stage(0)
    with pytest.raises(UserError, match=r'stage 2.*--davis_root.*--yv_root.*no --vos_root'):
        build_stage(2)
    counts = build_stage(2, vos_root=[own]).counts
    assert [count.num_items for count in counts] == [0, 0, 3]


def test_a_set_with_nothing_in_it_is_refused(tmp_path):
    (tmp_path / 'fss').mkdir()
    with pytest.raises(UserError, match='fss: no pairs'):
        build_stage(0, static_root=tmp_path)
    short = own_tree(tmp_path / 'short', lengths=(2, 1))
    with pytest.raises(UserError, match='no video of 3 frames or more'):
        build_stage(2, vos_root=[short])
    (tmp_path / 'short' / 'Annotations').rename(tmp_path / 'short' / 'Masks')
    with pytest.raises(UserError, match='Annotations: no such folder'):
        build_stage(2, vos_root=[short])


def test_a_default_set_that_is_absent_stops_unless_others_are_named(tmp_path, monkeypatch):
    """Nobody trains on a third of the data without knowing it."""
    (tmp_path / 'here').mkdir()
    monkeypatch.chdir(tmp_path / 'here')
    own_tree(tmp_path / 'DAVIS' / '2017' / 'trainval')
    write_pair(tmp_path / 'static' / 'fss', '1')
    with pytest.raises(UserError, match=r'train_480p: no such folder \(YouTube-VOS\)'):
        build_stage(2)
    with pytest.raises(UserError, match=r'DUTS-TR: no such folder.*--static_root'):
        build_stage(0)
    assert len(build_stage(0, static_root='../static')) == 1
    assert len(build_stage(2, davis_root='../DAVIS')) == 15
