"""Train the propagation network: stage 0 (static images), 1 (BL30K) or 2 (DAVIS, YouTube-VOS).

python train.py --stage 0 --id s0
torchrun --nproc_per_node=2 train.py --stage 2 --load_network saves/s0/s0_300000.pth --id s02
"""

from util.errors import entry_point
from util.training.options import parse


@entry_point
def main(argv=None):
    options = parse(__doc__.splitlines()[0], argv)
    # Imported late, because PyTorch takes seconds to load, and mistyped options are reported first.
    from util.training.start import start_training

    with start_training(options) as training:
        train(training, options)


def train(training, options):
    """The training loop. If it fails, a checkpoint is saved: see util/training/rescue.py."""
    while training.iteration < options.iterations:
        # 1. Take the next batch, which worker processes have prepared in advance.
        batch = training.next_batch()
        # 2. Segment it, and update the weights.
        results = training.step(batch)
        # 3. Log loss and IoU and, from time to time, images with the masks.
        training.report(batch, results)
        # 4. Score the network on validation videos, and save it if it is the best so far.
        if training.videos and training.is_due(options.validate_every):
            training.validate()
        # 5. Save a checkpoint to resume from.
        if training.is_due(options.save_every):
            training.save()
        # 6. Ctrl-C and SIGTERM stop the training here, between two iterations.
        training.stop_if_asked()


if __name__ == '__main__':
    main()
