"""The verb that imports a table: options in, one summary out."""

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
    from pathbook.importing.plan import Plan
    from pathbook.importing.registering import Registered
    from pathbook.importing.summary import Summary

REJECTIONS_SHOWN: Final = 20
"""How many rejected rows a person is shown; `--output json` lists all."""

STOPPED: Final = "The import broke off. Run it again: it goes on, and what stands counts as duplicate."
"""What is told beside the error where the server went away in the middle."""


@click.command(
    "import",
    epilog=f"""\b
Recipes that come with Pathbook: {", ".join(shipped_recipes())}.
What a recipe says, and how to write one:
{RECIPES / "README.md"}
""",
)
@book_options
@click.argument("table", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--recipe", "recipe_name", required=True, metavar="NAME|FILE.toml",
              help=f"Which columns are which words: {', '.join(shipped_recipes())}, or a file.")  # fmt: skip
@click.option(
    "--source",
    metavar="NAME",
    help="What the table is called in the book; else as its file without the ending.",
)
@click.option("--errors", type=click.Choice(["reject", "stop"]), default="reject", show_default=True,
              help="Leave out rows that are rejected, or stop at the first.")  # fmt: skip
@click.pass_obj
def command(settings: Settings, *, table: Path, recipe_name: str, source: str | None, errors: str) -> Exit:
    """Import TABLE, a .csv or .parquet file, by a recipe.

    Source and row number are a row's identity: what stands in the book already is a duplicate, and an import
    that was interrupted goes on when it is run again. Row 1 is the first below the header.

    The exit code is 0 where a row stands in the book afterwards or none was rejected, 1 where rows were rejected
    and not one stands, or with --errors stop at the first one.
    """
    from pathbook.cli.progress import Progress
    from pathbook.importing.cells import source_of
    from pathbook.importing.loading import RecipeError, load_recipe
    from pathbook.importing.plan import plan_table
    from pathbook.importing.recording import Recorder
    from pathbook.importing.registering import Registrar
    from pathbook.importing.tables import TableError

    settings.place()
    name = source_of(table.stem if source is None else source)
    if source not in (None, name):
        raise click.UsageError(f"'{source}' cannot name a source: 1 to 48 letters, digits, dots, dashes, _.")
    with Progress() as progress:
        try:
            recipe = load_recipe(recipe_name)
            plan = plan_table(table, recipe, name, progress.of("rows read"))
            with connection.writing(settings) as client, _telling_how_to_go_on(client):
                registered = Registrar(
                    client, name, plan, progress.of("parties, products, batches")
                ).register()
                recorder = Recorder(client, recipe, name, plan, registered,
                                    stop=errors == "stop", progress=progress.of("rows recorded"))  # fmt: skip
                summary = recorder.record(table)
        except (RecipeError, TableError) as error:
            raise click.UsageError(str(error)) from error
    _warn(registered)
    _show(settings.output, plan, summary)
    stopped = errors == "stop" and summary.rejections
    return Exit.REFUSED if stopped or summary.nothing_stands else Exit.DONE


@contextlib.contextmanager
def _telling_how_to_go_on(client: "Client") -> Iterator[None]:
    """Say, where the server goes away after it has answered, that nothing is lost."""
    from pathbook.client import UnreachableError

    try:
        yield
    except UnreachableError:
        if client.position:
            click.echo(STOPPED, err=True)
        raise


def _warn(registered: "Registered") -> None:
    """Say which authorisations were refused: their parties' transfers are recorded, and marked."""
    for (upline, party, tier), reason in registered.refused_grants.items():
        click.echo(f"not authorised: {party}, by {upline}, at tier {tier}: {reason}", err=True)


def _show(form: Output, plan: "Plan", summary: "Summary") -> None:
    if form is not Output.TABLE:
        indent = 2 if form is Output.JSON else None
        click.echo(json.dumps(summary.as_object(), indent=indent, ensure_ascii=False))
        return
    from pathbook.cli import output
    from pathbook.money import print_money

    rejected = len(summary.rejections)
    played = ", ".join(f"{role} {len(parties)}" for role, parties in plan.played.items())
    batches = "1 batch" if len(plan.batches) == 1 else f"{len(plan.batches)} batches"
    pairs = [
        (
            "rows",
            f"{plan.rows}: {summary.accepted} accepted, {summary.duplicate} duplicate, {rejected} rejected",
        ),
        ("parties", played),
        ("products", f"{len(plan.products)}, in {batches}"),
        ("transfers", str(summary.transfers)),
        ("units", str(summary.units)),
    ]
    pairs += [
        (name, print_money(amount_minor, code)) for (name, code), amount_minor in summary.amounts.items()
    ]
    click.echo(output.fields(pairs))
    click.echo("Transfers, units and amounts are those of accepted and duplicate rows" + _halves(summary))
    if summary.rejections:
        shown = [
            [str(rejection.row), rejection.reason] for rejection in summary.rejections[:REJECTIONS_SHOWN]
        ]
        click.echo("\n" + output.table(["row", "rejected because"], shown, {0}))
    if rejected > REJECTIONS_SHOWN:
        click.echo(f"... and {rejected - REJECTIONS_SHOWN} more: --output json lists all.")


def _halves(summary: "Summary") -> str:
    """Return how the sentence on what is summed ends: rows may be rejected for one of their transfers only."""
    match summary.of_rejected:
        case 0:
            return "."
        case 1:
            return "; 1 transfer of a rejected row stands, too, and is counted with its amount."
        case several:
            return f"; {several} transfers of rejected rows stand, too, and are counted with their amounts."
