"""Runs servers, and other commands of `pathbook` that run until they are stopped, in processes of their own."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from tests.books import DATABASE_FILE
from tests.services.forking import Fork, loader

START_SECONDS: Final = 60
"""How long (seconds) a process may take for anything before a test fails."""

COMMAND: Final = (sys.executable, "-c", "from pathbook.cli.main import main; main()")

Entry = dict[str, object]


class Running:
    """A process that runs a verb on the books of a place; its log lies beside the place.

    Its servers are open, unless the environment says that they are not: only the tests of access want tokens.
    """

    def __init__(self, place: Path, verb: str, *options: str, command: Sequence[str] = COMMAND) -> None:
        """Start the process."""
        self.log = place.with_name(f"{place.name}-{time.monotonic_ns()}.log")
        self.out = self.log.with_suffix(".out")
        named = place / DATABASE_FILE
        database = named.read_text("utf-8") if named.exists() else ""
        arguments = ["--data", str(place), verb, *options]
        environment = {"PATHBOOK_OPEN": "1", **os.environ, "PATHBOOK_DATABASE": database}
        self._process: subprocess.Popen[bytes] | Fork
        with self.log.open("w") as log, self.out.open("w") as out, Path(os.devnull).open() as nothing:
            if command == COMMAND:
                streams = [file.fileno() for file in (nothing, out, log)]
                self._process = loader().fork(arguments, environment, streams)
            else:
                self._process = subprocess.Popen(
                    [*command, *arguments], stdout=out, stderr=log, env=environment
                )

    @property
    def id(self) -> int:
        """The id of the process."""
        return self._process.pid

    def entries(self) -> list[Entry]:
        """Return the complete lines that the process has logged so far."""
        lines = self.log.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("\n")]

    def wait_for(self, event: str, wanted: Callable[[Entry], bool] = lambda _: True) -> Entry:
        """Wait until the process has logged an event, and return the last such entry."""
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            # A killed process may have left child processes that still log.
            ended = self._process.poll() not in (None, -signal.SIGKILL)
            for entry in reversed(self.entries()):
                if entry["event"] == event and wanted(entry):
                    return entry
            if ended:
                break
            time.sleep(0.02)
        raise AssertionError((event, self.log.read_text()))

    def wait(self, seconds: float = START_SECONDS) -> int:
        """Wait for the end of the process, and return its exit code."""
        return self._process.wait(seconds)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send the process a signal, and do not wait for its end."""
        self._process.send_signal(number)

    def terminate(self) -> int:
        """Ask the process to stop, and return its exit code."""
        self.stop()
        return self.wait()

    def kill(self) -> None:
        """Kill the process (kill -9)."""
        self.stop(signal.SIGKILL)
        self.wait()


class ServerProcess(Running):
    """A process that serves the books of a place, or the parent of several on one port."""

    def __init__(
        self, place: Path, port: int = 0, *options: str, seals: bool = False, apart: bool = False
    ) -> None:
        """Start the process, and wait until it listens. It seals only if asked to, as most tests count events.

        With ``apart``, a process of its own updates the views, as on any machine of two processors by default.
        """
        sealing = [] if seals or "--no-follow" in options else ["--no-seal"]
        several = apart or "--workers" in options
        if not several:
            sealing.append("--one-process")  # it starts sooner, and a kill ends all of it
        super().__init__(place, "serve", "--listen", f"127.0.0.1:{port}", *options, *sealing)
        try:
            self.target = str(self.wait_for("serving" if several else "listening")["address"])
        except BaseException:
            self.kill()
            raise
        self.port = int(self.target.rpartition(":")[2])

    def pid(self, name: str) -> int:
        """Return the id of a child process by its name in the log."""
        return int(str(self.wait_for("started", lambda entry: entry["process"] == name)["pid"]))


@contextlib.contextmanager
def served(place: Path, port: int = 0, *options: str, seals: bool = False) -> Iterator[ServerProcess]:
    """Serve the books of a place in another process, which a test may end earlier."""
    server = ServerProcess(place, port, *options, seals=seals)
    try:
        yield server
    finally:
        if "--workers" in options:
            server.terminate()  # a killed parent would leave its workers for a while
        else:
            server.kill()


@contextlib.contextmanager
def followed(place: Path) -> Iterator[Running]:
    """Update the views of a place in another process, which a test may end earlier."""
    follower = Running(place, "views", "follow", "--no-seal")
    try:
        yield follower
    finally:
        follower.kill()


def kill(pid: int) -> None:
    """Kill a process (kill -9)."""
    os.kill(pid, signal.SIGKILL)
