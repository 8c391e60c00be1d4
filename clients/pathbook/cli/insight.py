"""The verbs that ask the reports of a book: prices, sales, stuck stock, the shape of a chain, findings."""

import datetime
from typing import TYPE_CHECKING

import click

from pathbook.cli import arguments, connection, findings
from pathbook.cli.insight_filter import (
    MAX_INT32,
    takes_filter,
    takes_filter_of_party,
    takes_limit,
    takes_today,
)
from pathbook.cli.settings import Settings, book_options
from pathbook.cli.verb_group import VerbGroup

if TYPE_CHECKING:
    from pathbook.v1.insights_pb2 import InsightFilter

takes_window = click.option(
    "--window-days",
    type=click.IntRange(1, MAX_INT32),
    default=30,
    metavar="N",
    help="Days for the rate of sales.",
)


@click.group("insight", cls=VerbGroup)
def command() -> None:
    """Ask what happened to many units.

    The answers come from reports, which follow the book by themselves. What stands out is no verdict.
    """


for _verb in findings.VERBS:
    command.add_command(_verb)


@command.command("ladder")
@book_options
@takes_filter
@click.pass_obj
def ladder(settings: Settings, *, only: "InsightFilter") -> None:
    """Show what each tier paid, with quartiles and mark-ups.

    Below the table stands what consumers would pay if the goods skipped the last tiers before them.

    With --with-party and --gtin alone, it also shows what others paid for the product in months that are over: means of
    three parties or more, which tell the price of none.
    """
    from pathbook.cli import insight_text, output

    with connection.reading(settings) as client:
        found = client.get_ladder(only=only)
    output.show(settings.output, found, lambda: insight_text.ladder(found))


@command.command("sell-through")
@book_options
@click.argument("party")
@takes_filter_of_party
@takes_window
@takes_today
@click.pass_obj
def sell_through(
    settings: Settings, *, party: str, only: "InsightFilter", window_days: int, today: datetime.date | None
) -> None:
    """Show how much of the line of PARTY reached consumers.

    The line has the units that PARTY made or received, wherever they are now.
    """
    from pathbook.cli import insight_text, output

    with connection.reading(settings) as client:
        found = client.get_sell_through(party, only=only, today=today, window_days=window_days)
    output.show(settings.output, found, lambda: insight_text.sell_through(found))


@command.command("stuck")
@book_options
@takes_filter
@click.option(
    "--expiring-days",
    type=click.IntRange(1, MAX_INT32),
    default=90,
    metavar="N",
    help="What counts as expiring.",
)
@takes_limit
@takes_today
@click.pass_obj
def stuck(
    settings: Settings, *, only: "InsightFilter", expiring_days: int, limit: int, today: datetime.date | None
) -> None:
    """Show what parties hold, and what they would lose.

    The loss is what a party paid less the best price that a consumer paid. Units that expire first come first.
    """
    from pathbook.cli import insight_text, output

    with connection.reading(settings) as client:
        found = client.get_stuck_stock(only=only, today=today, expiring_days=expiring_days, limit=limit)
    output.show(settings.output, found, lambda: insight_text.stuck(found))


@command.command("shape")
@book_options
@click.argument("organizer", metavar="PARTY")
@takes_filter_of_party
@click.option(
    "--within-days",
    type=click.IntRange(1, MAX_INT32),
    default=30,
    metavar="N",
    help="What is an early purchase.",
)
@click.option(
    "--participants-min",
    type=click.IntRange(1, MAX_INT32),
    default=30,
    metavar="N",
    help="For the indicator.",
)
@click.option(
    "--levels-min", type=click.IntRange(1, MAX_INT32), default=3, metavar="N", help="For the indicator."
)
@click.pass_obj
def shape(
    settings: Settings,
    *,
    organizer: str,
    only: "InsightFilter",
    within_days: int,
    participants_min: int,
    levels_min: int,
) -> None:
    """Show the shape of the chain below PARTY.

    It has levels, depths, days to expiry at each hop, and an indicator, which is a sign and no verdict. Depths and hops
    are of all batches asked about, wherever their units are. Those of a brand are by default its own.
    """
    from pathbook.cli import insight_text, output

    with connection.reading(settings) as client:
        found = client.get_shape(
            organizer,
            only=only,
            within_days=within_days,
            participants_min=participants_min,
            levels_min=levels_min,
        )
    output.show(settings.output, found, lambda: insight_text.shape(found))


@command.command("domino")
@book_options
@click.argument("party")
@takes_filter_of_party
@takes_limit
@click.pass_obj
def domino(settings: Settings, *, party: str, only: "InsightFilter", limit: int) -> None:
    """Show what hangs on PARTY, if it stopped today.

    It has the stock, the open offers and the money of PARTY and of all parties below it.
    """
    from pathbook.cli import insight_text, output

    with connection.reading(settings) as client:
        found = client.get_domino(party, only=only, limit=limit)
    output.show(settings.output, found, lambda: insight_text.domino(found))


@command.command("scorecard")
@book_options
@click.argument("party")
@takes_filter_of_party
@takes_window
@takes_today
@click.pass_obj
def scorecard(
    settings: Settings, *, party: str, only: "InsightFilter", window_days: int, today: datetime.date | None
) -> None:
    """Show facts about PARTY, as counts.

    They add up to no score: who trades more, errs more.
    """
    from pathbook.cli import insight_text, output

    with connection.reading(settings) as client:
        found = client.get_scorecard(party, only=only, today=today, window_days=window_days)
    output.show(settings.output, found, lambda: insight_text.scorecard(found))


@command.command("verifications")
@book_options
@click.option("--batch", type=arguments.NUMBER, default=0, metavar="N", help="Of the batch with this number.")
@click.option("--gtin", default="", metavar="GTIN", help="Of the batches of this product.")
@click.option("--brand", default="", metavar="PARTY", help="Of the products of this brand.")
@click.option("--unit", metavar="BATCH:NUMBER", help="Of this unit.")
@click.option(
    "--from-day", type=arguments.DATE, metavar="DATE", help="From this day on. Default: of 30 days."
)
@click.option("--until-day", type=arguments.DATE, metavar="DATE", help="Until this day.")
@click.option(
    "--times-min", type=click.IntRange(1, MAX_INT32), default=20, metavar="N", help="When a unit stands out."
)
@click.option(
    "--times-median",
    type=click.IntRange(1, MAX_INT32),
    default=10,
    metavar="N",
    help="And how far above the median of the others of its batch.",
)
@takes_limit
@click.pass_obj
def verifications(  # noqa: PLR0913 - an argument for each option
    settings: Settings,
    *,
    batch: int,
    gtin: str,
    brand: str,
    unit: str | None,
    from_day: datetime.date | None,
    until_day: datetime.date | None,
    times_min: int,
    times_median: int,
    limit: int,
) -> None:
    """Show how often codes were verified, by day.

    A copied label leads many buyers to one unit. So units that the public verified unusually often are listed, which
    may have a good reason. Nothing is kept of who asked, or where.
    """
    from pathbook.cli import insight_text, output
    from pathbook.client import insight_filter

    number = None
    if unit is not None:
        parsed = arguments.parse_unit(unit)
        if parsed is None:
            raise click.UsageError(f"'{unit}' does not name a unit. Write 3:17 for unit 17 of batch 3.")
        if batch not in (0, parsed[0]):
            raise click.UsageError("--unit names a unit of another batch than --batch. Leave --batch out.")
        batch, number = parsed
    only = insight_filter(batch=batch, gtin=gtin, brand=brand, first_day=from_day, last_day=until_day)
    with connection.reading(settings) as client:
        found = client.get_verifications(
            number, only=only, times_min=times_min, times_median=times_median, limit=limit
        )
    output.show(settings.output, found, lambda: insight_text.verifications(found))
