"""Reading a table row by row as texts. CSV needs only the standard library, and Parquet needs pyarrow."""

import csv
import datetime
import decimal
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from pathbook.importing.recipe import Recipe, columns

SUFFIXES: Final = (".csv", ".parquet")
"""The suffixes of the files of tables."""

PARQUET_BATCH_ROWS: Final = 4_096
"""How many rows of a Parquet file are converted at once. They take a few megabytes, however large the file is."""


class TableError(Exception):
    """A table cannot be read, or it lacks a column that the recipe names. The message names file and problem."""


class Row(msgspec.Struct, frozen=True, gc=False):
    """One row: its number among the data rows, from 1, and the trimmed texts of the columns that the recipe names.

    If the row cannot be split into cells, there are no texts, and `broken` says why.
    """

    number: int
    cells: dict[str, str]
    broken: str = ""


def read_rows(path: Path, recipe: Recipe) -> Iterator[Row]:
    """Yield the rows of a `.csv` or `.parquet` file, with the columns that the recipe names. Blank lines are skipped.

    Raises:
        TableError: the file cannot be read, has another suffix, or lacks a column.
    """
    try:
        match path.suffix.lower():
            case ".csv":
                yield from _csv_rows(path, recipe)
            case ".parquet":
                yield from _parquet_rows(path, recipe)
            case other:
                raise TableError(f"{path} ends in '{other}'. Tables end in {' or '.join(SUFFIXES)}.")
    except OSError as error:
        raise TableError(f"{path} cannot be read: {error.strerror or error}.") from error


def count_rows(path: Path, recipe: Recipe) -> int | None:
    """Check that the recipe fits a table. Return its number of rows, or None if only reading the whole table tells.

    Raises:
        TableError: as `read_rows`, for problems at the beginning of the table.
    """
    next(read_rows(path, recipe), None)
    if path.suffix.lower() != ".parquet":
        return None
    from pyarrow import parquet

    rows = parquet.read_metadata(path).num_rows
    assert isinstance(rows, int), rows
    return rows


def _csv_rows(path: Path, recipe: Recipe) -> Iterator[Row]:
    wanted = columns(recipe)
    with path.open(encoding=recipe.encoding, newline="") as file:
        reader = csv.reader(file, delimiter=recipe.delimiter)
        try:
            header = [name.strip() for name in next(reader, [])]
            if not any(header):
                raise TableError(
                    f"{path} is empty, or its first line is. The first line must hold the names of the columns."
                )
            if len(header) == 1 and len(wanted) > 1:
                raise TableError(
                    f"{path} has only one column, '{header[0]}'. The recipe's delimiter is"
                    f' {json.dumps(recipe.delimiter)}. Set that of the table, such as delimiter = ";".'
                )
            _check_header(path, header, wanted)
            places = [(name, header.index(name)) for name in wanted]
            number = 0
            while (cells := _next_cells(reader)) is not None:
                if cells == []:
                    continue
                number += 1
                if isinstance(cells, str):
                    yield Row(number, {}, broken=cells)
                elif len(cells) != len(header):
                    yield Row(number, {}, broken=f"it has {len(cells)} cells, and the header {len(header)}")
                else:
                    yield Row(number, {name: cells[place].strip() for name, place in places})
        except UnicodeDecodeError as error:
            raise TableError(
                f"{path} is not {recipe.encoding} text. Set its encoding in the recipe, such as"
                ' encoding = "cp1252" or encoding = "gb18030".'
            ) from error


def _next_cells(reader: Iterator[list[str]]) -> list[str] | str | None:
    """Return the cells of the next row, or the problem of a broken row, or None at the end. Reading can continue."""
    try:
        return next(reader, None)
    except csv.Error as error:
        return str(error)


def _parquet_rows(path: Path, recipe: Recipe) -> Iterator[Row]:
    wanted = columns(recipe)
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise TableError(
            f"Reading {path} needs pyarrow. Install it: pip install 'pathbook[parquet]'."
        ) from error
    try:
        with parquet.ParquetFile(path) as file:
            _check_header(path, file.schema_arrow.names, wanted)
            for name in wanted:
                if pyarrow.types.is_nested(file.schema_arrow.field(name).type):
                    raise TableError(
                        f"{path} has lists or records in its column '{name}'. It must have one value for each row."
                    )
            number = 0
            for batch in file.iter_batches(PARQUET_BATCH_ROWS, columns=list(wanted)):
                for cells in zip(*(_texts(batch[name].to_pylist(), recipe) for name in wanted), strict=True):
                    number += 1
                    yield Row(number, dict(zip(wanted, cells, strict=True)))
    except pyarrow.ArrowException as error:
        raise TableError(f"{path} is not a valid Parquet file: {error}.") from error


def _texts(values: Sequence[object], recipe: Recipe) -> list[str]:
    """Return the values of a column, which have one type, as texts. A repeated value is converted once."""
    texts: dict[object, str] = {}
    for value in values:
        if value not in texts:
            texts[value] = _text(value, recipe)
    return [texts[value] for value in values]


def _text(value: object, recipe: Recipe) -> str:
    """Return a typed value as the exact text of a CSV file. Numbers and dates have the format of the recipe."""
    match value:
        case None:
            return ""
        case str():
            return value.strip()
        case float() if math.isnan(value):
            return ""
        case float() | decimal.Decimal():
            exact = decimal.Decimal(str(value)).normalize(_EXACT)
            return format(exact, "f").replace(".", recipe.decimal_mark)
        case datetime.date():  # a datetime is one, too
            return value.strftime(recipe.date.format)
        case _:
            return str(value)


_EXACT: Final = decimal.Context(prec=80)
"""A context with enough digits for a decimal256, so that `normalize` does not round."""


def _check_header(path: Path, header: Sequence[str], wanted: Sequence[str]) -> None:
    for name in wanted:
        if name not in header:
            raise TableError(
                f"{path} has no column '{name}', which the recipe names. It has: {', '.join(header)}."
            )
        if list(header).count(name) > 1:
            raise TableError(f"{path} has two columns '{name}', and the recipe names it.")
