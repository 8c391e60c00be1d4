"""An import whose process, or whose server, is killed goes on when it is run again, and every count is exact."""

import itertools
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from pathbook.client import Client
from tests.importing.sheets import BOOK, GIN, RUM, Import, events, parse_summary, sold, write
from tests.services.process import ServerProcess, served

ROWS: Final = 4_200
"""Enough that an import is still under way when it is seen to have begun."""

TABLES: Final = 3
"""Of how many tables, where there are several."""

BEGUN: Final = 600
"""An import at this position has recorded some transfers, and is far from its end."""

SECONDS: Final = 60
"""How long anything here may take on a busy machine."""

IMPORT: Final = "from pathbook.cli.main import main; main()"
"""What the process of an import runs."""

IMPATIENT: Final = f"from pathbook.cli import connection; connection.LONG_RETRY_TIMEOUT_S = 2.0; {IMPORT}"
"""The same, without waiting half a minute for a server that does not come back."""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table of many rows."""
    return write(tmp_path / "many.csv", rows())


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """A directory of tables that hold as many rows together."""
    directory, all_rows = tmp_path / "tables", rows()
    directory.mkdir()
    for name in ("a", "b", "c"):
        write(directory / f"{name}.csv", itertools.islice(all_rows, ROWS // TABLES))
    return directory


def rows() -> Iterator[tuple[str, ...]]:
    """Yield many rows."""
    return (sold(RUM if number % 3 else GIN, 1 + number % 7, str(number % 40)) for number in range(ROWS))


def begin_import(table: Path, target: str, program: str = IMPORT) -> subprocess.Popen[str]:
    """Import a table in a process of its own."""
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
    ]
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_until_begun(target: str, begun: int = BEGUN) -> None:
    """Wait until the book shows that some transfers are recorded."""
    until = time.monotonic() + SECONDS
    with Client(target, book=BOOK) as client:
        while time.monotonic() < until:
            try:
                if client.get_head().position >= begun:
                    return
            except Exception as error:
                if "BOOK_UNKNOWN" not in str(error):
                    raise
            time.sleep(0.005)
    raise AssertionError("the import did not begin")


def check(target: str, batches: int = 2) -> None:
    """Hold the book against the table: every transfer once, each batch wholly with the stores."""
    with Client(target, book=BOOK) as client:
        kinds = [event.WhichOneof("kind") for event in events(client)]
        assert kinds.count("transfer_recorded") == 2 * ROWS
        assert kinds.count("batch_commissioned") == batches
        client.position = client.get_head().position
        sold_units = sum(1 + number % 7 for number in range(ROWS))
        held = sum(stock.owned for store in range(40) for stock in client.list_stock(f"store-{store}"))
        assert held == sum(batch.size for batch in client.list_batches()) == sold_units


def test_a_killed_import_goes_on(table: Path, target: str, imported: Import) -> None:
    """After kill -9 of the importing process in the middle, run again, the rest is recorded, and nothing twice."""
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
    check(target)


@pytest.mark.parametrize("begun", [BEGUN, ROWS])
def test_a_killed_import_of_several_tables_goes_on(
    tables: Path, target: str, imported: Import, begun: int
) -> None:
    """Killed in the first table or in the second, and run again, all tables are in the book, and nothing twice."""
    with begin_import(tables, target) as process:
        wait_until_begun(target, begun)
        process.kill()
        assert process.wait(SECONDS) == -signal.SIGKILL
    summary = imported(tables)
    assert (summary.tables, summary.rejected, summary.transfers) == (TABLES, 0, 2 * ROWS)
    assert summary.accepted + summary.duplicate == ROWS
    assert 0 < summary.duplicate < ROWS
    check(target, 2 * TABLES)


def test_an_import_outlives_its_server(table: Path, tmp_path: Path) -> None:
    """After kill -9 of the server in the middle, and started again soon, it is told the rest by the same import."""
    with served(tmp_path / "data") as server, begin_import(table, server.target) as process:
        wait_until_begun(server.target)
        server.kill()
        with served(tmp_path / "data", server.port) as again:
            out, error = process.communicate(timeout=SECONDS)
            assert process.returncode == 0, error
            summary = parse_summary(out)
            assert (summary.accepted + summary.duplicate, summary.rejected) == (ROWS, 0)
            assert summary.transfers == 2 * ROWS
            check(again.target)


@pytest.mark.parametrize("end", [ServerProcess.kill, ServerProcess.terminate])
def test_an_import_without_its_server_ends_and_goes_on_later(
    table: Path, tmp_path: Path, end: Callable[[ServerProcess], object]
) -> None:
    """After the server was killed or stopped the import ends with exit code 4; run again, it is complete."""
    with served(tmp_path / "data") as server, begin_import(table, server.target, IMPATIENT) as process:
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
        check(server.target)
