"""Rows of CSV and Parquet files are read as the same texts, numbered from 1."""

import datetime
import decimal
from pathlib import Path

import msgspec
import pyarrow
import pytest
from pyarrow import parquet

from pathbook.importing import parquet as parquet_tables
from pathbook.importing.files import TableError
from pathbook.importing.loading import load_recipe
from pathbook.importing.recipe import Recipe
from pathbook.importing.tables import Row, read_rows

HEADER = "date,store_number,item_number,vendor_name,item_description,state_bottle_cost,state_bottle_retail,bottles_sold"
"""The columns that the recipe for Iowa names."""

CELLS = "2012-01-31,2506,75087,Proximo,Tequila,4.75,7.13,60"


@pytest.fixture
def recipe() -> Recipe:
    """Return the recipe for Iowa."""
    return load_recipe("iowa")


def rows(tmp_path: Path, recipe: Recipe, content: str, encoding: str = "utf-8") -> list[Row]:
    """Read a CSV file with this content."""
    path = tmp_path / "table.csv"
    path.write_bytes(content.encode(encoding))
    return list(read_rows(path, recipe))


def test_rows_have_the_columns_of_the_recipe_and_a_number(tmp_path: Path, recipe: Recipe) -> None:
    """Only the columns of the recipe are read, trimmed and in any order, and blank lines are not counted."""
    content = f"more,{HEADER}\nx, {CELLS}\n\ny,{CELLS}\n"
    first, second = rows(tmp_path, recipe, content)
    assert (first.number, second.number) == (1, 2)
    assert first.cells == second.cells == dict(zip(HEADER.split(","), CELLS.split(","), strict=True))


def test_a_byte_order_mark_and_quotes_are_removed(tmp_path: Path, recipe: Recipe) -> None:
    """A byte order mark and quotes, as spreadsheets write them, are not part of a cell."""
    (row,) = rows(
        tmp_path,
        recipe,
        f"{HEADER}\r\n{CELLS.replace('Proximo', chr(34) + 'A, B' + chr(34))}\r\n",
        "utf-8-sig",
    )
    assert row.cells["date"] == "2012-01-31"
    assert row.cells["vendor_name"] == "A, B"


def test_a_row_with_too_few_cells_is_broken_and_the_next_is_not(tmp_path: Path, recipe: Recipe) -> None:
    """A row that does not fit the header, or cannot be parsed, keeps its number and has a reason."""
    too_long = CELLS.replace("Tequila", "x" * 200_000)
    short, long, good = rows(tmp_path, recipe, f"{HEADER}\n1,2\n{too_long}\n{CELLS}\n")
    assert short.broken == "it has 2 cells, and the header 8"
    assert "limit" in long.broken
    assert (good.number, good.broken) == (3, "")


@pytest.mark.parametrize(
    ("content", "named"),
    [
        pytest.param("", "table.csv is empty", id="an empty file"),
        pytest.param(HEADER.replace(",", ";"), "recipe's delimiter", id="another delimiter"),
        pytest.param("date,store_number\n", "no column 'bottles_sold'", id="a column is missing"),
        pytest.param(f"{HEADER},date\n", "two columns 'date'", id="a column stands twice"),
    ],
)
def test_a_table_without_the_columns_is_refused(
    tmp_path: Path, recipe: Recipe, content: str, named: str
) -> None:
    """A table without the columns of the recipe is an error that names the problem."""
    with pytest.raises(TableError, match=named):
        rows(tmp_path, recipe, content)


def test_a_row_in_another_encoding_is_broken(tmp_path: Path, recipe: Recipe) -> None:
    """Bytes that are no text in the recipe's encoding break their row. The reason names line and key."""
    content = f"{HEADER}\n{CELLS.replace('Proximo', '王小明')}\n{CELLS}\n"
    broken, good = rows(tmp_path, recipe, content, "gb18030")
    assert broken.broken.startswith(
        "line 2 is not utf-8-sig text; set the encoding of the table in the recipe"
    )
    assert (good.number, good.broken) == (2, "")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "gb18030"])
def test_a_header_in_another_encoding_is_refused(tmp_path: Path, recipe: Recipe, encoding: str) -> None:
    """A header that is not text in the recipe's encoding is an error that names the key to set."""
    with pytest.raises(TableError, match="Set its encoding in the recipe"):
        rows(tmp_path, recipe, f"数量,{HEADER}\nx,{CELLS}\n", encoding)


def test_cells_are_split_by_the_recipes_delimiter(tmp_path: Path, recipe: Recipe) -> None:
    """If the recipe says so, semicolons split the cells, and a comma is part of a cell."""
    semicolons = msgspec.structs.replace(recipe, delimiter=";")
    content = f"{HEADER}\n{CELLS}\n".replace(",", ";").replace("4.75", "4,75")
    (row,) = rows(tmp_path, semicolons, content)
    assert (row.cells["state_bottle_cost"], row.cells["bottles_sold"]) == ("4,75", "60")


def test_parquet_numbers_are_written_with_the_recipes_decimal_mark(tmp_path: Path, recipe: Recipe) -> None:
    """Typed numbers become texts that are read back with the recipe's marks."""
    with_comma = msgspec.structs.replace(recipe, decimal_mark=",")
    path = tmp_path / "table.parquet"
    values = dict(zip(HEADER.split(","), ([cell] for cell in CELLS.split(",")), strict=True))
    parquet.write_table(pyarrow.table(values | {"state_bottle_cost": [4.75]}), path)
    (row,) = read_rows(path, with_comma)
    assert row.cells["state_bottle_cost"] == "4,75"


@pytest.mark.parametrize("name", ["table.xlsx", "table", "missing.csv", "missing.parquet"])
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, recipe: Recipe, name: str) -> None:
    """A missing file, or one of another kind, is an error that names the file."""
    with pytest.raises(TableError, match=name):
        next(read_rows(tmp_path / name, recipe))


def test_a_damaged_parquet_file_is_refused(tmp_path: Path, recipe: Recipe) -> None:
    """A damaged Parquet file is an error that names the file."""
    path = tmp_path / "table.parquet"
    path.write_bytes(b"no parquet at all")
    with pytest.raises(TableError, match=r"table\.parquet is not a valid Parquet file"):
        next(read_rows(path, recipe))


def test_a_parquet_column_of_lists_is_refused(tmp_path: Path, recipe: Recipe) -> None:
    """A column without a single value for each row is an error that names the column."""
    path = tmp_path / "table.parquet"
    values: dict[str, list[object]] = {
        name: [cell] for name, cell in zip(HEADER.split(","), CELLS.split(","), strict=True)
    }
    parquet.write_table(pyarrow.table(values | {"vendor_name": [["Proximo"]]}), path)
    with pytest.raises(TableError, match="lists or records in its column 'vendor_name'"):
        next(read_rows(path, recipe))


def test_a_table_says_how_far_it_is_read(tmp_path: Path, recipe: Recipe) -> None:
    """Each row says how many bytes of the file were read, and the last row says all of them."""
    path = tmp_path / "table.parquet"
    values = dict(zip(HEADER.split(","), ([cell] * 7 for cell in CELLS.split(",")), strict=True))
    parquet.write_table(pyarrow.table(values), path)
    (tmp_path / "table.csv").write_text(f"{HEADER}\n" + f"{CELLS}\n" * 30_000)
    for table in (path, tmp_path / "table.csv"):
        done = [row.done for row in read_rows(table, recipe)]
        assert done == sorted(done)
        assert 0 < done[0] < done[-1] == table.stat().st_size


def test_parquet_cells_equal_the_texts_of_a_csv_file(
    tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dates, decimals, floats and nulls are read as the same texts, across the batches of a file."""
    monkeypatch.setattr(parquet_tables, "PARQUET_BATCH_ROWS", 2)
    values: dict[str, list[object]] = {
        "date": [datetime.date(2012, 1, 31), datetime.date(2012, 2, 1), None],
        "store_number": [2506, 2507, 2508],
        "item_number": ["75087", "75088", "75089"],
        "vendor_name": ["Proximo", " Proximo ", None],
        "item_description": ["Tequila", "Rum", ""],
        "state_bottle_cost": [decimal.Decimal("4.7500"), decimal.Decimal("100.0000"), None],
        "state_bottle_retail": [7.13, 150.0, float("nan")],
        "bottles_sold": [60.0, -2.0, None],
        "more": [1, 2, 3],
    }
    path = tmp_path / "table.parquet"
    parquet.write_table(pyarrow.table(values), path)
    read = list(read_rows(path, recipe))
    wanted = [CELLS, "2012-02-01,2507,75088,Proximo,Rum,100,150,-2", ",2508,75089,,,,,"]
    assert [row.number for row in read] == [1, 2, 3]
    assert [[row.cells[name] for name in HEADER.split(",")] for row in read] == [w.split(",") for w in wanted]
