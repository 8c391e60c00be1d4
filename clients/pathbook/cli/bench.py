"""The verb that measures this machine and its store, and prints the rates beside their targets."""

import contextlib
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pathbook.cli import printing
from pathbook.cli.errors import print_error
from pathbook.cli.exits import Exit
from pathbook.cli.settings import Output, Settings, takes_options
from pathbook.cli.verb_group import Verb

if TYPE_CHECKING:  # the bench is imported when it runs
    from pathbook.bench.bench import Bench


@click.command("bench", cls=Verb)
@takes_options("database", "output")
@click.option(
    "--quick", is_flag=True, help="Run all phases in some seconds. The rates are only orders of magnitude."
)
@click.option(
    "--in", "parent", metavar="DIR", default=None,
    type=click.Path(exists=True, file_okay=False, writable=True, path_type=Path),
    help="The disk to measure. The bench uses a new directory there, and removes it. Default: the temporary"
    " directory.",
)  # fmt: skip
@click.option(
    "--books", type=click.IntRange(1, 64), metavar="COUNT",
    help="Measure only writes: to one book, to so many at one server, and at a server for each.",
)  # fmt: skip
@click.pass_obj
def command(settings: Settings, *, quick: bool, parent: Path | None, books: int | None) -> Exit:
    """Measure this machine and its store.

    The phases take turns: calls, the bare database, recording, reading, following, verifying and rebuilding. Each
    rate is printed beside its floor. The bench uses books of its own, never yours.

    First the bench checks the result of every phase. If one is wrong, it names the phase, prints no rate, and exits
    with 1.

    With --database URL it measures that PostgreSQL, in a new database that it drops afterwards. PATHBOOK_DATABASE
    does the same, unless --in is given.
    """
    from pathbook.bench.bench import Bench
    from pathbook.bench.model import MismatchError
    from pathbook.bench.plan import FULL, QUICK
    from pathbook.bench.run import run
    from pathbook.cli import local
    from pathbook.cli.progress import Progress

    database = "" if parent and settings.database is None else settings.database_url()
    if books is not None:
        return _books(settings, books, (QUICK if quick else FULL).transfers, parent, database)
    with _place(parent, database) as (directory, own), Progress() as progress:
        place = directory / "books"
        with contextlib.closing(local.measuring(str(place), own)) as inside:
            bench = Bench(QUICK if quick else FULL, place, own, inside, progress.of)
            try:
                with contextlib.closing(bench):
                    run(bench)
            except MismatchError as mismatch:
                print_error(settings.output, "MISMATCH", str(mismatch), {"phase": mismatch.phase})
                return Exit.REFUSED
            measured = inside.place or str(directory.parent)
    _show(settings.output, bench, measured)
    return Exit.DONE


def _books(settings: Settings, books: int, transfers: int, parent: Path | None, database: str) -> Exit:
    from pathbook.bench.books import PHASE, BooksBench
    from pathbook.bench.model import MismatchError
    from pathbook.cli import output
    from pathbook.cli.progress import Progress

    with _place(parent, database) as (directory, own), Progress() as progress:
        place = directory / "books"
        try:
            found = BooksBench(place, own, transfers).run(books, progress.of(PHASE))
        except MismatchError as mismatch:
            print_error(settings.output, "MISMATCH", str(mismatch), {"phase": mismatch.phase})
            return Exit.REFUSED
    if settings.output is not Output.TABLE:
        spreads = [each._asdict() | {"per_second": each.per_second} for each in found]
        printing.echo(printing.as_json({"spreads": spreads}, settings.output))
        return Exit.DONE
    rows = [
        [
            str(each.servers), str(each.books), str(each.transfers), f"{each.per_second:,.0f}",
            f"{each.per_second / found[0].per_second:.2f}",
        ]
        for each in found
    ]  # fmt: skip
    titles = ("servers", "books", "transfers", "per second", "beside one book")
    printing.echo(output.table(titles, rows, set(range(len(titles)))))
    return Exit.DONE


@contextlib.contextmanager
def _place(parent: Path | None, database: str) -> Iterator[tuple[Path, str]]:
    """Create a directory and, if a PostgreSQL is named, a database. Both are removed at the end."""
    from pathbook.cli import local

    with contextlib.ExitStack() as stack:
        stack.enter_context(_interruptible())
        own = ""
        if database:
            try:
                own = stack.enter_context(local.database_of_its_own(database))
            except ValueError as error:
                raise click.UsageError(str(error)) from error
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="pathbook-bench-", dir=parent))
        yield Path(directory), own


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Let SIGTERM end the bench as Ctrl-C does: its processes end too, and nothing is left behind."""
    before = signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _show(form: Output, bench: "Bench", place: str) -> None:
    if form is Output.TABLE:
        from pathbook.cli.bench_table import text

        printing.echo(text(bench, place))
        return
    from pathbook.bench.report import as_object

    printing.echo(printing.as_json(as_object(bench, place), form))
