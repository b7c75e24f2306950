"""A file or folder without permission is named, and nothing is left behind."""

import contextlib
import importlib
import os
import pkgutil
import shutil
import tempfile
from pathlib import Path

import pytest

import dataset
import model
import scripts
import util
from tests.helpers import stand_in
from tests.helpers.clips import write_clip
from tests.helpers.training_trees import own_tree

NOBODY = 65534  # root may read everything, so these tests become this user for a moment
CASES = (
    ('propagate', 'closed_folder --mask masks --output new --device cpu', 'closed_folder'),
    ('propagate', 'images --mask closed_folder --output new --device cpu', 'closed_folder'),
    ('propagate', 'images --mask closed.png --output new --device cpu', 'closed.png'),
    ('propagate', 'half --mask masks --output new --device cpu --model net.pth', 'half/00001.png'),
    ('propagate', 'images --mask masks --output new --model closed.pth', 'closed.pth'),
    ('propagate', 'images --mask masks --output frozen/new --model net.pth', 'frozen/new'),
    ('propagate', 'images --mask masks --output frozen --model net.pth', 'frozen'),
    (
        'eval_davis',
        '--davis closed_folder --output new --model net.pth',
        'closed_folder/JPEGImages',
    ),
    ('eval_davis_2016', '--davis closed_folder --output new --model net.pth', 'closed_folder/'),
    ('eval_youtube', '--yv closed_folder --output new --model net.pth', 'closed_folder/valid/'),
    ('train', '--stage 2 --vos_root closed_folder --pretrained none', 'closed_folder/JPEGImages'),
    ('train', '--stage 0 --static_root closed_folder --pretrained none', 'closed_folder/'),
    ('train', '--stage 2 --vos_root tree --pretrained closed.pth', 'closed.pth'),
    ('try_correspondence', 'closed.png closed.png --point 1,1 --save new.png', 'closed.png'),
    ('scripts.score', 'masks closed_folder', 'closed_folder'),
    ('scripts.score', 'closed_folder masks', 'closed_folder'),
    ('scripts.check_dataset', 'closed_folder', 'closed_folder/JPEGImages'),
    ('scripts.resize_static', 'closed_folder', 'closed_folder'),
    ('scripts.resize_youtube', 'closed_folder new', 'closed_folder/JPEGImages'),
    ('scripts.shrink_checkpoint', 'closed.pth new.pth', 'closed.pth'),
    ('scripts.shrink_checkpoint', 'net.pth frozen/new.pth', 'frozen/new.pth'),
    ('scripts.make_demo_clip', '--output frozen/new', 'frozen/'),
)


@pytest.fixture(scope='module')
def world(checkpoint):
    """A folder of files and folders, some without permissions.

    All programs are imported first, because that user may not read the project either.
    """
    for room in (util, dataset, model, scripts):
        for module in pkgutil.iter_modules(room.__path__, f'{room.__name__}.'):
            importlib.import_module(module.name)
    with tempfile.TemporaryDirectory() as name:  # root owns the parents of tmp_path
        folder = Path(name)
        clip = write_clip(folder / 'clip', *stand_in.clip(3, 48, 64))
        for part in ('images', 'masks'):
            (clip / part).rename(folder / part)
        for copy in ('closed_folder', 'half'):
            shutil.copytree(folder / 'images', folder / copy)
        shutil.copy(folder / 'masks' / '00000.png', folder / 'closed.png')
        for copy in ('net.pth', 'closed.pth'):
            shutil.copy(checkpoint, folder / copy)
        own_tree(folder / 'tree')
        (folder / 'frozen').mkdir()
        if os.geteuid() == 0:
            for path in (folder, *folder.rglob('*')):
                os.chown(path, NOBODY, NOBODY)
        for closed in ('closed_folder', 'half/00001.png', 'closed.png', 'closed.pth'):
            (folder / closed).chmod(0)
        (folder / 'frozen').chmod(0o555)
        yield folder
        (folder / 'closed_folder').chmod(0o755)
        (folder / 'frozen').chmod(0o755)


@contextlib.contextmanager
def as_nobody():
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.mark.parametrize(('program', 'words', 'name'), CASES)
def test_what_may_not_be_read_or_written_is_named(program, words, name, world, monkeypatch, capsys):
    main = importlib.import_module(program).main
    monkeypatch.chdir(world)
    before = sorted(world.rglob('*'))
    with pytest.raises(SystemExit) as stop, as_nobody():
        main(words.split())
    errors = capsys.readouterr().err
    assert stop.value.code == 2
    assert errors.count('\n') == 1 and 'Permission denied' in errors and name in errors
    assert sorted(world.rglob('*')) == before
