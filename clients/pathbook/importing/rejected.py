"""The file of rejected rows: a CSV file of the same shape as the tables, to be mended and imported.

Its rows stand as they stood, with the same delimiter and encoding. One column more says why each was rejected. An
import skips this column, except that it tells equal rows apart: see `identity`. Rows of Parquet files have the
columns that the recipe names.
"""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pathbook.importing.csv_records import UNDECODED
from pathbook.importing.files import TableError
from pathbook.importing.recipe import Recipe
from pathbook.importing.sources import Source
from pathbook.importing.tables import REASON_COLUMN, Row, Shape

SUFFIX: Final = ".csv"
"""The suffix of a file of rejected rows."""


class RejectedFile:
    """Writes rejected rows. Each is on the disk's side of this process at once, so a killed import leaves its rows.

    A file without rows is removed at the end.
    """

    def __init__(self, path: Path, sources: Sequence[Source], recipe: Recipe) -> None:
        """Create the file with its header.

        Raises:
            TableError: the file exists or cannot be written, or the tables have different columns or delimiters.
        """
        if path.suffix.lower() != SUFFIX:
            raise TableError(f"{path} cannot take rejected rows: its name must end in {SUFFIX}.")
        self._path, self._shape, self._encoding = path, _shape_of(path, sources), recipe.encoding
        self._rows = 0
        names = self._shape.names
        self._kept = [place for place, name in enumerate(names) if name != REASON_COLUMN]
        try:
            self._file = path.open("x", encoding=recipe.encoding, errors=UNDECODED, newline="")
        except FileExistsError as error:
            raise TableError(f"{path} exists already. Give rejected rows a file of their own.") from error
        except OSError as error:
            raise TableError(f"{path} cannot be written: {error.strerror or error}.") from error
        if self._shape.beginning and len(self._kept) == len(names):
            self._write(*_split(self._shape.beginning), REASON_COLUMN)
        else:
            self._write(self._joined([names[place] for place in self._kept]), "\n", REASON_COLUMN)

    def add(self, row: Row, reason: str) -> None:
        """Write one rejected row with its reason."""
        self._rows += 1
        if isinstance(row.raw, tuple):
            self._write(self._joined(row.raw), "\n", reason)
        elif len(self._kept) == len(self._shape.names):
            self._write(*_split(row.raw), reason)
        else:
            self._write_again(row.raw, reason)

    def close(self) -> None:
        """Close the file. Remove it if no row was rejected."""
        self._file.close()
        if not self._rows:
            self._path.unlink(missing_ok=True)

    def _write_again(self, raw: str, reason: str) -> None:
        """Write a row of a table that has the column of reasons already. A row that cannot be split stays as it is."""
        text, end = _split(raw)
        try:
            cells = next(
                csv.reader(io.StringIO(raw, newline=""), delimiter=self._shape.delimiter, strict=True), []
            )
        except csv.Error:
            cells = []
        if len(cells) == len(self._shape.names):
            self._write(self._joined([cells[place] for place in self._kept]), end, reason)
        else:
            self._file.write(text + end)
            self._file.flush()

    def _write(self, text: str, end: str, reason: str) -> None:
        """Write a row whose cells are joined already, and one cell more. So a broken row stays broken."""
        quoted = reason.replace('"', '""').replace("\r", " ").replace("\n", " ")
        self._file.write(f'{text}{self._shape.delimiter}"{quoted}"{end}')
        self._file.flush()

    def _joined(self, cells: Sequence[str]) -> str:
        joined = io.StringIO()
        csv.writer(joined, delimiter=self._shape.delimiter, lineterminator="").writerow(cells)
        return joined.getvalue()


def _split(line: str) -> tuple[str, str]:
    """Return a row without the end of its last line, and this end."""
    text = line.rstrip("\r\n")
    return text, line[len(text) :] or "\n"


def _shape_of(path: Path, sources: Sequence[Source]) -> Shape:
    """Return the shape of all tables. Raises TableError if there are several."""
    first, *others = sources
    for other in others:
        alike = (other.shape.names, other.shape.delimiter) == (first.shape.names, first.shape.delimiter)
        if not alike or bool(other.shape.beginning) != bool(first.shape.beginning):
            raise TableError(
                f"{path} takes rejected rows of tables with the same columns, delimiter and kind, and {other.path} has"
                f" others than {first.path}. Import them one by one."
            )
    return first.shape
