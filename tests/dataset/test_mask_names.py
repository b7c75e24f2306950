"""Which frame a mask belongs to: what its name leaves open is refused, what is guessed is told."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dataset.mask_names import FrameNames, check_name, masks_by_name
from dataset.sources import open_source
from dataset.video import match_masks, open_video
from tests.helpers import stand_in
from tests.helpers.video_files import write_movie
from util.errors import UserError
from util.masks import save_mask

settings.register_profile('seeded', deadline=None, derandomize=True, max_examples=100)
settings.load_profile('seeded')

COUNTED = [f'{number:05}' for number in range(10)]
FRAMES = ['{:05}', '{}', 'frame_{:06}', 'img{}', 'cam1_{:04}', '0_{:03}_rgb', 'shot-{:02} (2)']
MASKS = [  # how tools name the mask of frame 7, given the name of the frame
    '{name}.png', '{name}.PNG', '{name}.tif', '{name}.jpg.png', '{number}.png', '{number:05}.png',
    'frame_{number:06}.PNG', 'Frame-{number}.png', 'image_{number:04}.png', '{number:05}_mask.png',
    'mask_{number:05}.png', 'frame_{number:06}_gt.png', 'masks.{number:03}.bmp',
]  # fmt: skip


def write_masks(folder, *names):
    folder.mkdir(exist_ok=True)
    for name in names:
        mask = Image.new('L', (8, 8))
        mask.putpixel((1, 1), 1)
        mask.save(folder / name)
    return folder


@given(st.sampled_from(FRAMES), st.sampled_from(MASKS), st.integers(0, 3), st.integers(2, 30))
def test_a_mask_belongs_to_the_frame_of_its_name_or_number(frame, mask, start, length):
    """Frames are named by numbers from any start, and masks in the ways of many tools."""
    numbers = range(start, start + length)
    names = [frame.format(number) for number in numbers]
    for index in {0, length // 2, length - 1}:
        name = mask.format(name=names[index], number=numbers[index])
        with tempfile.TemporaryDirectory() as folder:
            write_masks(Path(folder), name)
            found = masks_by_name(Path(folder), names, range(length))
        assert found.paths == {index: Path(folder) / name}
        is_plain = Path(name).stem in (names[index], str(numbers[index]), f'{numbers[index]:05}')
        assert found.notes == (
            [] if is_plain else [f'{Path(folder) / name} is for frame {names[index]}']
        )


@pytest.mark.parametrize('name', ['mask7', 'obj7', 'cat_7', '7_1', 'v2_00007', 'first', '7b'])
def test_a_name_that_may_mean_something_else_is_refused(tmp_path, name):
    write_masks(tmp_path, f'{name}.png')
    words = rf'{name}\.png: a mask for a frame that does not exist; .* 00000 to 00009'
    with pytest.raises(UserError, match=words):
        masks_by_name(tmp_path, COUNTED, range(10))


def test_numbers_that_two_frames_share_mean_neither():
    frames = FrameNames(['1', '01', '2'])
    assert [frames.find(name) for name in ('1', '01', '001', '2', '02')] == [0, 1, None, 2, 2]


@pytest.mark.parametrize('name', ['00003', '3', 'frame_000003', '00003_mask', '00003.jpg'])
def test_a_single_mask_named_like_another_frame_is_refused(name):
    path = Path(f'{name}.png')
    words = 'named like frame 00003, but a single mask is for .* 00000; start at frame 3, or rename'
    with pytest.raises(UserError, match=words) as caught:
        check_name(path, COUNTED, 0)
    assert caught.value.parameter == 'start'
    check_name(path, COUNTED, 3)
    check_name(path, [f'{number:05}' for number in range(5, 9)], 0)


@pytest.mark.parametrize(
    'name', ['mask', 'mask_1', 'mask1', 'IMG_0001', 'cat_3', '00000', '0_mask']
)
def test_any_other_name_of_a_single_mask_is_for_the_first_frame(name):
    check_name(Path(f'{name}.png'), COUNTED, 0)


def test_masks_of_a_video_may_count_from_1(tmp_path):
    """No 0 is there, and the last number is one more than there are frames."""
    write_masks(tmp_path, '00001.png', '00004.png', '00010.png')
    found = masks_by_name(tmp_path, COUNTED, range(10), is_counted=True)
    assert {index: path.stem for index, path in found.paths.items()} == {
        0: '00001', 3: '00004', 9: '00010',
    }  # fmt: skip
    assert found.notes == [
        f'{tmp_path / "00001.png"} is for frame 00000, because masks are counted from 1'
    ]


@pytest.mark.parametrize('others', [['00000.png', '00010.png'], ['00011.png']])
def test_masks_that_cannot_count_from_1_are_refused_beyond_the_end(tmp_path, others):
    write_masks(tmp_path, '00001.png', *others)
    with pytest.raises(UserError, match=r'0001\d\.png: a mask for a frame that does not exist'):
        masks_by_name(tmp_path, COUNTED, range(10), is_counted=True)


def test_masks_beyond_the_end_are_refused_where_frames_have_names_of_their_own(tmp_path):
    write_masks(tmp_path, '00001.png', '00010.png')
    with pytest.raises(UserError, match=r'00010\.png: a mask for a frame that does not exist'):
        masks_by_name(tmp_path, COUNTED, range(10))


@pytest.mark.parametrize(
    'name, indices, words',
    [
        ('00001', range(10), ' frames (00000)'),
        ('00003', range(10), ' frames (00000 to 00002)'),
        ('00005', range(1, 9, 2), ' frames (00001 to 00003)'),
    ],
)
def test_a_video_whose_masks_start_late_is_told_which_frames_get_none(
    tmp_path, name, indices, words
):
    write_masks(tmp_path, f'{name}.png')
    (note,) = masks_by_name(tmp_path, COUNTED, indices, is_counted=True).notes
    meant = f'{tmp_path / name}.png is for frame {name}'
    assert note.startswith(f'{meant}, because frames are counted from 0') and note.endswith(words)


def test_masks_of_a_video_file_by_the_names_of_cvat(tmp_path):
    images, drawn = stand_in.clip(3, 48, 64)
    movie = write_movie(tmp_path / 'ffv1.mkv', images)
    (tmp_path / 'masks').mkdir()
    Image.fromarray(drawn[0]).save(tmp_path / 'masks' / 'frame_000000.PNG', format='PNG')
    (first, *_) = open_video(movie, tmp_path / 'masks', short_side=None)
    assert first.index == 0 and np.array_equal(first.mask, drawn[0])


def test_masks_of_a_video_file_that_count_from_1(tmp_path):
    images, drawn = stand_in.clip(3, 48, 64)
    movie = write_movie(tmp_path / 'ffv1.mkv', images)
    for number in range(3):
        save_mask(tmp_path / 'masks' / f'{number + 1:05}.png', drawn[number])
    frames = list(open_video(movie, tmp_path / 'masks', short_side=None))
    assert [frame.index for frame in frames] == [0, 1, 2]
    assert all(np.array_equal(frame.mask, mask) for frame, mask in zip(frames, drawn, strict=True))


def refusal(folder):
    with pytest.raises(UserError) as caught:
        masks_by_name(folder, COUNTED, range(10))
    return str(caught.value)


@pytest.mark.parametrize('suffix', ['.json', '.xml', '.txt'])
def test_pictures_with_annotations_beside_them_are_not_masks(tmp_path, suffix):
    """labelme writes .json, PASCAL VOC .xml, YOLO .txt."""
    write_masks(tmp_path, '00000.jpg', '00001.jpg')
    (tmp_path / f'00001{suffix}').write_text('{}')
    message = refusal(tmp_path)
    assert f'00001.jpg is a photograph, and its annotation 00001{suffix}' in message
    assert 'export them as masks, one PNG per frame' in message


def test_masks_with_notes_beside_them_are_read_and_the_notes_named(tmp_path):
    write_masks(tmp_path, '00000.png')
    (tmp_path / '00000.json').write_text('{}')
    found = masks_by_name(tmp_path, COUNTED, range(10))
    assert list(found.paths) == [0]
    assert found.notes == [
        f'{tmp_path}: left out, as they are not read: 00000.json (1 .json in all)'
    ]


@pytest.mark.parametrize('name', ['coco.json', 'masks.npz', 'a.mat'])
def test_annotations_alone_are_refused_by_their_name(tmp_path, name):
    (tmp_path / name).write_bytes(b'')
    assert f'no images in it, and {name} cannot be read; export them as masks' in refusal(tmp_path)


def test_a_folder_per_object_is_refused_with_the_remedy(tmp_path):
    for name in ('001', '002'):
        write_masks(tmp_path / name, '00000.png')
    message = refusal(tmp_path)
    assert 'no images in it, only folders (001' in message
    assert 'merge their masks into one PNG per frame' in message


@pytest.mark.parametrize('name', ['mask.npy', 'coco.JSON', 'mask.mat'])
def test_a_file_of_annotations_is_refused_as_a_mask(tmp_path, name):
    write_masks(tmp_path / 'frames', '00000.png')
    (tmp_path / name).write_bytes(b'')
    words = f'{name}: .* files cannot be read as masks; export it as an indexed, grey or RGB PNG'
    with pytest.raises(UserError, match=words):
        match_masks(tmp_path / name, open_source(tmp_path / 'frames'), range(1))
