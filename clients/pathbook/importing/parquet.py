"""Reading a Parquet file row by row as texts. It needs pyarrow, and is imported when there is such a file."""

import contextlib
import datetime
import decimal
import json
import math
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import pyarrow
from pyarrow import compute
from pyarrow import parquet as files

from pathbook.importing.files import Stamp, TableError, unreadable
from pathbook.importing.recipe import Recipe, columns
from pathbook.importing.tables import Lines, Row, Shape, place_of, trimmed

PARQUET_BATCH_ROWS: Final = 4_096
"""How many rows of a Parquet file are converted at once. They take a few megabytes, however large the file is."""

_UNREADABLE: Final = "\udcff"
"""The text of a value that cannot be converted. No text of a file has this character."""

_EXACT: Final = decimal.Context(prec=80)
"""A context with enough digits for a decimal256, so that `normalize` does not round."""

_FLOATS: Final = {"halffloat": ("e", 5), "float": ("f", 9)}
"""The formats of the floats that are narrower than Python's, and the most digits that distinguish two of them."""


@contextlib.contextmanager
def parquet_table(path: Path, recipe: Recipe, stamp: Stamp, lines: Lines) -> Iterator["ParquetTable"]:
    """Open a Parquet file. Raises TableError, also while it is read."""
    try:
        with files.ParquetFile(path) as file:
            yield ParquetTable(path, recipe, file, stamp, lines)
    except pyarrow.ArrowException as error:
        raise TableError(f"{path} is not a valid Parquet file: {_first_line(error)}.") from error
    except OSError as error:
        raise unreadable(path, error) from error


class ParquetTable:
    """An open Parquet file."""

    def __init__(
        self, path: Path, recipe: Recipe, file: "files.ParquetFile", stamp: Stamp, lines: Lines
    ) -> None:
        self._recipe, self._file, self._stamp, self.lines = recipe, file, stamp, lines
        schema = file.schema_arrow
        self._names = columns(recipe)
        self._places = [place_of(path, schema.names, name) for name in self._names]
        for name, place in zip(self._names, self._places, strict=True):
            if _is_nested(schema.field(place).type):
                raise TableError(
                    f"{path} has lists or records in its column '{name}'. It must have one value for each row."
                )
        self.shape = Shape(self._names, "", recipe.delimiter)

    def rows(self) -> Iterator[Row]:
        """Yield the rows."""
        rows = max(1, self._file.metadata.num_rows)
        number = 0
        names = [self._file.schema_arrow.names[place] for place in self._places]
        for batch in self._file.iter_batches(PARQUET_BATCH_ROWS, columns=names):
            texts = [_texts(batch[name], self._recipe) for name in names]
            for cells in zip(*texts, strict=True):
                number += 1
                done = self._stamp.size * number // rows
                bad = [name for name, text in zip(self._names, cells, strict=True) if text == _UNREADABLE]
                raw = tuple("" if text == _UNREADABLE else text for text in cells)
                if bad:
                    broken = f"the value of its column '{bad[0]}' is outside of what can be read"
                    yield Row(number, {}, broken, raw=raw, done=done)
                else:
                    yield Row(number, dict(zip(self._names, cells, strict=True)), raw=raw, done=done)
        self.lines.data += number


def _is_nested(kind: "pyarrow.DataType") -> bool:
    while pyarrow.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pyarrow.types.is_nested(kind))


def _texts(column: "pyarrow.Array", recipe: Recipe) -> list[str]:
    """Return the values of a column, which have one type, as texts. A repeated value is converted once."""
    if pyarrow.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    narrow = _FLOATS.get(str(column.type))
    if pyarrow.types.is_float16(column.type):
        column = compute.cast(column, pyarrow.float32())
    if pyarrow.types.is_timestamp(
        column.type
    ):  # nanoseconds are no text of Python's, and say nothing of a day
        column = compute.cast(column, pyarrow.timestamp("us", column.type.tz), safe=False)
    texts: dict[object, str] = {}
    values = _values(column)
    for value in values:
        if value not in texts:
            texts[value] = _text(value, recipe, narrow)
    return [texts[value] for value in values]


def _values(column: "pyarrow.Array") -> Sequence[object]:
    try:
        values: list[object] = column.to_pylist()
    except (ValueError, OverflowError, pyarrow.ArrowException):
        values = [_value(scalar) for scalar in column]
    return values


def _value(scalar: "pyarrow.Scalar") -> object:
    try:
        return scalar.as_py()
    except (ValueError, OverflowError, pyarrow.ArrowException):
        return _UNREADABLE


def _text(value: object, recipe: Recipe, narrow: tuple[str, int] | None) -> str:
    """Return a typed value as the exact text of a CSV file. Numbers and dates have the format of the recipe."""
    match value:
        case None:
            return ""
        case str():
            return value if value == _UNREADABLE else trimmed(value)
        case bytes():
            try:
                return trimmed(value.decode())
            except UnicodeDecodeError:
                return _UNREADABLE
        case float() if math.isnan(value):
            return ""
        case float() | decimal.Decimal():
            shortest = _shortest(value, *narrow) if narrow and isinstance(value, float) else str(value)
            exact = decimal.Decimal(shortest).normalize(_EXACT)
            return format(exact, "f").replace(".", recipe.decimal_mark)
        case datetime.date():  # a datetime is one, too
            try:
                return value.strftime(recipe.date.python_format)
            except ValueError:
                return _UNREADABLE
        case _:
            return trimmed(str(value))


def _shortest(value: float, form: str, most: int) -> str:
    """Return the shortest decimal text that is this value in a narrower float: 19.99, and not 19.989999771118164."""
    if math.isinf(value):
        return str(value)
    for digits in range(1, most + 1):
        text = f"{value:.{digits}g}"
        with contextlib.suppress(OverflowError):
            if struct.unpack(form, struct.pack(form, float(text)))[0] == value:
                return text
    return str(value)


def _first_line(error: Exception) -> str:
    return json.dumps(str(error).partition("\n")[0][:200], ensure_ascii=False)[1:-1].rstrip(".")
