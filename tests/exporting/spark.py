"""A standalone cluster of Apache Spark on this machine: a master and two workers, each a process of its own."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import pytest

PATIENCE_S: Final = 120.0
"""How long a process of the cluster may take to start."""

LOOPBACK: Final = "127.0.0.1"

ROOT: Final = Path(__file__).resolve().parents[2]

needs_spark = pytest.mark.skipif(
    find_spec("pyspark") is None, reason="pyspark is not installed: the folds on a cluster did not run."
)


def environment() -> Mapping[str, str]:
    """Return the environment of the processes of a cluster: they stay on this machine, and find this tree."""
    found = find_spec("pyspark")
    assert found is not None
    assert found.origin is not None
    roots = [str(ROOT / name) for name in ("proto", "ledger", "services", "clients")]
    return os.environ | {
        "SPARK_HOME": str(Path(found.origin).parent),
        "SPARK_LOCAL_IP": LOOPBACK,
        "SPARK_NO_DAEMONIZE": "1",
        "PYSPARK_PYTHON": sys.executable,
        "PYTHONPATH": os.pathsep.join([*roots, str(ROOT)]),
    }


class Cluster:
    """A master and its workers."""

    def __init__(self, directory: Path, memory: str) -> None:
        """Start them. They log and work in a directory. ``memory`` is what a worker may give away, such as 1g."""
        self.directory, self._memory = directory, memory
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        port = _free_port()
        self.master = f"spark://{LOOPBACK}:{port}"
        self._start("master", "master.Master", "--port", str(port))
        _wait_for_port(port)

    def add_worker(self, name: str) -> None:
        """Start a worker with one processor, and wait until the master knows it."""
        work = self.directory / name
        options = ("--cores", "1", "--memory", self._memory, "--work-dir", str(work), self.master)
        self._start(name, "worker.Worker", "--port", "0", *options)
        self._wait(name, "Successfully registered with master")

    def kill(self, name: str) -> None:
        """Kill a worker (kill -9). Its executors end with it."""
        process = self._processes.pop(name)
        process.kill()
        process.wait(PATIENCE_S)

    def tasks(self, name: str) -> int:
        """Return how many tasks the executors of a worker have begun."""
        logs = (self.directory / name).glob("app-*/*/stderr")
        return sum(log.read_text("utf-8", "replace").count("Running task") for log in logs)

    def pids(self) -> list[int]:
        """Return the processes that were started here."""
        return [process.pid for process in self._processes.values()]

    def stop(self) -> None:
        """End all processes that were started here."""
        for process in self._processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self._processes.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            process.wait(PATIENCE_S)

    def _start(self, name: str, program: str, *options: str) -> None:
        home = environment()["SPARK_HOME"]
        line = [f"{home}/bin/spark-class", f"org.apache.spark.deploy.{program}", "--host", LOOPBACK]
        self.directory.mkdir(parents=True, exist_ok=True)
        with (self.directory / f"{name}.log").open("wb") as log:
            self._processes[name] = subprocess.Popen(
                [*line, "--webui-port", "0", *options],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment(),
            )

    def _wait(self, name: str, text: str) -> None:
        log, until = self.directory / f"{name}.log", time.monotonic() + PATIENCE_S
        while text not in log.read_text("utf-8", "replace"):
            assert self._processes[name].poll() is None, log.read_text("utf-8", "replace")
            assert time.monotonic() < until, log.read_text("utf-8", "replace")
            time.sleep(0.1)


@contextlib.contextmanager
def cluster(directory: Path, memory: str = "1g") -> Iterator[Cluster]:
    """Run a cluster with two workers."""
    found = Cluster(directory, memory)
    try:
        for name in ("one", "two"):
            found.add_worker(name)
        yield found
    finally:
        found.stop()


def _free_port() -> int:
    with socket.create_server((LOOPBACK, 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _wait_for_port(port: int) -> None:
    until = time.monotonic() + PATIENCE_S
    while True:
        with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), 1):
            return
        assert time.monotonic() < until
        time.sleep(0.1)
