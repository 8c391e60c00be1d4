"""The sales of a unit to consumers: what the seller said, what the consumer confirmed, what was returned since."""

from collections.abc import Sequence

import msgspec

from pathbook.ledger.events import PurchaseConfirmed, UnitsReturned, UnitsSold
from pathbook.ledger.money import print_money
from pathbook.ledger.values import Money
from pathbook.verify.replay import ReplayedStep
from pathbook.verify.verdicts import Outcome, Result


class Purchase(msgspec.Struct, frozen=True):
    """One sale to a consumer, by the positions of its events (0: there was none) and the prices of one unit."""

    sold: int
    price: Money
    confirmed: int = 0
    paid: Money | None = None
    returned: int = 0

    @property
    def disputed(self) -> bool:
        """Whether the consumer confirmed another price than the seller said."""
        return self.paid is not None and self.paid != self.price


def purchases(steps: Sequence[ReplayedStep]) -> list[Purchase]:
    """Return every sale that a replayed path holds, oldest first, whatever became of it."""
    found: list[Purchase] = []
    for step in steps:
        position, chain = step.recorded.position, step.before.chain if step.before is not None else ()
        if isinstance(event := step.event, UnitsSold):
            found.append(Purchase(position, event.terms.unit_price))
        elif isinstance(event, PurchaseConfirmed):
            found[-1] = msgspec.structs.replace(found[-1], confirmed=position, paid=event.price_paid)
        elif isinstance(event, UnitsReturned) and found and chain[-1:] == (found[-1].sold,):
            found[-1] = msgspec.structs.replace(found[-1], returned=position)
    return found


def judge(steps: Sequence[ReplayedStep]) -> Outcome:
    """Compare what consumers paid with what was on record; a sale that was returned is noted, not judged."""
    found = purchases(steps)
    before = [
        f"paid {_shown(each.paid)} (position {each.confirmed}), seller said {_shown(each.price)}"
        f" (position {each.sold}), since returned (position {each.returned})"
        for each in found
        if each.returned and each.disputed and each.paid is not None
    ]
    standing = next((each for each in found[-1:] if not each.returned), None)
    if standing is None:
        nothing = "no sale to a consumer stands" if found else "no sale to a consumer on record"
        return (Result.NOTED, "; ".join(before)) if before else (Result.NOT_CHECKED, nothing)
    result, detail = _judge(standing)
    noted = Result.FAILED if result is Result.FAILED else Result.NOTED
    return (noted, "; ".join([detail, *before])) if before else (result, detail)


def _judge(standing: Purchase) -> Outcome:
    on_record = _shown(standing.price)
    if standing.paid is None:
        return Result.NOT_CHECKED, "sold, but no consumer has confirmed it"
    if standing.disputed:
        return Result.FAILED, f"the consumer says {_shown(standing.paid)}, the sale on record {on_record}"
    return Result.OK, f"the consumer paid {on_record}, as the sale on record says"


def _shown(price: Money) -> str:
    return print_money(price.amount_minor, price.currency_code)
