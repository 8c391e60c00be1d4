"""The verb that imports a table: options in, one summary out."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from pathbook.cli import connection
from pathbook.cli.exits import Exit
from pathbook.cli.settings import Output, Settings, book_options

if TYPE_CHECKING:  # loaded when a table is imported
    from pathbook.importing.plan import Plan
    from pathbook.importing.registering import Registered
    from pathbook.importing.summary import Summary

REJECTIONS_SHOWN: Final = 20
"""How many rejected rows a person is shown; `--output json` lists all."""


@click.command("import")
@book_options
@click.argument("table", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--recipe", "recipe_name", required=True, metavar="NAME|FILE.toml",
              help="Which columns are which words: 'iowa', or a file.")  # fmt: skip
@click.option("--source", metavar="NAME", help="What the table is called in the book; else as its file.")
@click.option("--errors", type=click.Choice(["reject", "stop"]), default="reject", show_default=True,
              help="Leave out rows that are rejected, or stop at the first.")  # fmt: skip
@click.pass_obj
def command(settings: Settings, *, table: Path, recipe_name: str, source: str | None, errors: str) -> Exit:
    """Import TABLE, a .csv or .parquet file, by a recipe.

    Source and row number are a row's identity: what stands in the book already is a duplicate, and an import
    that was interrupted goes on when it is run again.
    """
    from pathbook.cli.progress import Progress
    from pathbook.importing.cells import source_of
    from pathbook.importing.plan import plan_table
    from pathbook.importing.recipe import RecipeError, load_recipe
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
            with connection.writing(settings) as client:
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
    return Exit.REFUSED if errors == "stop" and summary.rejections else Exit.DONE


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
    played = ", ".join(f"{len(parties)} {role}" for role, parties in plan.played.items())
    pairs = [
        (
            "rows",
            f"{plan.rows}: {summary.accepted} accepted, {summary.duplicate} duplicate, {rejected} rejected",
        ),
        ("parties", played),
        ("products", f"{len(plan.products)}, in {len(plan.batches)} batches"),
        ("transfers", str(summary.transfers)),
        ("units", str(summary.units)),
    ]
    pairs += [
        (name, print_money(amount_minor, code)) for (name, code), amount_minor in summary.amounts.items()
    ]
    click.echo(output.fields(pairs))
    if summary.rejections:
        shown = [
            [str(rejection.row), rejection.reason] for rejection in summary.rejections[:REJECTIONS_SHOWN]
        ]
        click.echo("\n" + output.table(["row", "rejected because"], shown, {0}))
    if rejected > REJECTIONS_SHOWN:
        click.echo(f"... and {rejected - REJECTIONS_SHOWN} more: --output json lists all.")
