"""Commands that work in their world until a case spoils something; see `case.WORLDS`."""

PROPAGATE = 'propagate.py frames --mask mask.png --output out'
PROPAGATE_MASKS = 'propagate.py frames --mask masks --output out'
MATCH_POINT = 'try_correspondence.py frames/00000.png frames/00001.png --point 3,4 --save out.png'
MATCH_MASK = MATCH_POINT.replace('--point 3,4', '--mask mask.png')
DAVIS = 'eval_davis.py --davis DAVIS/2017 --output out'
DAVIS_2016 = 'eval_davis_2016.py --davis DAVIS/2016 --output out'
YOUTUBE = 'eval_youtube.py --yv YouTube --output out'
SCORE = 'scripts/score.py ground_truth predictions'
TRAINING = '--pretrained none -b 1 --num_workers 0 -i 9 --crop 32 --device cpu'
TRAIN_STATIC = f'train.py --stage 0 --static_root static {TRAINING}'
TRAIN_VIDEOS = f'train.py --stage 2 --vos_root videos {TRAINING}'
TRAIN_DAVIS = f'train.py --stage 2 --davis_root tree {TRAINING}'
CHECK_STATIC = 'scripts/check_dataset.py static'
RESIZE_STATIC = 'scripts/resize_static.py static'
RESIZE_VIDEOS = 'scripts/resize_youtube.py videos'
MAKE_CLIP = 'scripts/make_demo_clip.py --output out'
