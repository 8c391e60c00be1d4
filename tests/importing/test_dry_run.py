"""A dry run says what an import would record and reject, and records nothing."""

from pathlib import Path
from typing import Final

import msgspec
import pytest

from pathbook.cli.main import run
from tests.importing.sheets import GIN, RUM, Import, Summary, parse_summary, sold, write

ROWS: Final = [sold(RUM, 60), sold(RUM, -6), sold(RUM, -70), sold(GIN, "six"), sold(GIN, 1)]


def files(directory: Path) -> dict[str, bytes]:
    """Return the files of a directory of books, without what SQLite writes to read them."""
    return {
        path.name: path.read_bytes() for path in directory.iterdir() if path.suffix in (".sqlite", ".key")
    }


def run_import(
    table: Path, data: Path, capsys: pytest.CaptureFixture[str], *more: str, exits: int = 0
) -> Summary:
    """Import a table into books in a directory, and return the summary."""
    capsys.readouterr()
    assert (
        run(["import", str(table), "--recipe", "iowa", "--data", str(data), "--output", "json", *more])
        == exits
    )
    return parse_summary(capsys.readouterr().out)


def test_a_dry_run_says_what_the_import_then_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Rows are decided on a copy of the books by the rules of the book, and the books stay as they are."""
    data, table = tmp_path / "data", write(tmp_path / "table.csv", ROWS)
    run_import(write(tmp_path / "before.csv", [sold(RUM, 1), sold(GIN, 3)]), data, capsys)
    before = files(data)
    tried = run_import(table, data, capsys, "--dry-run")
    assert files(data) == before
    assert (tried.accepted, tried.dry_run) == (3, True)
    assert tried.rejected_rows() == {3: "STOCK_TOO_SMALL", 4: "QUANTITY_MALFORMED"}
    assert run_import(table, data, capsys) == msgspec.structs.replace(tried, dry_run=False)
    again = run_import(table, data, capsys, "--dry-run")
    assert (again.accepted, again.duplicate, again.rejected) == (0, 3, 2)


def test_a_dry_run_creates_no_books(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without books it decides as on the book that the import would open, and makes no directory."""
    table = write(tmp_path / "table.csv", ROWS)
    assert run_import(table, tmp_path / "data", capsys, "--dry-run").accepted == 3
    assert not (tmp_path / "data").exists()
    assert run(["import", str(table), "--recipe", "iowa", "--data", str(tmp_path / "data"), "--dry-run"]) == 0
    printed = capsys.readouterr()
    assert "decided on a copy of the books, and nothing is recorded" in printed.out
    assert printed.err == ""


def test_a_dry_run_with_a_server_says_what_it_cannot_know(
    tmp_path: Path, target: str, imported: Import, capsys: pytest.CaptureFixture[str]
) -> None:
    """A server's books cannot be copied, so the rows are only read, and the summary says so."""
    table = write(tmp_path / "table.csv", ROWS)
    tried = imported(table, "--dry-run")
    assert (tried.accepted, tried.readable, tried.transfers) == (0, 4, 0)
    assert tried.rejected_rows() == {4: "QUANTITY_MALFORMED"}
    assert run(["import", str(table), "--recipe", "iowa", "--server", target, "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert "rows       5: 4 can be read, 1 rejected" in printed
    assert "The rows were only read: the book was not asked" in printed
    assert imported(table).accepted == 3


def test_a_dry_run_exits_as_the_import_would(tmp_path: Path, imported: Import) -> None:
    """A table of which nothing would be recorded is an error for a job, in a dry run, too."""
    table = write(tmp_path / "table.csv", [sold(RUM, "six")])
    assert imported(table, "--dry-run", exits=1).rejected == 1
    assert (
        imported(write(tmp_path / "table.csv", ROWS), "--dry-run", "--errors", "stop", exits=1).readable == 3
    )


def test_a_dry_run_writes_the_rejected_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Rejected rows can be mended before anything is recorded."""
    table, rejected = write(tmp_path / "table.csv", ROWS), tmp_path / "rejected.csv"
    run_import(table, tmp_path / "data", capsys, "--dry-run", "--rejected", str(rejected))
    assert len(rejected.read_text("utf-8-sig").splitlines()) == 3
