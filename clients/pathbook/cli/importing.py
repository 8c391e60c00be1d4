"""The verb that imports tables: options in, one summary out."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from pathbook.cli import connection
from pathbook.cli.exits import Exit
from pathbook.cli.settings import Output, Settings, book_options
from pathbook.importing.shipped import RECIPES, shipped_recipes

if TYPE_CHECKING:  # loaded when a table is imported
    from pathbook.client import Client
    from pathbook.importing.recipe import Recipe
    from pathbook.importing.sources import Source
    from pathbook.importing.summary import Summary

REJECTIONS_SHOWN: Final = 20
"""How many rejected rows a person is shown; `--output json` lists more."""

STOPPED: Final = "The import broke off. Run it again: it goes on, and what stands counts as duplicate."
"""What is told beside the error where the server went away, or a table could not be read, in the middle."""


@click.command(
    "import",
    epilog=f"""\b
Recipes that come with Pathbook: {", ".join(shipped_recipes())}.
What a recipe says, and how to write one:
{RECIPES / "README.md"}
""",
)
@book_options
@click.argument("tables", type=click.Path(exists=True, path_type=Path), nargs=-1, required=True)
@click.option("--recipe", "recipe_name", required=True, metavar="NAME|FILE.toml",
              help=f"Which columns are which words: {', '.join(shipped_recipes())}, or a file.")  # fmt: skip
@click.option(
    "--source",
    metavar="NAME",
    help="What a single table is called in the book; else as its file without the ending.",
)
@click.option("--errors", type=click.Choice(["reject", "stop"]), default="reject", show_default=True,
              help="Leave out rows that are rejected, or stop at the first.")  # fmt: skip
@click.pass_obj
def command(
    settings: Settings, *, tables: tuple[Path, ...], recipe_name: str, source: str | None, errors: str
) -> Exit:
    """Import TABLES, files or directories, by a recipe.

    Tables end in .csv or .parquet. They are imported in the order given, those of a directory in the order of
    their names; what became of all is summed.

    Source and row number are a row's identity: what stands in the book already is a duplicate, and an import
    that was interrupted goes on when it is run again. Row 1 is the first below the header.

    The exit code is 0 where a row stands in the book afterwards or none was rejected, 1 where rows were rejected
    and not one stands, or with --errors stop at the first one.
    """
    from pathbook.cli.progress import Progress
    from pathbook.importing import importer
    from pathbook.importing.loading import RecipeError, load_recipe
    from pathbook.importing.tables import TableError

    settings.place()
    with Progress() as progress:
        told = importer.Progress(
            progress.of("rows read"), progress.of("parties, products, batches"), progress.of("rows recorded")
        )
        try:
            recipe = load_recipe(recipe_name)
            sources = _sources(tables, recipe, source)
            with (
                connection.writing(settings, connection.LONG_RETRY_TIMEOUT_S) as client,
                _telling_how_to_go_on(client),
            ):
                stop = errors == "stop"
                summary = importer.Importer(client, recipe, told, stop=stop).import_tables(sources)
        except (RecipeError, TableError) as error:
            raise click.UsageError(str(error)) from error
    _warn(summary)
    _show(settings.output, summary)
    stopped = errors == "stop" and summary.rejected
    return Exit.REFUSED if stopped or summary.nothing_stands else Exit.DONE


def _sources(tables: tuple[Path, ...], recipe: "Recipe", name: str | None) -> "list[Source]":
    """Return the tables to import. Raises TableError, and UsageError for a name that cannot be theirs."""
    from pathbook.importing.cells import source_of
    from pathbook.importing.sources import find_sources, open_source

    if name is None:
        return find_sources(tables, recipe)
    if source_of(name) != name:
        raise click.UsageError(f"'{name}' cannot name a source: 1 to 48 letters, digits, dots, dashes, _.")
    if len(tables) > 1 or tables[0].is_dir():
        raise click.UsageError("--source names a single table: import the others without it, or one by one.")
    return [open_source(tables[0], recipe, name)]


@contextlib.contextmanager
def _telling_how_to_go_on(client: "Client") -> Iterator[None]:
    """Say, where the server goes away or a table breaks off after something was recorded, that nothing is lost."""
    from pathbook.client import UnreachableError
    from pathbook.importing.tables import TableError

    try:
        yield
    except (UnreachableError, TableError):
        if client.position:
            click.echo(STOPPED, err=True)
        raise


def _warn(summary: "Summary") -> None:
    """Say which authorisations were refused: their parties' transfers are recorded, and marked."""
    for (upline, party, tier), reason in summary.refused_grants.items():
        click.echo(f"not authorised: {party}, by {upline}, at tier {tier}: {reason}", err=True)


def _show(form: Output, summary: "Summary") -> None:
    if form is not Output.TABLE:
        indent = 2 if form is Output.JSON else None
        click.echo(json.dumps(summary.as_object(), indent=indent, ensure_ascii=False))
        return
    from pathbook.cli import output
    from pathbook.ledger.money import print_money

    several = summary.tables > 1
    rows = f"{summary.accepted} accepted, {summary.duplicate} duplicate, {summary.rejected} rejected"
    batches = "1 batch" if len(summary.batches) == 1 else f"{len(summary.batches)} batches"
    pairs = [
        *([("tables", str(summary.tables))] if several else []),
        ("rows", f"{summary.rows}: {rows}"),
        ("parties", ", ".join(f"{role} {len(parties)}" for role, parties in summary.played.items())),
        ("products", f"{len(summary.products)}, in {batches}"),
        ("transfers", str(summary.transfers)),
        ("units", str(summary.units)),
    ]
    pairs += [
        (name, print_money(amount_minor, code)) for (name, code), amount_minor in summary.amounts.items()
    ]
    click.echo(output.fields(pairs))
    click.echo("Transfers, units and amounts are those of accepted and duplicate rows" + _halves(summary))
    shown = summary.rejections[:REJECTIONS_SHOWN]
    if shown and several:
        cells = [[each.source, str(each.row), each.reason] for each in shown]
        click.echo("\n" + output.table(["source", "row", "rejected because"], cells, {1}))
    elif shown:
        cells = [[str(each.row), each.reason] for each in shown]
        click.echo("\n" + output.table(["row", "rejected because"], cells, {0}))
    if summary.rejected > len(shown):
        listed = len(summary.rejections)
        all_or_first = (
            "all" if summary.rejected == listed else f"the first {listed}, and counts all by their reason"
        )
        click.echo(f"... and {summary.rejected - len(shown)} more: --output json lists {all_or_first}.")


def _halves(summary: "Summary") -> str:
    """Return how the sentence on what is summed ends: rows may be rejected for one of their transfers only."""
    match summary.of_rejected:
        case 0:
            return "."
        case 1:
            return "; 1 transfer of a rejected row stands, too, and is counted with its amount."
        case several:
            return f"; {several} transfers of rejected rows stand, too, and are counted with their amounts."
