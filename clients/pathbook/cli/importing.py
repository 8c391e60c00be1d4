"""The verb that imports tables and prints one summary."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from pathbook.cli import connection, printing, signing
from pathbook.cli.exits import Exit
from pathbook.cli.settings import Output, Settings
from pathbook.cli.signing import write_options
from pathbook.cli.verb_group import Verb
from pathbook.importing.shipped import RECIPES, shipped_recipes

if TYPE_CHECKING:  # imported when the verb runs
    from pathbook.client import Client
    from pathbook.importing.recipe import Recipe
    from pathbook.importing.rejected import RejectedFile
    from pathbook.importing.sources import Source
    from pathbook.importing.summary import Summary

REJECTIONS_SHOWN: Final = 20
"""The most rejected rows that a table lists. `--output json` lists more."""

INTERRUPTED: Final = (
    "The import was interrupted. Run it again to continue."
    " Rows that are recorded already count as duplicates."
)
"""The sentence beside the error if the server went away, or a table could not be read, after some rows."""


NOTHING_RECORDED: Final = (
    "This was a dry run. The rows were decided on a copy of the books, and nothing is recorded."
)
"""What a dry run says of its counts if it had a copy of the books."""

READ_ONLY: Final = (
    "This was a dry run, and nothing is recorded. The rows were only read: the book was not asked, so it may know or"
    " refuse rows that can be read. To decide them on a copy of the books, use --data where the books are."
)
"""What a dry run says of its counts if it could not copy the books."""


@click.command(
    "import",
    cls=Verb,
    epilog=f"""\b
Recipes that come with Pathbook: {", ".join(shipped_recipes())}.
The format of a recipe is described in
{RECIPES / "README.md"}
""",
)
@write_options
@click.argument("tables", type=click.Path(exists=True, path_type=Path), nargs=-1, required=True)
@click.option("--recipe", "recipe_name", required=True, metavar="NAME|FILE.toml",
              help=f"The recipe: {', '.join(shipped_recipes())}, or a file.")  # fmt: skip
@click.option(
    "--source",
    metavar="NAME",
    help="The name of a single table in the book. Default: its file name without the ending.",
)
@click.option("--errors", type=click.Choice(["reject", "stop"]), default="reject", show_default=True,
              help="Leave out rejected rows, or stop at the first one.")  # fmt: skip
@click.option("--rejected", "rejected_path", type=click.Path(path_type=Path), metavar="FILE.csv",
              help="Write rejected rows to a new file of the same shape, to be mended and imported.")  # fmt: skip
@click.option("--dry-run", is_flag=True,
              help="Say what would be recorded and rejected, and record nothing.")  # fmt: skip
@click.pass_obj
def command(
    settings: Settings,
    *,
    tables: tuple[Path, ...],
    recipe_name: str,
    source: str | None,
    errors: str,
    rejected_path: Path | None,
    dry_run: bool,
) -> Exit:
    """Import TABLES, files or directories, by a recipe.

    The name of a table ends in .csv, .csv.gz or .parquet. Tables are imported in the order given, those of a
    directory in the order of their names. One summary covers all of them.

    A row is identified by the columns that the recipe calls its id, or else by its content. A row that is recorded
    already is a duplicate, so an interrupted import continues when it is run again.

    With --dry-run and --data, the rows are decided on a copy of the books that is thrown away. With --server or
    --database the tables are only read, since the books cannot be copied from here. A file of --rejected is written
    in any case.

    With --sign-with, the transfers and returns are signed. Then one party gives all of them. It also signs what it
    registers for them: its products and lots, and its authorizations.

    The exit code is 1 if rows were rejected and none is recorded, or if --errors stop met a rejected row. Otherwise
    it is 0.
    """
    from pathbook.cli.progress import Progress
    from pathbook.importing import importer
    from pathbook.importing.files import TableError
    from pathbook.importing.loading import RecipeError, load_recipe

    settings.place()
    signer = signing.signer_of(settings)
    with Progress() as progress:
        callbacks = importer.Progress(
            progress.of("bytes read"),
            progress.of("parties, products, batches"),
            progress.of("bytes recorded"),
        )
        try:
            recipe = load_recipe(recipe_name)
            sources = _sources(tables, recipe, source)
            stop = errors == "stop"
            with (
                _client(settings, dry_run=dry_run) as client,
                _rejected_file(rejected_path, sources, recipe) as rejected,
            ):
                if client is None:
                    from pathbook.importing.rehearsal import read_tables

                    summary = read_tables(sources, recipe, callbacks, stop=stop, rejected=rejected)
                else:
                    work = importer.Importer(
                        client, recipe, callbacks, stop=stop, rejected=rejected, signer=signer
                    )
                    summary = work.import_tables(sources)
        except (RecipeError, TableError) as error:
            raise click.UsageError(str(error)) from error
    _warn(summary)
    _show(settings.output, summary, dry_run=dry_run)
    stopped = errors == "stop" and summary.rejected
    return Exit.REFUSED if stopped or summary.nothing_stands else Exit.DONE


def _sources(tables: tuple[Path, ...], recipe: "Recipe", name: str | None) -> "list[Source]":
    """Return the tables to import. Raises TableError, and UsageError for a name that is not allowed."""
    from pathbook.importing.cells import source_of
    from pathbook.importing.sources import find_sources, open_source

    if name is None:
        return find_sources(tables, recipe)
    if source_of(name) != name:
        raise click.UsageError(
            f"'{name}' cannot name a source. Use 1 to 48 letters, digits, dots, dashes and underscores."
        )
    if len(tables) > 1 or tables[0].is_dir():
        raise click.UsageError(
            "--source names a single table. Leave it out, or import the tables one by one."
        )
    return [open_source(tables[0], recipe, name)]


@contextlib.contextmanager
def _rejected_file(
    path: Path | None, sources: "list[Source]", recipe: "Recipe"
) -> "Iterator[RejectedFile | None]":
    """Create the file for rejected rows, if there shall be one. Raises TableError."""
    if path is None:
        yield None
        return
    from pathbook.importing.rejected import RejectedFile

    with contextlib.closing(RejectedFile(path, sources, recipe)) as file:
        yield file


@contextlib.contextmanager
def _client(settings: Settings, *, dry_run: bool) -> "Iterator[Client | None]":
    """Connect to the book, or for a dry run to a copy of it. Yield None if it cannot be copied."""
    if dry_run:
        with connection.rehearsing(settings) as copy:
            yield copy
        return
    with (
        connection.writing(settings, connection.LONG_RETRY_TIMEOUT_S, signs=False) as client,
        _explaining_interruptions(client),
    ):
        yield client


@contextlib.contextmanager
def _explaining_interruptions(client: "Client") -> Iterator[None]:
    """Print how to continue if the server goes away, or a table cannot be read, after rows were recorded."""
    from pathbook.client import UnreachableError
    from pathbook.importing.files import TableError

    try:
        yield
    except (UnreachableError, TableError):
        if client.position:
            printing.echo(INTERRUPTED, err=True)
        raise


def _warn(summary: "Summary") -> None:
    """Print the authorizations that were refused. The transfers of their parties are recorded, and marked."""
    for (upline, party, tier), reason in summary.refused_grants.items():
        line = f"not authorized: {party}, by {upline}, at tier {tier}: {reason}"
        printing.echo(printing.printable(line), err=True)


def _show(form: Output, summary: "Summary", *, dry_run: bool) -> None:
    if form is not Output.TABLE:
        printing.echo(printing.as_json(summary.as_object() | {"dry_run": dry_run}, form))
        return
    from pathbook.cli import output
    from pathbook.ledger.money import print_money

    several = summary.tables > 1
    rows = f"{summary.accepted} accepted, {summary.duplicate} duplicate, {summary.rejected} rejected"
    if summary.readable:
        rows = f"{summary.readable} can be read, {summary.rejected} rejected"
    batches = "1 batch" if len(summary.batches) == 1 else f"{len(summary.batches)} batches"
    pairs = [
        *([("tables", str(summary.tables))] if several else []),
        ("rows", f"{summary.rows}: {rows}"),
        ("parties", ", ".join(f"{role} {len(parties)}" for role, parties in summary.played.items())),
        ("products", f"{len(summary.products)}, in {batches}"),
        ("transfers", str(summary.transfers)),
        ("units", str(summary.units)),
    ]
    pairs += [(name, print_money(round(exact), code)) for (name, code), exact in summary.amounts.items()]
    printing.echo(output.fields([*pairs, *_lines(summary)]))
    if dry_run:
        printing.echo(READ_ONLY if summary.readable else NOTHING_RECORDED)
    printing.echo(
        "Transfers, units and amounts are those of accepted and duplicate rows" + _partly_recorded(summary)
    )
    listed = summary.rejections[:REJECTIONS_SHOWN]
    if listed and several:
        cells = [[each.source, str(each.row), each.reason] for each in listed]
        printing.echo("\n" + output.table(["source", "row", "rejected because"], cells, {1}))
    elif listed:
        cells = [[str(each.row), each.reason] for each in listed]
        printing.echo("\n" + output.table(["row", "rejected because"], cells, {0}))
    if summary.rejected > len(listed):
        kept = len(summary.rejections)
        all_or_first = (
            "all of them" if summary.rejected == kept else f"the first {kept}, and counts all by reason"
        )
        printing.echo(f"... and {summary.rejected - len(listed)} more. --output json lists {all_or_first}.")


def _lines(summary: "Summary") -> list[tuple[str, str]]:
    """Return what is to be said of the lines and of the master data of the tables, if anything is."""
    lines, pairs = summary.lines, []
    if lines.blank or lines.continued:
        total = lines.data + lines.blank + lines.continued
        kinds = f"{lines.data} begin a row, {lines.continued} continue one in quotes, {lines.blank} blank"
        pairs.append(("lines", f"{total}: {kinds}"))
    differing = ", ".join(f"{what} in {rows} rows" for what, rows in summary.differing.items())
    if differing:
        pairs.append(("differing", f"{differing}; the first row of a product or lot counts"))
    return pairs


def _partly_recorded(summary: "Summary") -> str:
    """Return the end of the sentence on the sums. A row may be rejected for only one of its transfers."""
    match summary.of_rejected:
        case 0:
            return "."
        case 1:
            return ". They include 1 recorded transfer of a rejected row, with its amount."
        case several:
            return f". They include {several} recorded transfers of rejected rows, with their amounts."
