"""Runs commands of `pathbook` in forks of a process that has loaded the program, because loading it takes a second."""

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import select
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from pathbook.cli.main import main

MESSAGE_MAX_BYTES: Final = 128 << 10
"""The most bytes of one message, which is one packet of a socket. An order has a whole environment."""

PROGRAM: Final = "from tests.services.forking import load; load()"
"""The program of a loader, whose argument is the socket on which it is told what to run."""

LOADED: Final = (
    "pathbook.cli.serve",
    "pathbook.services.run.server",
    "pathbook.services.run.workers",
    "psycopg",
)
"""What a server loads after its start."""


class Fork:
    """A command in a process of its own. It has the methods of `subprocess.Popen` that the tests need."""

    def __init__(self, loader: "Loader", pid: int) -> None:
        """Watch a process that a loader forked."""
        self._loader, self.pid = loader, pid

    def poll(self) -> int | None:
        """Return the exit code, or the number of the signal that ended the process as a negative one, or None."""
        return self._loader.exit_code(self.pid, 0)

    def wait(self, timeout: float) -> int:
        """Wait for the end of the process, at most so many seconds, and return its exit code."""
        code = self._loader.exit_code(self.pid, timeout)
        if code is None:
            raise subprocess.TimeoutExpired(f"pathbook, process {self.pid}", timeout)
        return code

    def send_signal(self, number: signal.Signals) -> None:
        """Send the process a signal, unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


class Loader:
    """The process that has loaded the program. It forks when it is told to, and tells how its forks ended."""

    def __init__(self) -> None:
        """Start the process."""
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, str(theirs.fileno())], pass_fds=[theirs.fileno()]
            )
        self._codes: dict[int, int] = {}
        self._turn = threading.Lock()

    def fork(self, arguments: Sequence[str], environment: Mapping[str, str], out: Path, err: Path) -> Fork:
        """Run a command in a fork, with its output and errors in two files."""
        for file in (out, err):
            file.touch()
        order = {"arguments": arguments, "environment": dict(environment), "files": [str(out), str(err)]}
        with self._turn:
            self._line.sendall(json.dumps(order).encode())
            while (pid := self._hear()) is None:
                pass
        return Fork(self, pid)

    def exit_code(self, pid: int, timeout: float) -> int | None:
        """Return the exit code of a fork, or None if it does not end within so many seconds."""
        due = time.monotonic() + timeout
        with self._turn:
            while pid not in self._codes:
                if not select.select([self._line], [], [], max(0, due - time.monotonic()))[0]:
                    return None
                self._hear()
            return self._codes[pid]

    def end(self) -> None:
        """End the process. Forks that still run go on."""
        self._line.close()
        self._process.wait()

    def _hear(self) -> int | None:
        """Take one message. Return the id of a process that was forked; keep the exit code of one that ended."""
        told = json.loads(self._line.recv(MESSAGE_MAX_BYTES))
        if "code" in told:
            self._codes[told["pid"]] = told["code"]
            return None
        return int(told["pid"])


@functools.cache
def loader() -> Loader:
    """Return the loader of this process, which is started when it is first needed."""
    started = Loader()
    atexit.register(started.end)
    return started


def load() -> None:
    """Load the program, and run it in forks for each message, until the other side closes the socket."""
    for name in LOADED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C is for the tests, and their end is that of this process
    order = next_order(socket.socket(fileno=int(sys.argv[1])))
    if order:
        become(**json.loads(order))


def next_order(line: socket.socket) -> bytes:
    """Return in a fork, with its order, and tell of its end; return nothing once the other side closes the socket."""
    with selectors.DefaultSelector() as watched, line:
        watched.register(line, selectors.EVENT_READ)
        while True:
            for key, _ in watched.select():
                if key.fileobj is not line:
                    watched.unregister(key.fileobj)
                    os.close(key.fd)
                    code = os.waitstatus_to_exitcode(os.waitpid(key.data, 0)[1])
                    line.sendall(json.dumps({"pid": key.data, "code": code}).encode())
                    continue
                order = line.recv(MESSAGE_MAX_BYTES)
                if not order:
                    return order
                pid = os.fork()
                if pid == 0:
                    for other in list(watched.get_map().values()):
                        if other.fileobj is not line:
                            os.close(other.fd)
                    return order
                watched.register(os.pidfd_open(pid), selectors.EVENT_READ, pid)
                line.sendall(json.dumps({"pid": pid}).encode())


def become(arguments: list[str], environment: dict[str, str], files: list[str]) -> None:
    """Run a command in this fork, and exit."""
    for descriptor, file in enumerate(files, start=1):
        opened = os.open(file, os.O_WRONLY)
        os.dup2(opened, descriptor)
        os.close(opened)
    os.environ.clear()
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["pathbook", *arguments]
    main()
