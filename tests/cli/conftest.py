"""The tests run the command line inside this process, as `main` does, and capture its output."""

import contextlib
import io
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from pathbook.cli.main import run
from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import Settings

TODAY = "2026-03-01"
"""The day of the demo in the tests."""


class Ran(NamedTuple):
    """The result of a command: its exit code and its output."""

    code: int
    out: str
    err: str

    def json(self) -> dict[str, object]:
        """Return the one object on stdout."""
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found


def pathbook(*arguments: str) -> Ran:
    """Run the command line."""
    with (
        contextlib.redirect_stdout(io.StringIO()) as out,
        contextlib.redirect_stderr(io.StringIO()) as err,
    ):
        code = run(arguments)
    return Ran(code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="session", autouse=True)
def _no_environment() -> Iterator[None]:
    """No test depends on the environment of the person who runs it."""
    with pytest.MonkeyPatch.context() as environment:
        for name in (
            "SERVER",
            "DATA",
            "DATABASE",
            "BOOK",
            "LISTEN",
            "OPERATIONS_LISTEN",
            "OPEN",
            "TOKEN",
            "CA",
            "CERT",
            "CERT_KEY",
        ):
            environment.delenv(f"PATHBOOK_{name}", raising=False)
        environment.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the book of the demo."""
    directory = tmp_path_factory.mktemp("demo")
    ran = pathbook("demo", "--data", str(directory), "--today", TODAY)
    assert ran.code == 0, ran
    shutil.copytree(directory, directory.with_name(f"{directory.name}-closed"))
    return directory


def signing(demo: Path, party: str) -> tuple[str, str, str, str]:
    """Return the options with which a party of the demo signs."""
    keys = demo / "keys"
    return "--sign-with", str(keys / f"{party}.key"), "--passphrase-file", str(keys / "passphrase")


@pytest.fixture(scope="session")
def closed_demo(demo: Path) -> Path:
    """A copy of the demo's directory that no server has open, to be copied again.

    A test must not read the files of a database that its own process has open: when it closes them, the locks of the
    process are gone (https://sqlite.org/howtocorrupt.html, section 2.2).
    """
    return demo.with_name(f"{demo.name}-closed")


@pytest.fixture(scope="session")
def server(demo: Path) -> Iterator[str]:
    """HOST:PORT of a server of the demo's book."""
    with running(Settings(data=demo, listen="127.0.0.1:0")) as port:
        yield f"127.0.0.1:{port}"
