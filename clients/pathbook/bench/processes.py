"""The processes that are measured: started, asked what they cost, and ended."""

import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

START_TIMEOUT_S: Final = 60.0
"""How long a process may take until it listens, on a machine that is busy."""

STOP_TIMEOUT_S: Final = 60.0
"""How long it may take to end, once it was told."""

LOG_LINES: Final = 5
"""How many of the last lines of its log are repeated of a process that has ended."""

PROCESSES: Final = Path("/proc")
"""Where Linux tells what processes cost; elsewhere nobody tells (proc(5))."""

PATHBOOK: Final = ("-c", "from pathbook.cli.main import main; main()")
"""How this Python runs the command line."""

ECHO: Final = ("-m", "pathbook.bench.echo")
"""How it runs the echo."""


NOTHING: Final[Mapping[str, str]] = {}


class Process:
    """A process of this Python, whose log is kept in a file."""

    def __init__(self, arguments: Sequence[str], log: Path, environment: Mapping[str, str] = NOTHING) -> None:
        """Start it."""
        self._log = log
        with log.open("a") as file:
            self._process = subprocess.Popen(  # noqa: S603 - this very Python, with arguments of our own
                [sys.executable, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                env={**_inherited(), **environment},
                text=True,
            )

    def __enter__(self) -> Self:
        """Begin to use it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        self.stop()

    def stop(self) -> None:
        """Tell it to end, and wait until it has."""
        self._process.terminate()
        try:
            self._process.communicate(timeout=STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()

    def require_running(self) -> None:
        """Raise OSError with the end of its log, if it has ended."""
        if self._process.poll() is not None:
            end = "\n".join(self._log.read_text("utf-8").splitlines()[-LOG_LINES:])
            raise OSError(f"A process that is to be measured has ended. The end of its log:\n{end}")

    def memory(self) -> dict[str, int]:
        """Return resident bytes: "VmRSS" now, "VmHWM" at the most so far. Empty where nobody tells."""
        try:
            lines = (PROCESSES / str(self._process.pid) / "status").read_text("ascii").splitlines()
        except OSError:
            return {}
        told = {name: rest.split() for name, _, rest in (line.partition(":") for line in lines)}
        return {name: int(told[name][0]) * 1024 for name in ("VmRSS", "VmHWM") if name in told}

    def cpu_seconds(self) -> float | None:
        """Return how many seconds of a processor it has used so far. None where nobody tells."""
        try:
            stat = (PROCESSES / str(self._process.pid) / "stat").read_text("utf-8")
        except OSError:
            return None
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


class Listener(Process):
    """A process that says on its first line of output where it listens."""

    def __init__(self, arguments: Sequence[str], log: Path, environment: Mapping[str, str] = NOTHING) -> None:
        """Start it, and wait until it listens.

        Raises:
            OSError: it ended instead, or was ended because it took too long.
        """
        super().__init__(arguments, log, environment)
        try:
            self.address = self._said()
        except BaseException:
            self.stop()
            raise

    def _said(self) -> str:
        assert self._process.stdout is not None
        impatient = threading.Timer(START_TIMEOUT_S, self._process.kill)
        impatient.start()
        try:
            said = self._process.stdout.readline().split()
        finally:
            impatient.cancel()
        if not said:
            self._process.wait(STOP_TIMEOUT_S)
            self.require_running()
        return said[-1]


def _inherited() -> dict[str, str]:
    """Return the environment without what it says of books: those are nobody's business here."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PATHBOOK_")}
