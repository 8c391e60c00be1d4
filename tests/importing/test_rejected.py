"""Rejected rows are written to a file of the same shape, which can be mended and imported."""

import csv
import io
import signal
from pathlib import Path
from typing import Final

import pyarrow
import pytest
from pyarrow import parquet

from pathbook.cli.main import run
from pathbook.client import Client, select
from pathbook.importing.tables import REASON_COLUMN
from tests.importing.sheets import COLUMNS, GIN, RUM, SHEET_RECIPE, Import, sold, write
from tests.importing.test_interrupted import SECONDS, begin_import, wait_until_begun

BAD: Final = [sold(RUM, 60), sold(RUM, "six"), sold(GIN, 1, day="31.1.2012"), sold(GIN, 2), sold(RUM, 0)]


def test_rejected_rows_are_mended_and_imported(tmp_path: Path, imported: Import) -> None:
    """The file has only the rejected rows. After they are mended they are accepted, and the whole table is known."""
    table, rejected = write(tmp_path / "bad.csv", BAD), tmp_path / "rejected.csv"
    first = imported(table, "--rejected", str(rejected))
    assert (first.accepted, first.rejected) == (2, 3)
    lines = rejected.read_text("utf-8-sig").splitlines()
    assert lines[0] == f'{",".join(COLUMNS)},"{REASON_COLUMN}"'
    assert [line.split(',"')[0] for line in lines[1:]] == [",".join(BAD[row]) for row in (1, 2, 4)]
    assert lines[1].endswith(""","QUANTITY_MALFORMED: bottles_sold 'six' is not a whole number.\"""")
    assert imported(rejected, exits=1).rejected == 3
    rejected.write_text(
        rejected.read_text("utf-8").replace("six", "6").replace("31.1.2012", "2012-01-31"), "utf-8"
    )
    mended = imported(rejected)
    assert (mended.accepted, mended.duplicate, mended.rejected) == (2, 0, 1)
    again = imported(table)
    assert (again.accepted, again.duplicate, again.rejected) == (0, 2, 3)


def test_a_file_of_rejected_rows_can_have_one_itself(tmp_path: Path, imported: Import) -> None:
    """The column of reasons stands once, with the newest reasons."""
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    imported(write(tmp_path / "bad.csv", BAD), "--rejected", str(first))
    first.write_text(first.read_text("utf-8").replace("six", "seven"), "utf-8")
    assert imported(first, "--rejected", str(second), exits=1).rejected == 3
    rows = list(csv.reader(io.StringIO(second.read_text("utf-8-sig"))))
    assert rows[0] == [*COLUMNS, REASON_COLUMN]
    assert rows[1] == [*sold(RUM, "seven"), "QUANTITY_MALFORMED: bottles_sold 'seven' is not a whole number."]
    assert len(rows) == 4


def test_broken_rows_stay_broken_until_they_are_mended(tmp_path: Path, imported: Import) -> None:
    """A row with a stray quote, too few cells or bytes of another encoding stands as it stood, and no more."""
    header, good = ",".join(COLUMNS).encode(), ",".join(sold(RUM, 60)).encode()
    bad = [
        good.replace(b"A Store", b'"A Store'),
        good.rpartition(b",")[0],
        good.replace(b"A Store", b"A St\xf6re"),
    ]
    table, rejected = tmp_path / "bad.csv", tmp_path / "rejected.csv"
    table.write_bytes(b"\r\n".join([header, *bad, good]))
    assert imported(table, "--rejected", str(rejected)).rejected_rows() == dict.fromkeys(
        (1, 2, 3), "ROW_BROKEN"
    )
    found = rejected.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\r\n")
    assert [line.startswith(row + b',"ROW_BROKEN') for line, row in zip(found[1:], bad, strict=False)] == [
        True
    ] * 3
    assert imported(rejected, exits=1).rejected == 3
    mended = rejected.read_bytes().replace(b'"A Store', b"A Store").replace(b"\xf6", b"o")
    rejected.write_bytes(mended.replace(b'7.13,"ROW', b'7.13,61,"ROW'))
    summary = imported(rejected)
    assert summary.rejected == 0


def test_a_rejected_row_that_is_equal_to_a_recorded_one_is_another(
    tmp_path: Path, imported: Import, client: Client
) -> None:
    """Of two equal rows the book refused the second. When the book has the stock, the file of rejected rows has it."""
    recipe, sheet, rejected = (tmp_path / name for name in ("sheet.toml", "sheet.csv", "rejected.csv"))
    recipe.write_text(SHEET_RECIPE, encoding="utf-8")
    header = "日期,发货人,收货人,条码,批号,有效期,数量,单价,币种,级别"
    first, on = (
        "2024年3月5日,mask-maker,ann,4006381333931,{},,5,150,CNY,1",
        "2024年3月6日,ann,bob,4006381333931,L1,,5,180,CNY,2",
    )
    sheet.write_text("\n".join([header, first.format("L1"), on, on]), encoding="gb18030")
    assert imported(sheet, "--rejected", str(rejected), recipe=str(recipe)).rejected_rows() == {
        3: "STOCK_TOO_SMALL"
    }
    assert '"#2:' in rejected.read_text("gb18030")
    client.return_units(owner="bob", units=select(ranges=[(1, 0, 4)]))
    again = imported(rejected, recipe=str(recipe))
    assert (again.accepted, again.duplicate) == (1, 0)
    whole = imported(sheet, recipe=str(recipe))
    assert (whole.accepted, whole.duplicate) == (0, 3)


def test_nothing_is_written_without_rejected_rows(tmp_path: Path, imported: Import) -> None:
    """The file is there only if a row was rejected, so that a job can look for it."""
    imported(write(tmp_path / "good.csv", [sold(RUM, 60)]), "--rejected", str(tmp_path / "rejected.csv"))
    assert not (tmp_path / "rejected.csv").exists()


def test_rejected_rows_of_a_parquet_file_are_a_csv_file(tmp_path: Path, imported: Import) -> None:
    """Typed values become the texts that the recipe reads."""
    columns = dict(zip(COLUMNS, map(list, zip(sold(RUM, 60), sold(RUM, 0), strict=True)), strict=True))
    table, rejected = tmp_path / "typed.parquet", tmp_path / "rejected.csv"
    prices = pyarrow.array([4.75, 19.99], pyarrow.float32())
    parquet.write_table(
        pyarrow.table(columns | {"state_bottle_cost": prices, "bottles_sold": [60, 0]}), table
    )
    assert imported(table, "--rejected", str(rejected)).rejected == 1
    rejected.write_text(rejected.read_text("utf-8").replace(",0,", ",7,"), "utf-8")
    assert imported(rejected).amounts["cost"]["USD"].amount == "139.93"


@pytest.mark.parametrize(
    ("name", "tables", "named"),
    [
        pytest.param("there.csv", ["a.csv"], "there.csv exists already", id="a file that exists"),
        pytest.param("a.csv", ["a.csv"], "a.csv exists already", id="the table itself"),
        pytest.param("nowhere/rejected.csv", ["a.csv"], "rejected.csv cannot be written", id="a missing directory"),
        pytest.param("rejected.txt", ["a.csv"], "its name must end in .csv", id="another suffix"),
        pytest.param("rejected.csv", ["a.csv", "b.csv"], "b.csv has others than a.csv", id="tables of two shapes"),
    ],
)  # fmt: skip
def test_an_impossible_file_is_refused_before_the_first_write(
    tmp_path: Path, target: str, client: Client, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch, name: str, tables: list[str], named: str,
) -> None:  # fmt: skip
    """The error names the file, and no file is overwritten."""
    monkeypatch.chdir(tmp_path)
    write(Path("a.csv"), [sold(RUM, 0)])
    Path("b.csv").write_text(f"more,{Path('a.csv').read_text()}".replace("\n2012", "\nx,2012"))
    Path("there.csv").write_text("mine")
    assert run(["import", *tables, "--recipe", "iowa", "--server", target, "--rejected", name]) == 2
    assert named in " ".join(capsys.readouterr().err.split())
    assert Path("there.csv").read_text() == "mine"
    assert client.get_head().position == 1


def test_a_killed_import_leaves_the_rejected_rows(tmp_path: Path, target: str) -> None:
    """Rejected rows are in the file as soon as they are answered."""
    rows = (sold(RUM, number % 5, str(number % 40)) for number in range(4_200))
    table, rejected = write(tmp_path / "many.csv", rows), tmp_path / "rejected.csv"
    with begin_import(table, target, more=["--rejected", str(rejected)]) as process:
        wait_until_begun(target, 1_800)
        process.kill()
        assert process.wait(SECONDS) == -signal.SIGKILL
    lines = rejected.read_text("utf-8-sig").splitlines()
    assert len(lines) > 50
    assert all("QUANTITY_ZERO" in line for line in lines[1:])
