"""A process that waits to be told to stop is told, whichever of its threads gets the signal."""

import subprocess
import sys
import textwrap

import pytest

from tests.books import PATIENCE


@pytest.mark.parametrize(
    ("of", "stopping"),
    [("pathbook.services.run.signals", "stopping(0)"), ("pathbook.cli.stopping", "stopping()")],
)
@pytest.mark.parametrize("seconds", ["math.inf", "1_000"])
def test_a_signal_that_another_thread_gets_ends_the_wait(of: str, stopping: str, seconds: str) -> None:
    """Such a signal does not wake the main thread. Nor does one that comes in the moment before it waits."""
    program = f"""
        import math, signal, threading, time
        from {of} import stopping, wait

        def told() -> None:
            time.sleep(0.2)  # the main thread waits by then, and even a signal before is no other case
            signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

        with {stopping} as stop:
            threading.Thread(target=told).start()
            print(wait(stop, {seconds}), wait(stop, 0))
    """
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert ran.stdout == "True True\n"


def test_a_wait_that_nothing_ends_takes_its_time() -> None:
    """It says that nothing was told."""
    program = """
        from pathbook.cli.stopping import stopping, wait

        with stopping() as stop:
            print(wait(stop, 0.7))
    """
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert ran.stdout == "False\n"
