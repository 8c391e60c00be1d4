"""The verb that measures this machine and its store, and says what came of it beside what is aimed at."""

import contextlib
import json
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pathbook.cli.exits import Exit
from pathbook.cli.settings import Output, Settings, book_options

if TYPE_CHECKING:  # what measures is loaded when it measures
    from pathbook.bench.bench import Bench
    from pathbook.bench.model import MismatchError


@click.command("bench")
@book_options
@click.option(
    "--quick", is_flag=True, help="Some seconds: every phase and check, figures of the right order."
)
@click.option(
    "--in", "parent", metavar="DIR", default=None,
    type=click.Path(exists=True, file_okay=False, writable=True, path_type=Path),
    help="Which disk: a directory is made there, and removed again. Else the system's for what is temporary.",
)  # fmt: skip
@click.pass_obj
def command(settings: Settings, *, quick: bool, parent: Path | None) -> Exit:
    """Measure this machine and its store.

    Calls, the bare database, recording, reading, following, verifying and rebuilding take turns, and each is printed
    beside the floor it stands on. No book of yours is touched. What every phase comes to is checked first: where it
    is wrong, the exit code is 1, the phase is named, and no figure is printed. With --database URL, or with
    PATHBOOK_DATABASE and without --in, a database is made beside that one, and dropped again.
    """
    if settings.server or settings.data:
        raise click.UsageError("A bench makes books of its own. Leave out --server and --data; see --in.")
    from pathbook.bench.bench import Bench
    from pathbook.bench.model import MismatchError
    from pathbook.bench.plan import FULL, QUICK
    from pathbook.bench.run import run
    from pathbook.cli import local
    from pathbook.cli.progress import Progress

    database = "" if parent and settings.database is None else settings.store()
    with _place(parent, database) as (directory, own), Progress() as progress:
        books = directory / "books"
        with contextlib.closing(local.measuring(str(books), own)) as inside:
            bench = Bench(QUICK if quick else FULL, books, own, inside, progress.of)
            try:
                with contextlib.closing(bench):
                    run(bench)
            except MismatchError as mismatch:
                return _wrong(settings.output, mismatch)
            place = inside.place or str(directory.parent)
    _show(settings.output, bench, place)
    return Exit.DONE


@contextlib.contextmanager
def _place(parent: Path | None, database: str) -> Iterator[tuple[Path, str]]:
    """Make a directory and, where a PostgreSQL is named, a database; both go at the end."""
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
    """Let SIGTERM end the bench as Ctrl-C does: its processes end with it, and nothing is left behind."""
    before = signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _wrong(form: Output, mismatch: "MismatchError") -> Exit:
    """Say which phase came to something wrong: in a sentence, or as one object."""
    if form is Output.TABLE:
        click.echo(f"pathbook: MISMATCH: {mismatch}", err=True)
    else:
        said = {"reason": "MISMATCH", "message": str(mismatch), "metadata": {"phase": mismatch.phase}}
        click.echo(json.dumps({"error": said}, ensure_ascii=False), err=True)
    return Exit.REFUSED


def _show(form: Output, bench: "Bench", place: str) -> None:
    if form is Output.TABLE:
        from pathbook.cli.bench_table import text

        click.echo(text(bench, place))
        return
    from pathbook.bench.report import as_object

    indent = 2 if form is Output.JSON else None
    click.echo(json.dumps(as_object(bench, place), indent=indent, ensure_ascii=False))
