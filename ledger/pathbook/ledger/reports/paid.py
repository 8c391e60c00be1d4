"""What was paid: the prices of the ladder with who paid whom and on which day, so that questions can filter them."""

from typing import Final

from pathbook.ledger.reports.adding import Counting, folding
from pathbook.ledger.reports.ladder import tier_of
from pathbook.ledger.reports.registered import month_of
from pathbook.ledger.reports.report import Column, ColumnKind, Report
from pathbook.ledger.reports.story import ToldEvent
from pathbook.ledger.values import is_consumer


class PaidChanges:
    """How many units a sequence of events moves by hops that are in force, by their sides, day, tier and price."""

    def __init__(self) -> None:
        self.adding = Counting()

    def add(self, told: ToldEvent) -> None:
        """Count the hops that an event adds to runs, or takes from them."""
        adding, month = self.adding, month_of(told.recorded.recorded_at)
        for story, _, hop, units in told.moved:
            receiver, price = hop.receiver, hop.unit_price
            tier = tier_of(receiver, hop.authority.receiver_tier)
            key = (
                story.batch,
                hop.giver,
                "" if is_consumer(receiver) else receiver,
                hop.day,
                tier,
                price.currency_code,
                price.amount_minor,
                price.per_units,
                month,
            )
            adding[key] += units


PAID: Final = Report(
    name="paid",
    version=2,
    key=(
        Column("batch", ColumnKind.BATCH),
        Column("giver", ColumnKind.PARTY),
        Column("receiver", ColumnKind.PARTY),
        Column("day", ColumnKind.DAY),
        Column("tier", ColumnKind.TIER),
        Column("currency_code", ColumnKind.TEXT),
        Column("amount_minor", ColumnKind.NUMBER),
        Column("per_units", ColumnKind.SMALL),
        Column("month", ColumnKind.SMALL),
    ),
    sums=("units",),
    fold=folding(PaidChanges),
    needs_stories=True,
)
"""Units by who gave them to whom, on which day, at which price, and in which month that was recorded. Consumers are one
receiver, "".

Units that go back are subtracted in the month in which that is recorded. So the rows of a month that is over never
change, and a row may have fewer than 0 units.

The ladder has the same units without sides and days, in few rows, so that a ladder of a large product stays cheap.
`transfer list` of a side, a batch and a day lists the events."""
