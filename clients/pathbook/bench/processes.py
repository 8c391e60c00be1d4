"""The measured processes: starts them, reads their CPU time and memory, and ends them."""

import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

START_TIMEOUT_S: Final = 60.0
"""How long a process may take until it listens, even on a busy machine."""

STOP_TIMEOUT_S: Final = 60.0
"""How long a process may take to end after it is told to."""

LOG_LINES: Final = 5
"""How many of the last lines of its log are shown, if a process has ended."""

PROCESSES: Final = Path("/proc")
"""Where Linux reports the CPU time and memory of processes (proc(5)). Other systems have no such directory."""

PATHBOOK: Final = ("-c", "from pathbook.cli.main import main; main()")
"""The arguments with which Python runs the command line."""

ECHO: Final = ("-m", "pathbook.bench.echo")
"""The arguments with which Python runs the echo."""

NOTHING: Final[Mapping[str, str]] = {}


class Process:
    """A process of this Python. Its log goes to a file."""

    def __init__(self, arguments: Sequence[str], log: Path, environment: Mapping[str, str] = NOTHING) -> None:
        """Start the process."""
        self._log = log
        with log.open("a") as file:
            self._process = subprocess.Popen(  # noqa: S603 - the program is this Python, and the arguments are ours
                [sys.executable, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                env={**_inherited(), **environment},
                text=True,
            )

    def __enter__(self) -> Self:
        """Return the process itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process."""
        self.stop()

    def stop(self) -> None:
        """Terminate the process, and wait for its end. Kill it if it does not end in time."""
        self._process.terminate()
        try:
            self._process.communicate(timeout=STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()

    def require_running(self) -> None:
        """Raise OSError with the end of the log, if the process has ended."""
        if self._process.poll() is not None:
            end = "\n".join(self._log.read_text("utf-8").splitlines()[-LOG_LINES:])
            raise OSError(f"A measured process has ended too early. The end of its log:\n{end}")

    def memory(self) -> dict[str, int]:
        """Return resident bytes: "VmRSS" now, "VmHWM" at the most so far. Empty if the system does not report them."""
        try:
            lines = (PROCESSES / str(self._process.pid) / "status").read_text("ascii").splitlines()
        except OSError:
            return {}
        fields = {name: rest.split() for name, _, rest in (line.partition(":") for line in lines)}
        return {name: int(fields[name][0]) * 1024 for name in ("VmRSS", "VmHWM") if name in fields}

    def cpu_seconds(self) -> float | None:
        """Return the CPU seconds of the process so far, or None if the system does not report them."""
        try:
            stat = (PROCESSES / str(self._process.pid) / "stat").read_text("utf-8")
        except OSError:
            return None
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


class Listener(Process):
    """A process whose first line of output ends with the address it listens on."""

    def __init__(self, arguments: Sequence[str], log: Path, environment: Mapping[str, str] = NOTHING) -> None:
        """Start the process, and wait until it listens.

        Raises:
            OSError: it ended before it listened, or was killed because it took too long.
        """
        super().__init__(arguments, log, environment)
        try:
            self.address = self._read_address()
        except BaseException:
            self.stop()
            raise

    def _read_address(self) -> str:
        assert self._process.stdout is not None
        watchdog = threading.Timer(START_TIMEOUT_S, self._process.kill)
        watchdog.start()
        try:
            words = self._process.stdout.readline().split()
        finally:
            watchdog.cancel()
        if not words:
            self._process.wait(STOP_TIMEOUT_S)
            self.require_running()
        return words[-1]


def _inherited() -> dict[str, str]:
    """Return the environment without Pathbook's variables: they name the user's books, which a bench must not touch."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PATHBOOK_")}
