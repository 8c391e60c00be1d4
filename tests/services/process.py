"""A server, or what else `pathbook` runs until it is told to stop, in processes of their own."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from tests.books import DATABASE_FILE

START_SECONDS: Final = 60
"""How long a process may take for anything on a busy machine, before a test fails."""

COMMAND: Final = (sys.executable, "-c", "from pathbook.cli.main import main; main()")

Entry = dict[str, object]


class Running:
    """One verb that runs on the books of a place; its log is kept beside that."""

    def __init__(self, place: Path, verb: str, *options: str) -> None:
        """Start it."""
        self.log = place.with_name(f"{place.name}-{time.monotonic_ns()}.log")
        self.out = self.log.with_suffix(".out")
        named = place / DATABASE_FILE
        database = named.read_text("utf-8") if named.exists() else ""
        with self.log.open("w") as log, self.out.open("w") as out:
            self._process = subprocess.Popen(
                [*COMMAND, "--data", str(place), verb, *options],
                stdout=out,
                stderr=log,
                env={**os.environ, "PATHBOOK_DATABASE": database},
            )

    def entries(self) -> list[Entry]:
        """Return what it has logged so far: whole lines."""
        lines = self.log.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("\n")]

    def wait_for(self, event: str, wanted: Callable[[Entry], bool] = lambda _: True) -> Entry:
        """Wait until it has logged something, and return the last such entry."""
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            ended = self._process.poll() not in (
                None,
                -signal.SIGKILL,
            )  # one that was killed may have left others
            for entry in reversed(self.entries()):
                if entry["event"] == event and wanted(entry):
                    return entry
            if ended:
                break
            time.sleep(0.02)
        raise AssertionError((event, self.log.read_text()))

    def wait(self) -> int:
        """Wait for its end, and return its exit code."""
        return self._process.wait(START_SECONDS)

    def terminate(self) -> int:
        """Tell it to stop, and return its exit code when it has."""
        self._process.terminate()
        return self.wait()

    def kill(self) -> None:
        """End it at once, whatever it is doing (kill -9)."""
        self._process.kill()
        self.wait()


class ServerProcess(Running):
    """One process serving the books of a place, or several on one port."""

    def __init__(self, place: Path, port: int = 0, *options: str) -> None:
        """Start it, and wait until it listens."""
        super().__init__(place, "serve", "--listen", f"127.0.0.1:{port}", *options)
        try:
            self.target = str(self.wait_for("serving" if "--workers" in options else "listening")["address"])
        except BaseException:
            self.kill()
            raise
        self.port = int(self.target.rpartition(":")[2])

    def pid(self, name: str) -> int:
        """Return the process id of one of several, by the name it has in the log."""
        return int(str(self.wait_for("started", lambda entry: entry["process"] == name)["pid"]))


@contextlib.contextmanager
def served(place: Path, port: int = 0, *options: str) -> Iterator[ServerProcess]:
    """Serve the books of a place in another process for a while; a test may end it sooner."""
    server = ServerProcess(place, port, *options)
    try:
        yield server
    finally:
        if "--workers" in options:
            server.terminate()  # killed, it would leave the others for a while
        else:
            server.kill()


@contextlib.contextmanager
def followed(place: Path) -> Iterator[Running]:
    """Keep the views of a place up to date in another process for a while; a test may end it sooner."""
    follower = Running(place, "views", "follow")
    try:
        yield follower
    finally:
        follower.kill()


def kill(pid: int) -> None:
    """End a process at once, whatever it is doing (kill -9)."""
    os.kill(pid, signal.SIGKILL)
