"""A server in a process of its own, which can be told to stop, or be killed."""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

START_SECONDS: Final = 30
"""How long a server may take to listen on a busy machine."""

COMMAND: Final = (sys.executable, "-c", "from pathbook.cli.main import main; main()", "serve")


class ServerProcess:
    """One process serving a directory; its log is kept beside it."""

    def __init__(self, data: Path, port: int = 0) -> None:
        """Start it, and wait until it listens."""
        self.log = data.with_name(f"{data.name}-{time.monotonic_ns()}.log")
        arguments = ["--data", str(data), "--listen", f"127.0.0.1:{port}"]
        with self.log.open("w") as log:
            self._process = subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.DEVNULL, stderr=log)
        self.port = self._listening()

    @property
    def target(self) -> str:
        """Where it is called."""
        return f"127.0.0.1:{self.port}"

    def entries(self) -> list[dict[str, object]]:
        """Return what it has logged so far."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def terminate(self) -> int:
        """Tell it to stop, and return its exit code when it has."""
        self._process.terminate()
        return self._process.wait(START_SECONDS)

    def kill(self) -> None:
        """End it at once, whatever it is doing (kill -9)."""
        self._process.kill()
        self._process.wait(START_SECONDS)

    def _listening(self) -> int:
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self._process.poll() is None:
            for entry in self.entries():
                if entry["event"] == "listening":
                    return int(str(entry["address"]).rpartition(":")[2])
            time.sleep(0.02)
        self.kill()
        raise AssertionError(self.log.read_text())


@contextlib.contextmanager
def served(data: Path, port: int = 0) -> Iterator[ServerProcess]:
    """Serve a directory in another process for a while; a test may end it sooner."""
    server = ServerProcess(data, port)
    try:
        yield server
    finally:
        server.kill()
