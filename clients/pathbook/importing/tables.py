"""Reading a table row by row as texts. CSV needs only the standard library, and Parquet needs pyarrow."""

import contextlib
import io
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Protocol, get_args

import msgspec

from pathbook.importing.csv_records import UNDECODED, Records, is_text
from pathbook.importing.files import PACKED, Stamp, TableError, check_unchanged, opened, stamp_of
from pathbook.importing.recipe import Delimiter, Recipe, columns

SUFFIXES: Final = (".csv", ".csv.gz", ".parquet")
"""The suffixes of the files of tables."""

REASON_COLUMN: Final = "pathbook: reason"
"""The last column of a file of rejected rows: why each row was rejected. An import skips it."""

_SPREADSHEETS: Final = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods", ".numbers")
_DELIMITERS: Final = get_args(Delimiter)
_SEPARATOR: Final = re.compile(r"\ufeff?sep=(?P<delimiter>[^\r\n]?)[\r\n]*", re.IGNORECASE)
_INVISIBLE: Final = "\ufeff\u200b\u200e\u200f\u202a\u202c"


class Shape(msgspec.Struct, frozen=True):
    """How the rows of a file look: the names of its columns, the text before its rows, and the marks between cells.

    `delimiter` and `beginning` are those of a CSV file. A Parquet file, whose `beginning` is empty, has the columns
    that the recipe names.
    """

    names: tuple[str, ...]
    beginning: str
    delimiter: str


class Row(msgspec.Struct, frozen=True):
    """One row: its number among the data rows, from 1, and the trimmed texts of the columns that the recipe names.

    If the row cannot be split into cells, there are no texts, and `broken` says why. `line` is its first line in a CSV
    file, or 0. `raw` are all its cells as they stood: a text of a CSV file, or the texts of the columns of the recipe.
    `before` is the reason for which an earlier import rejected it. `done` is how many bytes of the file were read.
    """

    number: int
    cells: dict[str, str]
    broken: str = ""
    line: int = 0
    raw: str | tuple[str, ...] = ""
    before: str = ""
    done: int = 0


class Lines(msgspec.Struct):
    """The lines of a CSV file below its header. Blank lines, and lines that continue a row in quotes, are no rows."""

    data: int = 0
    blank: int = 0
    continued: int = 0


class Table(Protocol):
    """An open table: its shape, its lines so far, and its rows."""

    shape: Shape
    lines: Lines

    def rows(self) -> Iterator[Row]:
        """Yield the rows."""


def read_rows(
    path: Path, recipe: Recipe, stamp: Stamp | None = None, lines: Lines | None = None
) -> Iterator[Row]:
    """Yield the rows of a table, with the columns that the recipe names. Blank lines are skipped.

    With a stamp the file must be the one that had it, before and after it is read. `lines` gets the number of lines.

    Raises:
        TableError: the file cannot be read or changed, has another suffix, or lacks a column.
    """
    stamp = _same(path, stamp)
    with _table(path, recipe, stamp, lines or Lines()) as table:
        yield from table.rows()
    check_unchanged(path, stamp)


def read_shape(path: Path, recipe: Recipe) -> Shape:
    """Check that the recipe fits a table, and return the shape of its rows.

    Raises:
        TableError: as `read_rows`, for problems at the beginning of the table.
    """
    with _table(path, recipe, stamp_of(path), Lines()) as table:
        next(table.rows(), None)
        return table.shape


def suffix_of(path: Path) -> str:
    """Return the suffix of a table in lower case, as one of SUFFIXES, or whatever its last suffix is."""
    name = path.name.lower()
    return next((suffix for suffix in SUFFIXES if name.endswith(suffix)), path.suffix.lower())


def stem_of(path: Path) -> str:
    """Return the name of the file of a table without its suffix."""
    return (
        path.name.removesuffix(path.suffix)
        if suffix_of(path) == path.suffix.lower()
        else Path(path.stem).stem
    )


def _same(path: Path, stamp: Stamp | None) -> Stamp:
    if stamp is None:
        return stamp_of(path)
    check_unchanged(path, stamp)
    return stamp


@contextlib.contextmanager
def _table(path: Path, recipe: Recipe, stamp: Stamp, lines: Lines) -> Iterator[Table]:
    match suffix_of(path):
        case ".parquet":
            try:
                from pathbook.importing.parquet import parquet_table
            except ImportError as error:
                raise TableError(
                    f"Reading {path} needs pyarrow. Install it: pip install 'pathbook[parquet]'."
                ) from error
            with parquet_table(path, recipe, stamp, lines) as table:
                yield table
        case ".csv" | ".csv.gz":
            with opened(path, stamp) as (file, read):
                text = io.TextIOWrapper(file, recipe.encoding, UNDECODED, newline="")
                try:
                    yield _CsvTable(path, recipe, text, read, lines)
                except UnicodeError as error:
                    raise _not_text(path, recipe) from error
        case suffix if suffix in _SPREADSHEETS:
            raise TableError(
                f"{path} is a workbook. Save each of its sheets as CSV UTF-8, and import these files."
            )
        case suffix:
            packed = f" Its name must end in .csv{PACKED}." if suffix == PACKED else ""
            raise TableError(f"{path} ends in '{suffix}'. Tables end in {' or '.join(SUFFIXES)}.{packed}")


class _Counted(Protocol):
    done: int


class _CsvTable:
    """An open CSV file. Its delimiter is that of the recipe, or of a first line such as `sep=;`."""

    def __init__(self, path: Path, recipe: Recipe, text: io.TextIOBase, read: _Counted, lines: Lines) -> None:
        self._read, self.lines = read, lines
        self._records = records = Records(text, recipe.delimiter, recipe.encoding)
        beginning = ""
        if (separator := _SEPARATOR.fullmatch(records.peek())) is not None:
            if separator["delimiter"] not in _DELIMITERS:
                raise TableError(
                    f"{path} begins with the line sep={separator['delimiter']}, which is no delimiter of a table."
                    " Delete this line, or save the table with semicolons."
                )
            records.delimiter = separator["delimiter"]
            beginning = records.skip_line()
        header = records.header() if records.peek().strip("\0 \t\r\n") else None
        if header is not None and header.broken:
            raise _broken_header(path, header.broken) if is_text(header.raw) else _not_text(path, recipe)
        names = [name.strip(_INVISIBLE + " \t").strip() for name in header.cells] if header else []
        if header is None or not any(names):
            raise TableError(
                f"{path} is empty, or its first line is. The first line must hold the names of the columns."
            )
        self._width = len(names)
        wanted = columns(recipe)
        if len(names) == 1 and len(wanted) > 1:
            raise TableError(
                f"{path} has only one column, '{names[0]}'. The recipe's delimiter is"
                f' {json.dumps(recipe.delimiter)}. Set that of the table, such as delimiter = ";".'
            )
        self._places = [(name, place_of(path, names, name)) for name in wanted]
        self._before = names.index(REASON_COLUMN) if REASON_COLUMN in names else None
        self._above = records.lines
        self._blank_above = records.blank
        self.shape = Shape(tuple(names), beginning + header.raw, records.delimiter)

    def rows(self) -> Iterator[Row]:
        """Yield the rows, and count the lines."""
        records = self._records
        for number, record in enumerate(records.rows(self._width), 1):
            cells, before = {}, ""
            if not record.broken:
                cells = {name: trimmed(record.cells[place]) for name, place in self._places}
                before = "" if self._before is None else record.cells[self._before]
            yield Row(number, cells, record.broken, record.line, record.raw, before, self._read.done)
        self.lines.blank += records.blank - self._blank_above
        self.lines.continued += records.continued
        self.lines.data += records.lines - self._above - records.blank + self._blank_above - records.continued


def trimmed(text: str) -> str:
    """Return a cell without blanks and invisible marks around it."""
    text = text.strip()
    return text if text.isascii() else text.strip(_INVISIBLE).strip()


def place_of(path: Path, header: Sequence[str], name: str) -> int:
    """Return the place of the column that a recipe names: exactly so, or else with other case or blanks.

    Raises:
        TableError: there is no such column, or there are several.
    """
    found = [place for place, each in enumerate(header) if each == name]
    found = found or [place for place, each in enumerate(header) if _alike(each) == _alike(name)]
    if not found:
        shown = ", ".join(" ".join(each.split()) for each in header)
        raise TableError(f"{path} has no column '{name}', which the recipe names. It has: {shown}.")
    if len(found) > 1:
        raise TableError(f"{path} has two columns '{name}', and the recipe names it.")
    return found[0]


def _alike(name: str) -> str:
    return " ".join(name.casefold().split())


def _not_text(path: Path, recipe: Recipe) -> TableError:
    return TableError(
        f"{path} is not {recipe.encoding} text. Set its encoding in the recipe, such as"
        ' encoding = "cp1252", encoding = "gb18030" or encoding = "utf-16".'
    )


def _broken_header(path: Path, problem: str) -> TableError:
    return TableError(f"{path} cannot be read, because its header is broken: {problem}.")
