"""An import that was killed, or whose server was killed, is completed by a repeat, with exact counts."""

import itertools
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import pytest

from pathbook.client import Client
from tests.importing.sheets import BOOK, GIN, RUM, Import, events, open_book, parse_summary, sold, write
from tests.services.forking import PipedFork
from tests.services.process import ServerProcess, served

ROWS: Final = 2_100
"""Enough rows that an import is not finished when a test sees that it has begun."""

TABLES: Final = 3
"""How many tables the directory of tables has."""

BEGUN_POSITION: Final = 600
"""A position at which an import has recorded some transfers, and is far from its end."""

SECONDS: Final = 60
"""How long a process may take on a busy machine before a test fails."""

IMPATIENT: Final = """
from pathbook.cli import connection
connection.LONG_RETRY_TIMEOUT_S = 2.0
from pathbook.cli.main import main
main()
"""
"""The program of the command line with a short retry timeout, for a server that does not come back."""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table of many rows."""
    return write(tmp_path / "many.csv", rows())


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """A directory of tables that have as many rows together."""
    directory, all_rows = tmp_path / "tables", rows()
    directory.mkdir()
    for name in ("a", "b", "c"):
        write(directory / f"{name}.csv", itertools.islice(all_rows, ROWS // TABLES))
    return directory


def rows() -> Iterator[tuple[str, ...]]:
    """Yield many rows."""
    return (sold(RUM if number % 3 else GIN, 1 + number % 7, str(number % 40)) for number in range(ROWS))


def begin_import(table: Path, target: str, program: str = "", more: Sequence[str] = ()) -> PipedFork:
    """Start an import of a table in another process."""
    arguments = [
        "import",
        str(table),
        "--recipe",
        "iowa",
        "--server",
        target,
        "--book",
        BOOK,
        "--output",
        "json",
        *more,
    ]
    return PipedFork(*arguments, program=program)


def wait_until_begun(target: str, begun: int = BEGUN_POSITION) -> None:
    """Wait until the book has some transfers."""
    until = time.monotonic() + SECONDS
    with Client(target, book=BOOK) as client:
        while time.monotonic() < until:
            if client.get_head().position >= begun:
                return
            time.sleep(0.005)
    raise AssertionError("the import did not begin")


def check_book(target: str, batches: int = 2) -> None:
    """Compare the book with the table: each transfer is recorded once, and the stores own every batch completely."""
    with Client(target, book=BOOK) as client:
        kinds = [event.WhichOneof("kind") for event in events(client)]
        assert kinds.count("transfer_recorded") == 2 * ROWS
        assert kinds.count("batch_commissioned") == batches
        client.position = client.get_head().position
        sold_units = sum(1 + number % 7 for number in range(ROWS))
        owned = sum(stock.owned for store in range(40) for stock in client.list_stock(f"store-{store}"))
        assert owned == sum(batch.size for batch in client.list_batches()) == sold_units


def test_a_killed_import_goes_on(table: Path, target: str, imported: Import) -> None:
    """After kill -9 of the import process, a repeat records the missing rows, and no row twice."""
    with begin_import(table, target) as process:
        wait_until_begun(target)
        process.kill()
        assert process.wait(SECONDS) == -signal.SIGKILL
    summary = imported(table)
    assert summary.rejected == 0
    assert summary.accepted + summary.duplicate == ROWS
    assert summary.accepted > 0
    assert summary.duplicate > 0
    assert summary.transfers == 2 * ROWS
    check_book(target)


@pytest.mark.parametrize("begun", [BEGUN_POSITION, ROWS])
def test_a_killed_import_of_several_tables_goes_on(
    tables: Path, target: str, imported: Import, begun: int
) -> None:
    """After kill -9 in the first or second table, a repeat completes all tables, and records no row twice."""
    with begin_import(tables, target) as process:
        wait_until_begun(target, begun)
        process.kill()
        assert process.wait(SECONDS) == -signal.SIGKILL
    summary = imported(tables)
    assert (summary.tables, summary.rejected, summary.transfers) == (TABLES, 0, 2 * ROWS)
    assert summary.accepted + summary.duplicate == ROWS
    assert 0 < summary.duplicate < ROWS
    check_book(target, 2 * TABLES)


def test_an_import_survives_a_restart_of_its_server(table: Path, tmp_path: Path) -> None:
    """After kill -9 and a restart of the server, the same import process records the missing rows."""
    with served(tmp_path / "data") as server:
        open_book(server.target)
        with begin_import(table, server.target) as process:
            wait_until_begun(server.target)
            server.kill()
            with served(tmp_path / "data", server.port) as again:
                out, error = process.communicate(timeout=SECONDS)
                assert process.returncode == 0, error
                summary = parse_summary(out)
                assert (summary.accepted + summary.duplicate, summary.rejected) == (ROWS, 0)
                assert summary.transfers == 2 * ROWS
                check_book(again.target)


@pytest.mark.parametrize("end", [ServerProcess.kill, ServerProcess.terminate])
def test_an_import_without_its_server_ends_and_goes_on_later(
    table: Path, tmp_path: Path, end: Callable[[ServerProcess], object]
) -> None:
    """If the server stays away, the import ends with exit code 4, and a repeat completes it."""
    with served(tmp_path / "data") as server:
        open_book(server.target)
        with begin_import(table, server.target, IMPATIENT) as process:
            wait_until_begun(server.target)
            end(server)
            out, error = process.communicate(timeout=SECONDS)
            assert (process.returncode, out) == (4, "")
            assert "No answer from" in error
            assert "The import was interrupted. Run it again" in error
    with served(tmp_path / "data") as server, begin_import(table, server.target) as process:
        out, error = process.communicate(timeout=SECONDS)
        assert process.returncode == 0, error
        summary = parse_summary(out)
        assert (summary.accepted + summary.duplicate, summary.rejected) == (ROWS, 0)
        assert summary.duplicate > 0
        check_book(server.target)
