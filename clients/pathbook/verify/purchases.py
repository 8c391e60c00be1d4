"""The sales of a unit to consumers: the seller's price, the price that the consumer confirmed, and returns."""

from collections.abc import Sequence

import msgspec

from pathbook.ledger.events import ErrorDeclared, PurchaseConfirmed, UnitsReturned, UnitsSold
from pathbook.ledger.money import print_price
from pathbook.ledger.values import Price
from pathbook.verify.replay import ReplayedStep
from pathbook.verify.verdicts import Outcome, Result


class Purchase(msgspec.Struct, frozen=True):
    """One sale to a consumer: its seller, the positions of its events, and the prices of one unit.

    A position of 0 means that there is no such event. The times are those that the parties claim, in microseconds
    since 1970 UTC. A confirmation that was declared an error is none.
    """

    seller: str
    sold: int
    sold_at: int
    price: Price
    confirmed: int = 0
    confirmed_at: int = 0
    paid: Price | None = None
    returned: int = 0

    @property
    def disputed(self) -> bool:
        """Whether the consumer confirmed a price of another exact value than the seller recorded."""
        return self.paid is not None and not self.paid.is_worth(self.price)


def purchases(steps: Sequence[ReplayedStep]) -> list[Purchase]:
    """Return every sale of a replayed path, oldest first, including sales that were returned."""
    found: list[Purchase] = []
    for step in steps:
        position, moment = step.recorded.position, step.recorded.occurred_at
        hop = step.before.last_hop if step.before is not None else None
        if isinstance(event := step.event, UnitsSold):
            found.append(Purchase(event.terms.giver, position, moment, event.terms.unit_price))
        elif isinstance(event, PurchaseConfirmed):
            found[-1] = msgspec.structs.replace(
                found[-1], confirmed=position, confirmed_at=moment, paid=event.price_paid
            )
        elif isinstance(event, ErrorDeclared) and isinstance(event.declared, PurchaseConfirmed):
            found[-1] = msgspec.structs.replace(found[-1], confirmed=0, confirmed_at=0, paid=None)
        elif (
            isinstance(event, UnitsReturned) and found and hop is not None and hop.transfer == found[-1].sold
        ):
            found[-1] = msgspec.structs.replace(found[-1], returned=position)
    return found


def judge(steps: Sequence[ReplayedStep]) -> Outcome:
    """Compare the prices that consumers paid with the recorded prices. A returned sale is noted, not judged."""
    found = purchases(steps)
    returned = [
        f"paid {print_price(each.paid)} (position {each.confirmed}), seller said {print_price(each.price)}"
        f" (position {each.sold}), since returned (position {each.returned})"
        for each in found
        if each.returned and each.disputed and each.paid is not None
    ]
    in_force = next((each for each in found[-1:] if not each.returned), None)
    if in_force is None:
        nothing = "no sale to a consumer is in force" if found else "no sale to a consumer on record"
        return (Result.NOTED, "; ".join(returned)) if returned else (Result.NOT_CHECKED, nothing)
    result, detail = _judge(in_force)
    noted = Result.FAILED if result is Result.FAILED else Result.NOTED
    return (noted, "; ".join([detail, *returned])) if returned else (result, detail)


def _judge(in_force: Purchase) -> Outcome:
    on_record = print_price(in_force.price)
    if in_force.paid is None:
        return Result.NOT_CHECKED, "sold, but no consumer has confirmed it"
    if in_force.disputed:
        return (
            Result.FAILED,
            f"the consumer says {print_price(in_force.paid)}, the sale on record {on_record}",
        )
    return Result.OK, f"the consumer paid {on_record}, as the sale on record says"
