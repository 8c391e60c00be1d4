"""The verbs for analysis: export a book as Parquet, and ask an export in SQL."""

import datetime
import decimal
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click

from pathbook.cli import connection, printing
from pathbook.cli.errors import NamedError
from pathbook.cli.settings import Output, Settings, takes_options
from pathbook.cli.verb_group import Verb
from pathbook.exporting.statements import REPORTS, report

EXPORT: Final = click.Path(path_type=Path, file_okay=False)
"""The directory of an export."""

ROWS_SHOWN_MAX: Final = 1_000
"""How many rows a table for people has at most. JSON has all."""


@click.command("export", cls=Verb)
@takes_options("server", "data", "database", "book", "output", "allow_event_loss")
@click.option("--to", type=EXPORT, required=True, help="The directory of the export.")
@click.option(
    "--events-per-file",
    type=click.IntRange(1, 10_000_000),
    metavar="COUNT",
    help="How many events a file has at most. Default: 500000.",
)
@click.pass_obj
def export(settings: Settings, *, to: Path, events_per_file: int | None) -> None:
    """Export the events of a book as Parquet files.

    It writes the bytes of all events, and flat tables of moved units, batches, parties and offers, with one file for
    each table and range of positions. Run the command again to add what is new; an interrupted one goes on. The
    manifest names all files, with their hashes. README.md lists the columns. An export holds prices and parties.
    """
    from pathbook.cli.progress import Progress

    try:
        from pathbook.exporting import exporter
    except ModuleNotFoundError as error:
        raise missing(error, "parquet") from None
    with named_errors(), connection.looking(settings) as client, Progress() as progress:
        found = exporter.export(
            client,
            to,
            events_per_file=events_per_file or exporter.EVENTS_PER_FILE,
            progress=progress.of("events exported"),
        )
    if settings.output is Output.TABLE:
        rows = ", ".join(f"{count} of {table}" for table, count in found.rows.items())
        signed = f", as the checkpoint of {found.checkpoint} says" if found.checkpoint else ""
        news = f"{found.through - found.before} more than before" if found.before else "the first ones there"
        line = f"{to} has {found.origin} up to event {found.through}{signed}: {news}. Rows: {rows}."
        printing.echo(printing.printable(line))
        return
    from msgspec import to_builtins

    printing.echo(printing.as_json({"to": str(to), **to_builtins(found)}, settings.output))


@click.command("sql", cls=Verb)
@takes_options("output")
@click.argument("query", required=False)
@click.option("--export", "path", type=EXPORT, required=True, help="The directory of 'pathbook export'.")
@click.option(
    "--report", "name", type=click.Choice(REPORTS), help="Run a report that comes with the project."
)
@click.option("--print", "prints", is_flag=True, help="Print the text of the report, and do not run it.")
@click.pass_obj
def sql(settings: Settings, *, query: str | None, path: Path, name: str | None, prints: bool) -> None:
    """Run a query over an export.

    The tables are event, move, batch, party and offer, and batch_history, party_history and offer_history with all that
    was said of these before. Nothing is changed, and no other file is read. It needs DuckDB.

    In JSON, decimals, and numbers that are infinite or none, are text. Each column must have a name of its own there.

    The reports run unchanged on PostgreSQL and Apache Spark, too: --print shows their text.
    """
    if (query is None) == (name is None):
        raise click.UsageError("Give either a QUERY or --report.")
    if prints and name is None:
        raise click.UsageError("--print needs --report.")
    text = report(name) if name is not None else query or ""
    if prints:
        content: object = {"report": name, "sql": text}
        shown = (
            text.rstrip("\n")
            if settings.output is Output.TABLE
            else printing.as_json(content, settings.output)
        )
        printing.echo(shown)
        return
    try:
        from pathbook.exporting import querying
    except ModuleNotFoundError as error:
        raise missing(error, "duckdb") from None
    with named_errors(), querying.opened(path) as opened:
        columns, rows = querying.ask(opened, text)
        if settings.output is Output.TABLE:
            _show(columns, rows)
            return
        _hold_names(columns)
        objects = ({name: _plain(cell) for name, cell in zip(columns, row, strict=True)} for row in rows)
        if settings.output is Output.JSONL:
            for row in objects:
                printing.echo(printing.as_json(row, Output.JSONL))
            return
        printing.echo(printing.as_json({"rows": list(objects)}, Output.JSON))


def _hold_names(columns: Sequence[str]) -> None:
    """Refuse columns of one name, of which an object of JSON would have only the last.

    Raises:
        ExportError: COLUMN_NAMED_TWICE.
    """
    from pathbook.exporting.manifest import ExportError

    for number, name in enumerate(columns):
        if name in columns[:number]:
            message = f"Two columns are named {name!r}, and JSON needs a name for each. Give one another name with AS."
            raise ExportError("COLUMN_NAMED_TWICE", message)


def _show(columns: Sequence[str], rows: Iterator[tuple[object, ...]]) -> None:
    from itertools import islice

    from pathbook.cli import output

    found = [
        ["-" if cell is None else str(_plain(cell)) for cell in row] for row in islice(rows, ROWS_SHOWN_MAX)
    ]
    titles = [printing.printable(column) for column in columns]
    shown = [[printing.printable(cell) for cell in row] for row in found]
    printing.echo(output.table(titles, shown) if shown else "no rows")
    if next(rows, None) is not None:
        printing.echo(f"Only the first {ROWS_SHOWN_MAX} rows are shown. --output jsonl prints all.", err=True)


def _plain(cell: object) -> object:
    """Return a cell as JSON has it: bytes in hexadecimal, dates and times as ISO 8601 writes them, decimals as text.

    JSON has no infinite numbers, so these and NaN are text, with the words that the JSON of protobuf has for them.
    """
    if isinstance(cell, bytes | bytearray | memoryview):
        return bytes(cell).hex()
    if isinstance(cell, datetime.date | datetime.time):
        return cell.isoformat()
    if isinstance(cell, decimal.Decimal | datetime.timedelta):
        return str(cell)
    if isinstance(cell, float) and not math.isfinite(cell):
        return "NaN" if math.isnan(cell) else "Infinity" if cell > 0 else "-Infinity"
    if isinstance(cell, list | tuple):
        return [_plain(item) for item in cell]
    if isinstance(cell, dict):
        return {str(key): _plain(item) for key, item in cell.items()}
    return cell if cell is None or isinstance(cell, str | int | float | bool) else str(cell)


@contextmanager
def named_errors() -> Iterator[None]:
    """Turn the errors of exports into errors of the command line."""
    from pathbook.exporting.manifest import ExportError

    try:
        yield
    except ExportError as error:
        raise NamedError(error.reason, str(error)) from None


def missing(error: ModuleNotFoundError, extra: str) -> click.UsageError:
    """Return the error of a verb that needs what only an extra installs. Another missing module is raised again."""
    name = (error.name or "").partition(".")[0]
    if name == "pathbook":
        raise error  # a bug
    return click.UsageError(
        f"This verb needs {name}, which is not installed. Run: pip install 'pathbook[{extra}]'."
    )
