"""Evaluations that are asked to end: they leave nothing half-written, and can be resumed."""

import os
import signal
import time

import pytest

from tests.helpers.child_process import Child
from tests.helpers.fault_programs import assert_same_results, results_in, run_to_the_end
from util.evaluation.program import interruptible

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.mark.parametrize('moment', ['run.json', '.*.part', '.*.part/*.png', 'a/*.png'])
@pytest.mark.parametrize('number', SIGNALS)
def test_a_stopped_evaluation_leaves_nothing_behind(
    programs, undisturbed, tmp_path, number, moment
):
    """moment: files to wait for in the output folder before the signal is sent."""
    program, output = programs['eval'], tmp_path / 'out'
    child = Child(program.module, program.command(tmp_path))
    child.wait_until(lambda: any(output.glob(moment)))
    for _ in range(3):  # torchrun sends several
        os.kill(child.process.pid, number)
        if number == signal.SIGINT:
            break
        time.sleep(0.002)
    code, _, errors = child.finish()
    assert (code, errors.splitlines()[-1]) == (130, 'error: interrupted')
    assert not list(output.glob('.*'))
    run_to_the_end(program.module, program.resumed(tmp_path))
    assert_same_results(results_in(tmp_path), undisturbed('eval')[0])


def test_a_signal_that_is_ignored_stays_ignored():
    """nohup lets a program ignore SIGHUP."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruptible():
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize('number', SIGNALS[1:])
def test_only_the_first_signal_interrupts(number):
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), interruptible():
        try:
            os.kill(os.getpid(), number)
            time.sleep(5)
        finally:
            os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before
