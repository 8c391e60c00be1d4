"""The flat tables as Parquet: their Arrow types, and files that are written some rows at a time. It needs pyarrow."""

import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pyarrow
from pyarrow import parquet

from pathbook.ledger.reports.flat import FLAT_TABLES, Row

ROW_GROUP_ROWS: Final = 50_000
"""How many rows of a table are in memory at once: some ten megabytes."""

_TYPES: Final = {int: pyarrow.int64(), str: pyarrow.string(), bytes: pyarrow.binary()}


def columns_of(row: type[Row]) -> Iterator[tuple[str, type, bool]]:
    """Yield the name of each column of a flat table, its type, and whether it may be empty."""
    for name, hint in typing.get_type_hints(row).items():
        if isinstance(hint, types.UnionType):
            (kind,) = (part for part in typing.get_args(hint) if part is not types.NoneType)
            yield name, kind, True
        else:
            yield name, hint, False


def _schema(row: type[Row]) -> "pyarrow.Schema":
    fields = [pyarrow.field(name, _TYPES[kind], optional) for name, kind, optional in columns_of(row)]
    return pyarrow.schema(fields)


SCHEMAS: Final = {table: _schema(row) for table, row in FLAT_TABLES.items()}
"""The Arrow schema of each flat table. Numbers have 64 bits."""


class TableFile:
    """A file of a flat table that is being written."""

    def __init__(self, table: str, path: Path) -> None:
        """Begin a file. It must be closed, also after an error."""
        self.path, self.rows = path, 0
        self._schema = SCHEMAS[table]
        self._writer = parquet.ParquetWriter(path, self._schema, compression="zstd")
        self._waiting: list[Row] = []

    def add(self, row: Row) -> None:
        """Add a row."""
        self._waiting.append(row)
        if len(self._waiting) == ROW_GROUP_ROWS:
            self._write()

    def close(self) -> None:
        """Write what waits, and end the file."""
        if self._waiting:
            self._write()
        self._writer.close()

    def _write(self) -> None:
        columns = zip(*self._waiting, strict=True)
        arrays = [
            pyarrow.array(column, field.type) for column, field in zip(columns, self._schema, strict=True)
        ]
        self._writer.write_table(pyarrow.Table.from_arrays(arrays, schema=self._schema), ROW_GROUP_ROWS)
        self.rows += len(self._waiting)
        self._waiting.clear()
