"""Programs that are asked to end: they leave nothing half-written, and can be resumed."""

import os
import signal
import time

import pytest

from tests.helpers.child_process import Child
from tests.helpers.fault_programs import assert_same_results, results_in, run_to_the_end
from util.signals import interruptible

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


@pytest.mark.parametrize('number', SIGNALS)
def test_a_stopped_propagation_leaves_only_what_it_resumes_from(
    programs, undisturbed, tmp_path, number
):
    program, output = programs['propagate'], tmp_path / 'out'
    child = Child(program.module, program.command(tmp_path))
    child.wait_until(lambda: any(output.glob('masks/00005.png')))
    os.kill(child.process.pid, number)
    code, _, errors = child.finish()
    assert (code, errors.splitlines()[-1]) == (130, 'error: interrupted')
    assert [path.name for path in output.glob('.*')] == ['.unfinished']
    run_to_the_end(program.module, program.resumed(tmp_path))
    assert_same_results(results_in(tmp_path), undisturbed('propagate')[0])


@pytest.fixture
def default_handlers():
    """Signals have their default effect; afterwards, what they had before the test."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in SIGNALS[1:]}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_signal_that_is_ignored_stays_ignored(default_handlers):
    """nohup lets a program ignore SIGHUP."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with interruptible():
        os.kill(os.getpid(), signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


@pytest.mark.parametrize('number', SIGNALS[1:])
def test_only_the_first_signal_interrupts(default_handlers, number):
    with pytest.raises(KeyboardInterrupt), interruptible():
        try:
            os.kill(os.getpid(), number)
            time.sleep(5)
        finally:
            os.kill(os.getpid(), number)
    os.kill(os.getpid(), number)  # while the program ends


@pytest.mark.parametrize('number', SIGNALS[1:])
def test_without_a_signal_nothing_changes(default_handlers, number):
    with interruptible():
        assert signal.getsignal(number) is not signal.SIG_DFL
    assert signal.getsignal(number) is signal.SIG_DFL
