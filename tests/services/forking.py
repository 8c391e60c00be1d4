"""Runs commands and programs of tests in forks of a process that has loaded Pathbook, as loading it takes a second."""

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
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Self

from pathbook.cli.main import main

MESSAGE_MAX_BYTES: Final = 128 << 10
"""The most bytes of one message, which is one packet of a socket. An order has a whole environment."""

PROGRAM: Final = "from tests.services.forking import load; load()"
"""The program of a loader, whose argument is the socket on which it is told what to run."""

LOADED: Final = (
    "grpc._channel",
    "pathbook.cli.backup",
    "pathbook.cli.importing",
    "pathbook.cli.publish",
    "pathbook.cli.restore",
    "pathbook.cli.serve",
    "pathbook.importing.importer",
    "pathbook.publishing.publisher",
    "pathbook.services.backup.restoring",
    "pathbook.services.backup.taking",
    "pathbook.services.run.server",
    "pathbook.services.run.workers",
    "psycopg",
)
"""What a server and the other commands that tests start often load after their start."""

PATIENCE_S: Final = 240.0
"""How long a program may take on a busy machine before a test fails."""

LOOK_S: Final = 0.05
"""How often a thread that waits for the end of a fork looks whether another thread was told of it."""


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

    def kill(self) -> None:
        """Kill the process (kill -9)."""
        self.send_signal(signal.SIGKILL)


class PipedFork(Fork):
    """A command, or a program that a test brings along, whose three streams are pipes of text."""

    def __init__(
        self, *arguments: str, program: str = "", environment: Mapping[str, str] = os.environ
    ) -> None:
        """Start the process: with the arguments of the program, or of `pathbook` if there is none."""
        pipes = [os.pipe() for _ in range(3)]
        theirs = [pipes[0][0], pipes[1][1], pipes[2][1]]
        self.stdin = os.fdopen(pipes[0][1], "w", encoding="utf-8")
        self.stdout, self.stderr = (os.fdopen(pipe[0], encoding="utf-8") for pipe in pipes[1:])
        try:
            fork = loader().fork(arguments, environment, theirs, program)
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        super().__init__(loader(), fork.pid)

    @property
    def returncode(self) -> int | None:
        """The exit code, or the number of the signal that ended the process as a negative one, or None."""
        return self.poll()

    def communicate(self, timeout: float = PATIENCE_S) -> tuple[str, str]:
        """End the input of the process, wait for its end, and return what else it printed, and its errors."""
        self.stdin.close()
        with ThreadPoolExecutor(2) as readers:
            reading = [readers.submit(stream.read) for stream in (self.stdout, self.stderr)]
            try:
                out, err = (read.result(timeout) for read in reading)
            except TimeoutError:
                self.kill()
                raise
        self.wait(timeout)
        self.close()
        return out, err

    def close(self) -> None:
        """Close the pipes."""
        for stream in (self.stdin, self.stdout, self.stderr):
            stream.close()

    def __enter__(self) -> Self:
        """Return the process."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Close the pipes, and wait for the end of the process."""
        self.close()
        self.wait(PATIENCE_S)


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

    def fork(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        streams: Sequence[int],
        program: str = "",
    ) -> Fork:
        """Run a command in a fork, or a program. Its input, output and errors are these descriptors."""
        order = {"arguments": arguments, "environment": dict(environment), "program": program}
        with self._turn:
            socket.send_fds(self._line, [json.dumps(order).encode()], streams)
            while (pid := self._hear()) is None:
                pass
            self._codes.pop(pid, None)  # of an earlier process with the same id
        return Fork(self, pid)

    def exit_code(self, pid: int, timeout: float) -> int | None:
        """Return the exit code of a fork, or None if it does not end within so many seconds."""
        due = time.monotonic() + timeout
        while pid not in self._codes:
            left = due - time.monotonic()
            select.select([self._line], [], [], max(0, min(left, LOOK_S)))
            with self._turn:  # another thread may have taken the message
                if pid not in self._codes and select.select([self._line], [], [], 0)[0]:
                    self._hear()
                elif pid not in self._codes and left <= 0:
                    return None
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
    order, streams = next_order(socket.socket(fileno=int(sys.argv[1])))
    if order:
        become(**json.loads(order), streams=streams)


def next_order(line: socket.socket) -> tuple[bytes, list[int]]:
    """Return in a fork, with its order and streams, and tell of its end; return nothing once the socket is closed."""
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
                order, streams, _, _ = socket.recv_fds(line, MESSAGE_MAX_BYTES, 3)
                if not order:
                    return order, streams
                pid = os.fork()
                if pid == 0:
                    for other in list(watched.get_map().values()):
                        if other.fileobj is not line:
                            os.close(other.fd)
                    return order, streams
                for stream in streams:
                    os.close(stream)
                watched.register(os.pidfd_open(pid), selectors.EVENT_READ, pid)
                line.sendall(json.dumps({"pid": pid}).encode())


def become(arguments: list[str], environment: dict[str, str], program: str, streams: list[int]) -> None:
    """Run a command or a program in this fork, and exit."""
    for descriptor, stream in enumerate(streams):
        os.dup2(stream, descriptor)
        os.close(stream)
    os.environ.clear()
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["pathbook", *arguments]
    if program:
        exec(compile(program, "<the program of a test>", "exec"), {"__name__": "__main__"})
    else:
        main()
