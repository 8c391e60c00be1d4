"""Fixtures: a server for one test, a client of its book, and the command that imports into it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pathbook.cli.main import run
from pathbook.cli.settings import DEFAULT_BOOK
from pathbook.client import Client
from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import Settings
from tests.importing.sheets import BOOK, Import, Summary, open_book, parse_summary


@pytest.fixture
def target(tmp_path: Path) -> Iterator[str]:
    """The address of a server, on which the book of the tests and the default book are open."""
    with running(Settings(data=tmp_path / "data", listen="127.0.0.1:0")) as port:
        address = f"127.0.0.1:{port}"
        for book in (BOOK, DEFAULT_BOOK):
            open_book(address, book)
        yield address


@pytest.fixture
def client(target: str) -> Iterator[Client]:
    """A client of the book."""
    with Client(target, book=BOOK) as client:
        yield client


@pytest.fixture
def imported(target: str, capsys: pytest.CaptureFixture[str]) -> Import:
    """The command that imports a table into the book, with the recipe for Iowa by default."""

    def command(table: Path, *more: str, recipe: str = "iowa", exits: int = 0) -> Summary:
        arguments = ["import", str(table), "--recipe", recipe, "--server", target, "--book", BOOK]
        capsys.readouterr()
        code = run([*arguments, "--output", "json", *more])
        printed = capsys.readouterr()
        assert code == exits, printed.err
        return parse_summary(printed.out)

    return command
