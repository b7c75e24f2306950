"""One progress bar for all programs: what is done, how fast, how long still."""

import sys

import progressbar


def progress_bar(total, unit='frames', *, label=0, hidden=False):
    """A progressbar2 bar on stderr; use it in `with`, call `increment()`.

    total: None where the length is not known. label: characters for `update(label=...)` in front.
    """
    widgets = [progressbar.Variable('label', format='{formatted_value}', width=label), ' ']
    widgets = widgets if label else []
    counter = progressbar.Counter() if total is None else progressbar.SimpleProgress()
    widgets += [counter, f' {unit} ', progressbar.AdaptiveTransferSpeed(unit=unit, prefixes=('',))]
    if total is None:
        total = progressbar.UnknownLength
    else:
        widgets += [' ', progressbar.Bar(), ' ', progressbar.AdaptiveETA()]
    kind = progressbar.NullBar if hidden else progressbar.ProgressBar
    # not its default, the stderr of the time of its import, which may be closed by now
    return kind(max_value=total, widgets=widgets, fd=sys.__stderr__)
