"""The filter of questions to reports, from plain Python values."""

import datetime

from pathbook.client.values import iso_date, timestamp
from pathbook.v1 import insights_pb2


def filtered(only: insights_pb2.InsightFilter | None, party: str = "") -> insights_pb2.InsightFilter:
    """Return a copy of a filter, with the party that a question is about."""
    wanted = insights_pb2.InsightFilter()
    if only is not None:
        wanted.CopyFrom(only)
    if party:
        wanted.party = party
    return wanted


def insight_filter(  # noqa: PLR0913 - a parameter for each field
    *,
    batch: int = 0,
    gtin: str = "",
    brand: str = "",
    party: str = "",
    region: str = "",
    tier: int | None = None,
    first_day: datetime.date | None = None,
    last_day: datetime.date | None = None,
    as_of_position: int = 0,
    known_at: datetime.datetime | None = None,
) -> insights_pb2.InsightFilter:
    """Return what an answer of reports is about, and as of when. What is left out filters nothing.

    Args:
        batch: Number of a batch.
        gtin: GTIN of a product.
        brand: Id of the brand of the products.
        party: Id of a party that is any side of what is counted.
        region: A region, such as "CN", which has "CN-GD". Counts what has a party that was ever authorized for it.
        tier: The tier of the party that received or holds the units.
        first_day: The first day on which something happened, as parties claim, in UTC.
        last_day: The last such day.
        as_of_position: Count events up to this position. 0 means all.
        known_at: Count events that were recorded by this time, which has a time zone. None means all.

    Returns:
        A filter, for the parameter ``only`` of the questions.

    Raises:
        ValueError: ``known_at`` has no time zone, or a number has more than 64 bits.

    Example:
        >>> insight_filter(gtin="4006381333931", tier=2).tier
        2
    """
    return insights_pb2.InsightFilter(
        batch=batch,
        gtin=gtin,
        brand=brand,
        party=party,
        region=region,
        tier=tier,
        first_day=iso_date(first_day),
        last_day=iso_date(last_day),
        as_of_position=as_of_position,
        known_at=timestamp(known_at),
    )
