"""Videos: masks are matched with frames, and frames come as the network takes them."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from PIL import Image

from dataset.sizes import resize_image, resize_mask, scaled
from dataset.sources import open_source
from dataset.video import Video, match_masks, open_video
from tests.helpers import stand_in
from tests.helpers.clips import write_clip
from tests.helpers.video_files import write_movie
from util.errors import UserError
from util.masks import load_mask, save_mask


@pytest.fixture
def clip(tmp_path):
    """images/ with 00000 to 00009, 64 x 48 pixels, and masks/ for all of them."""
    return write_clip(tmp_path / 'clip', *stand_in.clip(10, 48, 64))


def match(clip, mask=None, indices=range(10), **options):
    return match_masks(mask or clip / 'masks', open_source(clip / 'images'), indices, **options)


def keep(folder, *numbers):
    """Remove all masks but those of these frames."""
    for file in folder.iterdir():
        if int(file.stem) not in numbers:
            file.unlink()


def test_frames_carry_picture_mask_and_ids(clip):
    images, drawn = stand_in.clip(10, 48, 64)
    keep(clip / 'masks', 3)
    source = open_source(clip / 'images')
    masks, reader, notes = match_masks(clip / 'masks', source, range(2, 6))
    assert notes == []
    frames = list(Video(source, masks, reader.read, indices=range(2, 6)))
    assert [(frame.index, frame.name) for frame in frames] == [(n, f'{n:05}') for n in range(2, 6)]
    for frame in frames:
        assert np.array_equal(frame.picture, images[frame.index])
        expected = torch.from_numpy(images[frame.index]).permute(2, 0, 1) / 255
        torch.testing.assert_close(frame.image, expected)
        assert (frame.mask is None) == (frame.object_ids is None) == (frame.index != 3)
    assert np.array_equal(frames[1].annotation, drawn[3])
    assert np.array_equal(frames[1].mask, drawn[3])
    assert frames[1].object_ids == [1, 2]


def test_frames_come_in_the_requested_order(clip):
    video = Video(open_source(clip / 'images'), {}, load_mask, indices=range(9, 0, -4))
    assert [frame.index for frame in video] == [9, 5, 1]


def test_an_object_that_vanishes_when_scaled_down_keeps_its_id(clip):
    mask = np.zeros((48, 64), np.uint8)
    mask[3, 5] = 9
    mask[20:40, 20:40] = 4
    save_mask(clip / 'one.png', mask)
    source = open_source(clip / 'images')
    masks, reader, _ = match_masks(clip / 'one.png', source, range(10))
    frame = next(iter(Video(source, masks, reader.read, short_side=16)))
    assert frame.image.shape == (3, 16, 21) and frame.mask.shape == (16, 21)
    assert np.unique(frame.mask).tolist() == [0, 4]
    assert frame.object_ids == [4, 9]


def test_an_unreadable_frame_raises_its_error_in_the_loop(clip):
    path = clip / 'images' / '00004.png'
    source = open_source(clip / 'images')
    path.write_bytes(path.read_bytes()[:600])
    frames = iter(Video(source, {}, load_mask))
    assert [next(frames).index for _ in range(4)] == [0, 1, 2, 3]
    with pytest.raises(UserError, match=r'00004\.png: cannot be read as an image'):
        next(frames)


def test_a_source_that_ends_early_ends_the_video():
    class EndsEarly:
        names, size, num_workers, fps, is_live = (), (4, 4), 1, 25.0, True

        def jobs(self, indices):
            return (
                lambda index=index: np.zeros((4, 4, 3), np.uint8) if index < 3 else None
                for index in indices
            )

    video = Video(EndsEarly(), {}, load_mask, indices=range(1000))
    assert video.is_live
    assert [frame.name for frame in video] == ['00000', '00001', '00002']


@pytest.mark.parametrize(
    'size, short_side, expected',
    [
        ((480, 854), None, (480, 854)),
        ((480, 854), 480, (480, 854)),
        ((1080, 1920), 480, (480, 853)),
        ((854, 480), 240, (427, 240)),
        ((100, 100), 16, (16, 16)),
    ],
)
def test_the_short_side_is_scaled(size, short_side, expected):
    assert scaled(size, short_side) == expected


def test_scaling_keeps_values_in_range_and_ids_whole():
    torch.manual_seed(0)
    image = (torch.rand(3, 40, 60) > 0.5).float()
    for size in ((20, 30), (80, 120)):
        resized = resize_image(image, size)
        assert resized.shape == (3, *size) and resized.min() >= 0 and resized.max() <= 1
        mask = resize_mask((image[0] * 7).byte(), size)
        assert mask.dtype == torch.uint8 and mask.unique().tolist() == [0, 7]


def test_one_mask_belongs_to_the_first_selected_frame(clip):
    (clip / 'masks' / '00007.png').rename(clip / 'mask.png')
    masks, reader, _ = match(clip, clip / 'mask.png', range(4, 9))
    assert masks == {4: clip / 'mask.png'}
    assert list(reader.ids.values()) == [[1, 2]]


def test_one_mask_named_like_another_frame_is_refused(clip):
    path = clip / 'masks' / '00007.png'
    words = r'00007\.png: named like frame 00007, but .* first chosen .*, 00004; start at frame 7'
    with pytest.raises(UserError, match=words) as caught:
        match(clip, path, range(4, 9))
    assert caught.value.parameter == 'start'
    assert list(match(clip, path, range(7, 9)).paths) == [7]


def test_masks_are_found_by_name(clip):
    keep(clip / 'masks', 2, 5)
    (clip / 'masks' / '00005.png').rename(clip / 'masks' / '5.png')
    masks, _, _ = match(clip)
    assert masks == {2: clip / 'masks' / '00002.png', 5: clip / 'masks' / '5.png'}


def test_masks_before_the_start_and_after_the_end_are_ignored(clip):
    keep(clip / 'masks', 0, 4, 9)
    assert list(match(clip, indices=range(3, 8))[0]) == [4]
    with pytest.raises(UserError, match='none of its masks is for a frame between the') as caught:
        match(clip, indices=range(5, 8))
    assert caught.value.parameter == 'start'


@pytest.mark.parametrize('indices', [range(0, 10, 3), range(0, 6, 3), range(1, 6, 3)])
def test_a_mask_that_the_stride_leaves_out_is_refused(clip, indices):
    keep(clip / 'masks', 0, 1, 5)
    words = r'0000\d\.png: a stride of 3 leaves out its frame; choose'
    with pytest.raises(UserError, match=words) as caught:
        match(clip, indices=indices)
    assert caught.value.parameter == 'stride'


def test_masks_on_the_stride_and_beyond_its_end_are_allowed(clip):
    keep(clip / 'masks', 0, 3, 6, 8)
    assert list(match(clip, indices=range(0, 7, 3))[0]) == [0, 3, 6]


@pytest.mark.parametrize('name', ['00010', '123', 'first'])
def test_a_mask_without_its_frame_is_refused(clip, name):
    keep(clip / 'masks', 0)
    save_mask(clip / 'masks' / f'{name}.png', np.ones((48, 64)))
    words = rf'{name}\.png: a mask for a frame that is not there; .* 00000 to 00009'
    with pytest.raises(UserError, match=words):
        match(clip)


@pytest.mark.parametrize('size', [(47, 64), (48, 65), (49, 63)])
def test_a_mask_one_pixel_off_is_scaled_with_a_note(clip, size):
    keep(clip / 'masks')
    mask = np.zeros(size, np.uint8)
    mask[10:30, 10:40] = 3
    save_mask(clip / 'masks' / '00001.png', mask)
    source = open_source(clip / 'images')
    masks, reader, notes = match_masks(clip / 'masks', source, range(10))
    path = clip / 'masks' / '00001.png'
    assert notes == [f'{path}: {size[1]}x{size[0]}, scaled by one pixel to the size of its frame']
    frame = next(iter(Video(source, masks, reader.read, indices=[1])))
    assert frame.annotation.shape == (48, 64) and frame.annotation[12:28, 12:38].min() == 3


@pytest.mark.parametrize('size', [(46, 64), (48, 66), (96, 128), (64, 64), (24, 32)])
def test_a_mask_of_another_size_is_refused_with_both_sizes(clip, size):
    save_mask(clip / 'one.png', np.ones(size))
    words = rf'one\.png: the mask is {size[1]}x{size[0]}, its frame 64x48; scale it with nearest'
    with pytest.raises(UserError, match=words):
        match(clip, clip / 'one.png')


@pytest.mark.parametrize(
    'size, advice',
    [
        ((64, 48), 'turn it$'),
        ((63, 48), 'turn it'),
        ((128, 96), 'turn it and scale it with nearest'),
        ((32, 24), 'turn it and scale it with nearest'),
    ],
)
def test_a_mask_on_its_side_is_refused_with_the_advice_to_turn_it(clip, size, advice):
    """Scaling would distort it."""
    save_mask(clip / 'one.png', np.ones(size))
    words = rf'one\.png: the mask is {size[1]}x{size[0]}, its frame 64x48; it looks turned by 90'
    with pytest.raises(UserError, match=f'{words} degrees; {advice}'):
        match(clip, clip / 'one.png')


def test_a_mask_without_objects_beside_others_is_ignored_with_a_note(clip):
    keep(clip / 'masks', 2)
    for number in (1, 4):
        save_mask(clip / 'masks' / f'{number:05}.png', np.zeros((48, 64)))
    found = match(clip)
    assert list(found.paths) == [2]
    (note,) = found.notes
    assert note.startswith(f'{clip}/masks/00001.png and 1 more: shows no object, so it is ')


def test_files_that_are_not_read_are_named(clip):
    (clip / 'images' / '00002.png').rename(clip / 'images' / '00002.heic')
    for name in ('00003.heic', '.DS_Store', 'Thumbs.db', 'a.json'):
        (clip / 'images' / name).write_bytes(b'')
    (clip / 'masks' / 'notes.txt').write_text('')
    keep_masks = [path for path in (clip / 'masks').glob('*.png') if path.stem != '00000']
    for path in keep_masks:
        path.unlink()
    (frames,), (masks,) = open_source(clip / 'images').notes, match(clip).notes
    words = 'left out, as they are not read'
    assert frames == f'{clip}/images: {words}: 00002.heic (2 .heic in all), a.json (1 .json in all)'
    assert masks == f'{clip}/masks: {words}: notes.txt (1 .txt in all)'


@pytest.mark.parametrize('name', ['00000_mask.png', 'a.png', '00000.jpg'])
def test_a_mask_among_the_frames_is_not_one_of_them(clip, name):
    """Nor are 00000.png and 00000.jpg two frames of one name."""
    path = clip / 'images' / name
    Image.fromarray(load_mask(clip / 'masks' / '00000.png') // 2 * 255).save(path, quality=100)
    for spec in (clip / 'images', clip / 'masks' / '..' / 'images'):
        source = open_source(spec, path)
        assert source.names == [f'{number:05}' for number in range(10)]
    if not name.endswith('.jpg'):
        assert list(match_masks(path, source, range(10)).paths) == [0]
        assert len(list(open_video(clip / 'images', path))) == 10


def test_frames_and_masks_in_one_folder_are_refused(clip):
    with pytest.raises(UserError, match='images: frames and masks in one folder; move the masks'):
        open_video(clip / 'images', clip / 'masks' / '..' / 'images')


def test_soft_masks_are_cleaned_on_request_with_a_note(clip):
    mask = Image.fromarray((load_mask(clip / 'masks' / '00000.png') > 0) * np.uint8(255))
    small = mask.resize((37, 28)).resize((64, 48), Image.Resampling.BICUBIC)
    small.save(clip / 'one.png')
    with pytest.raises(
        UserError, match=r'one\.png: soft borders, \d+ ids .* or have them cleaned'
    ) as caught:
        match(clip, clip / 'one.png')
    assert caught.value.parameter == 'clean'
    _, reader, notes = match(clip, clip / 'one.png', clean=True)
    assert len(notes) == 1 and notes[0].endswith('ids snapped to 1')
    assert list(reader.ids.values()) == [[255]]


def test_a_missing_mask_is_refused(clip):
    with pytest.raises(
        UserError, match=r'gone\.png: no such mask; give an image or a folder'
    ) as caught:
        match(clip, clip / 'gone.png')
    assert caught.value.parameter == 'mask'


def test_a_camera_takes_no_folder_of_masks(clip):
    class Camera:
        names, size, is_live, pixel_shape = (), (48, 64), True, 1

    with pytest.raises(UserError, match='for a camera, give a single mask, for its first frame'):
        match_masks(clip / 'masks', Camera(), range(10))
    masks, _, _ = match_masks(clip / 'masks' / '00000.png', Camera(), range(10**9))
    assert list(masks) == [0]


def test_open_video_starts_at_the_first_annotated_frame(clip):
    images, drawn = stand_in.clip(10, 48, 64)
    keep(clip / 'masks', 3, 6)
    video = open_video(clip / 'images', clip / 'masks', short_side=None)
    frames = list(video)
    assert [frame.index for frame in frames] == list(range(3, 10))
    assert [frame.index for frame in frames if frame.mask is not None] == [3, 6]
    assert np.array_equal(frames[0].mask, drawn[3]) and frames[0].object_ids == [1, 2]
    assert all(np.array_equal(frame.picture, images[frame.index]) for frame in frames)


def test_open_video_gives_one_mask_to_the_first_frame(clip):
    video = open_video(str(clip / 'images'), str(clip / 'masks' / '00000.png'), short_side=24)
    first, *others = video
    assert (first.index, len(others)) == (0, 9)
    assert first.image.shape == (3, 24, 32) and first.mask.shape == (24, 32)
    assert first.annotation.shape == (48, 64)
    assert not any(frame.object_ids for frame in others)


def test_open_video_scales_to_a_short_side_of_480_by_default(clip):
    frame = next(iter(open_video(clip / 'images', clip / 'masks' / '00000.png')))
    assert frame.image.shape == (3, 480, 640) and frame.picture.shape == (48, 64, 3)


def test_open_video_reads_video_files(clip, tmp_path):
    images = stand_in.clip(10, 48, 64)[0]
    path = write_movie(tmp_path / 'ffv1.mkv', images)
    video = open_video(path, clip / 'masks', short_side=None)
    assert all(np.array_equal(f.picture, image) for f, image in zip(video, images, strict=True))
    assert [frame.name for frame in video] == [f'{n:05}' for n in range(10)], 'it can be read again'


@pytest.mark.parametrize(
    'source, mask, short_side, words',
    [
        ('gone', 'masks', 480, 'gone: no such file or folder'),
        ('images', 'gone', 480, 'gone: no such mask'),
        ('images', 'masks', 10**6, '64x48 becomes .* at a short side of 1000000'),
    ],
)
def test_open_video_refuses_what_cannot_be_read(clip, source, mask, short_side, words):
    with pytest.raises(UserError, match=words):
        open_video(clip / source, clip / mask, short_side=short_side)


@pytest.mark.parametrize('suffix, pixel_shape', [('mp4', Fraction(3, 2)), ('mkv', Fraction(8, 9))])
@pytest.mark.parametrize('off', [-1, 0, 1])
def test_a_mask_at_the_display_size_of_non_square_pixels_is_scaled_with_a_note(
    tmp_path, suffix, pixel_shape, off
):
    images, masks = stand_in.clip(3, 48, 64)
    path = write_movie(tmp_path / f'h264.{suffix}', images, pixel_shape=pixel_shape)
    source = open_source(path)
    for height, width in ((48, 64 * pixel_shape), (48 / pixel_shape, 64)):
        size = round(height), round(width) + off
        shown = resize_mask(torch.from_numpy(masks[0]), size).numpy()
        save_mask(tmp_path / 'one.png', shown)
        matched = match_masks(tmp_path / 'one.png', source, range(3))
        words = f'{size[1]}x{size[0]}, scaled to 64x48, because the pixels are not square'
        assert matched.notes == [f'{tmp_path / "one.png"}: {words}']
        frame = next(iter(Video(source, matched.paths, matched.reader.read)))
        assert frame.annotation.shape == (48, 64)
        assert (frame.annotation == masks[0]).mean() > 0.93
    save_mask(tmp_path / 'one.png', masks[0])
    assert match_masks(tmp_path / 'one.png', source, range(3)).notes == []
