"""The options that say what an insight is about, and as of when."""

import datetime
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

import click

from pathbook.cli import arguments
from pathbook.cli.settings import current_zone

if TYPE_CHECKING:
    from pathbook.v1.insights_pb2 import InsightFilter

Answer = TypeVar("Answer")

MAX_INT32: Final = 2**31 - 1
"""The highest number of days, parties or entries that the contract can say."""

takes_limit = click.option(
    "--limit",
    type=click.IntRange(0, MAX_INT32),
    default=0,
    metavar="N",
    help="The most entries. Default: 100. Most: 1000.",
)

OF_PARTY = (click.option("--with-party", default="", metavar="PARTY", help="Of which this party is a side."),)
"""The option of a question that is about no party of its own."""

OPTIONS = (
    click.option("--batch", type=arguments.NUMBER, default=0, metavar="N", help="Of the batch with this number."),
    click.option("--gtin", default="", metavar="GTIN", help="Of the batches of this product."),
    click.option("--brand", default="", metavar="PARTY", help="Of the products of this brand."),
    click.option("--region", default="", metavar="REGION", help="Of parties authorized for it: CN has CN-GD."),
    click.option("--tier", type=arguments.TIER, metavar="N", help="Of parties of this tier."),
    click.option("--from-day", type=arguments.DATE, metavar="DATE", help="What happened from this day on."),
    click.option("--until-day", type=arguments.DATE, metavar="DATE", help="What happened until this day."),
    click.option(
        "--as-of", "as_of_position", type=arguments.NUMBER, default=0, metavar="POSITION",
        help="As it was at this position. Dates of expiry and suggested prices stay those of now.",
    ),
    click.option(
        "--known-at", type=arguments.MOMENT, metavar="TIME",
        help="As it was on record at this time. Dates of expiry and suggested prices stay those of now.",
    ),
)  # fmt: skip


def takes_filter(command: Callable[..., Answer]) -> Callable[..., Answer]:
    """Add the options to a command, with that of a party. It gets the filter as ``only``."""
    for option in OF_PARTY:
        command = option(takes_filter_of_party(command))
    return command


def takes_today(command: Callable[..., Answer]) -> Callable[..., Answer]:
    """Add --today to a command that has the filter, too. It gets the date, or None for that of the answer.

    That is today in the zone shown, unless the answer is as of before.
    """
    sentence = "The date to count days from. Default: today in the zone of --zone, or the day of --as-of or --known-at."
    return click.option("--today", type=arguments.DATE, metavar="DATE", help=sentence)(command)


def takes_filter_of_party(command: Callable[..., Answer]) -> Callable[..., Answer]:
    """Add the options to a command that is about a party. It gets the filter as ``only``."""

    @functools.wraps(command)
    def with_filter(  # noqa: PLR0913 - an argument for each option
        *args: object,
        batch: int,
        gtin: str,
        brand: str,
        region: str,
        tier: int | None,
        from_day: datetime.date | None,
        until_day: datetime.date | None,
        as_of_position: int,
        known_at: datetime.datetime | None,
        with_party: str = "",
        **rest: object,
    ) -> Answer:
        from pathbook.client import insight_filter

        only: InsightFilter = insight_filter(
            batch=batch,
            gtin=gtin,
            brand=brand,
            party=with_party,
            region=region,
            tier=tier,
            first_day=from_day,
            last_day=until_day,
            as_of_position=as_of_position,
            known_at=known_at,
        )
        if "today" in rest and not as_of_position and known_at is None:
            rest["today"] = rest["today"] or current_zone().today()
        return command(*args, only=only, **rest)

    for option in reversed(OPTIONS):
        with_filter = option(with_filter)
    return with_filter
