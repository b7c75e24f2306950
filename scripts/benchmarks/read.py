"""Reading the memory: parts and the top k, against the whole matrix."""

FRAMES = (1, 5, 20, 60)  # in memory


def run(args):
    """Random keys and values of one object, at args.size; top_k 50."""
    import torch

    from model.memory import read
    from scripts.benchmarks import reference as reference
    from scripts.benchmarks.timing import PeakMemory, compare, in_turn
    from util.device import choose_device

    device = choose_device(args.device)
    height, width = (side // 16 for side in args.size)
    figures = {'read': f'top 50, {height} x {width} feature cells, {device}'}
    torch.manual_seed(0)
    for num_frames in FRAMES:
        keys = torch.randn(128, num_frames, height, width, device=device)
        values = torch.randn(512, num_frames, height, width, device=device)
        query = torch.randn(128, height, width, device=device)
        rows = [x.flatten(1).T.contiguous() for x in (keys, values)]
        steps = {
            'ours': lambda rows=rows, query=query: read(*rows, query, top_k=50)[0, 0, 0].item(),
            'twin': lambda keys=keys, values=values, query=query: reference.read(
                keys, values, query, 50
            )[0, 0, 0].item(),
        }
        with torch.inference_mode():
            difference = read(*rows, query, top_k=50) - reference.read(keys, values, query, 50)
            # two positions may tie for the last place of 50, and the sides break ties their own way
            assert (difference.abs() > 1e-4).float().mean() < 1e-3
            seconds = in_turn(steps, args.rounds)
            with PeakMemory() as peak:
                steps['ours']()
        found = {**compare(seconds), 'extra memory of ours, MiB': peak.mib}
        figures |= {f'{num_frames} frames, {name}': value for name, value in found.items()}
    return figures
