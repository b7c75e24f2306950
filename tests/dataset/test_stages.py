"""dataset/stages.py and its options: which sets a stage draws from, and how often."""

import gc
import re
from unittest import mock

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from dataset import vos_dataset
from dataset.stages import SKIPS, RepeatedSet, StageDataset, StageOptions, build_stage, max_skip
from tests.helpers import benchmark_trees
from tests.helpers.training_trees import CROP, assert_same, own_tree, static, videos_of, write_pair
from util.errors import UserError
from util.parallel import init_worker


def refused(stage, **fields):
    """The UserError that building this stage raises."""
    with pytest.raises(UserError) as caught:
        build_stage(stage, **fields)
    return caught.value


def test_max_skip_by_hand():
    """Stage 1 with 10 epochs, stage 2 with 20."""
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
        dataset.num_epochs = 10
        keys = [(4, index) for index in range(len(dataset))]
        gc.collect()  # before workers are forked: see `init_worker`
        there = DataLoader(dataset, None, sampler=keys, num_workers=2, worker_init_fn=init_worker)
        for (epoch, index), sample in zip(keys, there, strict=True):
            assert_same(dataset.sample(epoch, index), sample)


def test_samples_depend_on_seed_epoch_and_index_alone(tmp_path):
    write_pair(tmp_path / 'static', 'x')
    root = own_tree(tmp_path)
    for stage, dataset in ((0, static(tmp_path / 'static')), (2, videos_of(root))):
        one, again, other = (
            StageDataset(stage, [RepeatedSet(dataset, 1)], [], seed=seed) for seed in (1, 1, 2)
        )
        first = one.sample(2, 0)
        np.random.seed(5)
        one.sample(2, len(dataset) - 1)
        assert_same(one.sample(2, 0), first)
        assert_same(again.sample(2, 0), first)
        assert not torch.equal(again.sample(3, 0)['frames'], first['frames'])
        assert not torch.equal(other.sample(2, 0)['frames'], first['frames'])


def test_a_repeated_set_gives_different_samples_each_time(tmp_path):
    root = own_tree(tmp_path)
    dataset = StageDataset(2, [RepeatedSet(videos_of(root), repeats) for repeats in (2, 1)], [])
    assert len(dataset) == 9
    samples = [dataset.sample(0, index) for index in range(9)]
    assert [sample['name'].split(':')[0][-1] for sample in samples] == list('abc') * 3
    for a, b in ((0, 3), (0, 6), (3, 6)):
        assert not torch.equal(samples[a]['frames'], samples[b]['frames'])
    for index in (-1, 9):
        with pytest.raises(IndexError):
            dataset.sample(0, index)


def test_known_static_sets_have_their_repeats(tmp_path):
    for folder in ('fss/ab', 'fss/cd', 'DUTS-TR', 'BIG_small'):
        write_pair(tmp_path / folder, '1')
    dataset = build_stage(0, static_root=tmp_path, crop=CROP)
    counts = {count.name: (count.num_items, count.repeats) for count in dataset.counts}
    assert counts['fss'] == (2, 1) and counts['DUTS-TR'] == (1, 1) and counts['BIG_small'] == (1, 5)
    assert counts['ecssd'][0] == counts['HRSOD_small'][0] == 0
    assert len(dataset) == 2 + 1 + 5
    printed = '\n'.join(str(count) for count in dataset.counts)
    assert f'BIG_small: 1 images x 5 per epoch ({tmp_path}/BIG_small)' in printed
    assert f'ecssd: 0, absent ({tmp_path}/ecssd)' in printed


def test_any_folder_of_pairs_is_one_set(tmp_path):
    write_pair(tmp_path, 'x')
    write_pair(tmp_path / 'more' / 'of_them', 'y')
    dataset = build_stage(0, static_root=tmp_path, crop=CROP)
    assert len(dataset) == 2 and [count.num_items for count in dataset.counts] == [2]


def test_stage_2_takes_davis_five_times_and_youtube_at_a_fifth_of_the_distance(tmp_path):
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
        assert [skip_of(dataset, epoch, index) for index in (0, 15, 17)] == skips
    assert not any(part.bl30k for part in dataset.datasets)


def skip_of(dataset, epoch, index):
    """The largest distance between frames from which a sample is drawn in epoch 0 to 9 of 10."""
    dataset.num_epochs = 10
    wraps = vos_dataset.sample_frames
    with mock.patch.object(vos_dataset, 'sample_frames', wraps=wraps) as drawn:
        dataset.sample(epoch, index)
    (skip,) = {call.args[2] for call in drawn.call_args_list}
    return skip


def test_stage_1_is_bl30k_with_its_own_rules(tmp_path):
    dataset = build_stage(1, bl_root=own_tree(tmp_path), crop=CROP)
    assert len(dataset) == 3 and dataset.datasets[0].bl30k
    assert skip_of(dataset, 8, 0) == 5


def test_options_may_be_an_object_or_single_fields(tmp_path):
    root = own_tree(tmp_path)
    stage = build_stage(1, StageOptions(bl_root=root, crop=CROP, seed=4))
    assert stage.seed == 4 and stage.datasets[0].crop == CROP
    changed = build_stage(1, StageOptions(bl_root=root, seed=4), crop=64, short_side=20)
    assert changed.seed == 4 and changed.datasets[0].crop == 64
    assert changed.datasets[0].short_side == 20
    with pytest.raises(TypeError):
        build_stage(1, bl_roots=root)


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


def test_an_absent_root_is_named_with_its_parameter(tmp_path, monkeypatch):
    (tmp_path / 'here').mkdir()
    monkeypatch.chdir(tmp_path / 'here')
    own = own_tree(tmp_path / 'own')
    for stage, parameter, root in (
        (0, 'static_root', 'nowhere'),
        (1, 'bl_root', 'nowhere'),
        (2, 'davis_root', 'nowhere/2017/trainval'),
        (2, 'yv_root', 'nowhere/train_480p'),
    ):
        error = refused(stage, **{parameter: 'nowhere', 'vos_root': [own]})
        assert str(error).startswith(f'{root}: no such folder') and error.parameter == parameter
    error = refused(2, vos_root=['nowhere'])
    assert str(error).startswith('nowhere: no such folder to read own videos from')
    assert error.parameter == 'vos_root'
    error = refused(0)
    assert 'static: no such folder' in str(error) and error.parameter == 'static_root'
    error = refused(2)
    assert re.search(r'stage 2.*2017/trainval \(DAVIS\).*train_480p \(YouTube-VOS\)', str(error))
    assert error.parameter == 'vos_root'
    counts = build_stage(2, vos_root=[own]).counts
    assert [count.num_items for count in counts] == [0, 0, 3]


def test_an_empty_set_is_refused(tmp_path):
    (tmp_path / 'fss').mkdir()
    with pytest.raises(UserError, match='fss: no pairs'):
        build_stage(0, static_root=tmp_path)
    short = own_tree(tmp_path / 'short', lengths=(2, 1))
    with pytest.raises(UserError, match='no video has 3 or more frames'):
        build_stage(2, vos_root=[short])
    (tmp_path / 'short' / 'Annotations').rename(tmp_path / 'short' / 'Masks')
    with pytest.raises(UserError, match='Annotations: no such folder'):
        build_stage(2, vos_root=[short])


def test_an_absent_default_set_is_refused_unless_others_are_given(tmp_path, monkeypatch):
    """So that nobody trains on a third of the data without knowing it."""
    (tmp_path / 'here').mkdir()
    monkeypatch.chdir(tmp_path / 'here')
    own_tree(tmp_path / 'DAVIS' / '2017' / 'trainval')
    write_pair(tmp_path / 'static' / 'fss', '1')
    error = refused(2)
    assert 'train_480p: no such folder to read YouTube-VOS from' in str(error)
    assert error.parameter == 'yv_root'
    error = refused(0)
    assert 'DUTS-TR: no such folder' in str(error) and error.parameter == 'static_root'
    assert len(build_stage(0, static_root='../static')) == 1
    assert len(build_stage(2, davis_root='../DAVIS')) == 15
