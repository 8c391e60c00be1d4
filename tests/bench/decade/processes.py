"""A server and an importer in processes of their own, which can be killed, and whose memory is measured."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import msgspec

SECONDS: Final = 60.0
"""How long a server may take to start or to end."""

PATHBOOK: Final = (sys.executable, "-c", "from pathbook.cli.main import main; main()")

BOOK: Final = "decade"


class Store(msgspec.Struct, frozen=True):
    """Where the books are: a directory, and the URL of a database if they are not in SQLite files."""

    data: Path
    database: str = ""

    def arguments(self) -> list[str]:
        """Return the arguments for the command line."""
        return ["--data", str(self.data), *(["--database", self.database] if self.database else [])]


class Process:
    """A process whose memory is measured together with that of its children."""

    def __init__(self, arguments: list[str], output: Path, errors: Path) -> None:
        """Start the process, with its output in files."""
        self.output, self.errors = output, errors
        with output.open("w") as out, errors.open("w") as err:
            environment = {
                **os.environ,
                "PATHBOOK_OPEN": "1",
            }  # a server of this machine alone, without tokens
            self._process = subprocess.Popen([*PATHBOOK, *arguments], stdout=out, stderr=err, env=environment)
        self.peak_bytes = self.largest_bytes = 0

    @property
    def exit_code(self) -> int | None:
        """The exit code of the process, or None while it runs."""
        return self._process.poll()

    def memory(self) -> int:
        """Return the bytes of the process and its children, and update the peaks: of all, and of the largest."""
        resident = peak = 0
        for pid in _family(self._process.pid):
            status = _status(pid)
            resident += status.get("VmRSS", 0)
            peak += status.get("VmHWM", 0)
            self.largest_bytes = max(self.largest_bytes, status.get("VmHWM", 0))
        self.peak_bytes = max(self.peak_bytes, peak)
        return resident

    def kill(self) -> None:
        """Kill the process and its children (kill -9)."""
        self.memory()
        family = _family(self._process.pid)
        self._process.kill()
        for pid in family[1:]:
            subprocess.run(["/bin/kill", "-9", str(pid)], check=False, stderr=subprocess.DEVNULL)
        self._process.wait(SECONDS)

    def terminate(self) -> None:
        """Ask the process to stop, and wait for its end."""
        self.memory()
        self._process.terminate()
        self._process.wait(SECONDS)

    def wait(self, seconds: float) -> int:
        """Wait for the end of the process, and return its exit code."""
        return self._process.wait(seconds)


class Server(Process):
    """A server of a store; `seconds` is the time until it listened."""

    def __init__(self, store: Store, logs: Path, options: list[str], port: int = 0) -> None:
        """Start the server, and wait until it listens."""
        begin = time.perf_counter()
        name = f"server-{time.monotonic_ns()}"
        arguments = ["serve", "--no-seal", *store.arguments(), "--listen", f"127.0.0.1:{port}", *options]
        super().__init__(arguments, logs / f"{name}.out", logs / f"{name}.log")
        self.port = self._listening()
        self.seconds = time.perf_counter() - begin

    @property
    def target(self) -> str:
        """The address of the server."""
        return f"127.0.0.1:{self.port}"

    def _listening(self) -> int:
        until = time.monotonic() + SECONDS
        while time.monotonic() < until and self.exit_code is None:
            for line in self.errors.read_text().splitlines():
                if '"listening"' in line:
                    return int(str(json.loads(line)["address"]).rpartition(":")[2])
            time.sleep(0.01)
        self.kill()
        raise RuntimeError(f"The server does not listen: {self.errors.read_text()[-2_000:]}")


class Importer(Process):
    """An import of a directory of tables."""

    def __init__(self, tables: Path, target: str, logs: Path) -> None:
        """Start the import."""
        name = f"import-{time.monotonic_ns()}"
        arguments = ["import", str(tables), "--recipe", "iowa", "--server", target, "--book", BOOK]
        super().__init__([*arguments, "--output", "json"], logs / f"{name}.json", logs / f"{name}.log")


def _family(pid: int) -> list[int]:
    """Return the ids of a process and its running descendants."""
    found = [pid]
    for process in found:
        for children in Path(f"/proc/{process}/task").glob("*/children"):
            try:
                found += [int(child) for child in children.read_text().split()]
            except OSError:
                continue  # the process has just ended
    return found


def _status(pid: int) -> dict[str, int]:
    """Return the sizes (bytes) that the system reports for a process, or nothing if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return {}
    sizes = (line.split() for line in lines if line.endswith(" kB"))
    return {name.rstrip(":"): int(size) * 1024 for name, size, _ in sizes}
