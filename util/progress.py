"""One progress bar for all programs: how much is done, how fast, and how long it will take."""

import sys
from typing import Any

import progressbar


def progress_bar(
    total: int | None, unit: str = 'frames', *, label: int = 0, hidden: bool = False
) -> progressbar.ProgressBar:
    """Make a progress bar on stderr; use it in a `with` block and call `increment()`.

    Arguments:
        total: how many units there will be; None if that is not known.
        unit: what is counted, in the plural.
        label: width in characters of a text in front, which `update(label=...)` sets.
        hidden: make a bar that shows nothing.
    """
    text = progressbar.Variable('label', format='{formatted_value}', width=label)
    widgets: list[Any] = [text, ' '] if label else []
    counter = progressbar.Counter() if total is None else progressbar.SimpleProgress()
    widgets += [counter, f' {unit} ', progressbar.AdaptiveTransferSpeed(unit=unit, prefixes=('',))]
    if total is not None:
        widgets += [' ', progressbar.Bar(), ' ', progressbar.AdaptiveETA()]
    kind = progressbar.NullBar if hidden else progressbar.ProgressBar
    # progressbar's default is sys.stderr as it was at import, which may be closed by now.
    return kind(
        max_value=progressbar.UnknownLength if total is None else total,
        widgets=widgets,
        fd=sys.__stderr__,
    )
