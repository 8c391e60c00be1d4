"""Who may sell a unit now. A copied label is found only by asking whether its unit was sold before."""

import datetime
from collections.abc import Sequence
from typing import Final

from pathbook.ledger.events import TransferOffered
from pathbook.ledger.hops import chain
from pathbook.ledger.values import WRITTEN_OFF, UnitState, is_consumer
from pathbook.verify.purchases import Purchase, purchases
from pathbook.verify.replay import ReplayedStep
from pathbook.verify.verdicts import Outcome, Policy, Result

_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def judge(steps: Sequence[ReplayedStep], policy: Policy) -> Outcome:
    """Tell whether the unit was sold, and compare its owner with the seller that the caller names.

    The caller may require that the unit is unsold, or that a party owns it. Without that, a sale is noted, because
    only the caller knows whether it is the buyer.
    """
    end = steps[-1].after
    sale = purchases(steps)[-1] if is_consumer(end.owner) else None
    violations = []
    if policy.unsold and sale is not None:
        violations.append(f"{_sold(sale, policy)}, but you asked for an unsold unit")
    if policy.seller and (problem := _not_the_seller(policy, steps, sale)):
        violations.append(problem)
    if violations:
        return Result.FAILED, "; ".join(violations)
    if sale is not None:
        return Result.NOTED, f"{_sold(sale, policy)}; if you are not that buyer, beware"
    if end.state in WRITTEN_OFF:
        return Result.NOTED, f"not sold, but {_written_off(end.state)}"
    for step in steps if end.state is UnitState.OFFERED else ():
        # the offer need not be the last step, because a receiver may report an earlier transfer meanwhile
        if isinstance(offer := step.event, TransferOffered) and step.recorded.position == end.transfer:
            offered = (
                f"{end.owner} owns it, and offered it to {offer.terms.receiver} at position {end.transfer}"
            )
            return Result.NOTED, f"not sold; {offered}"
    return Result.OK, f"not sold; {end.owner} owns it"


def _not_the_seller(policy: Policy, steps: Sequence[ReplayedStep], sale: Purchase | None) -> str:
    """Return why a party cannot sell the unit now, or an empty text if it can."""
    party, end = policy.seller, steps[-1].after
    if end.owner != party:
        if sale is not None:
            return f"{_sold(sale, policy)}, so {party} cannot sell it: {end.owner} owns it"
        return f"{end.owner} owns it, not {party}{_passed_on(policy, steps)}"
    return f"{party} cannot sell it: it is {_written_off(end.state)}" if end.state in WRITTEN_OFF else ""


def _passed_on(policy: Policy, steps: Sequence[ReplayedStep]) -> str:
    """Return when a party gave the unit away, which it did not get back since, or an empty text."""
    in_force = {hop.transfer for hop in chain(steps[-1].after.last_hop)}
    for step in reversed(steps):
        if step.transfer in in_force and step.movement.giver == policy.seller:
            day, position = _day(step.recorded.occurred_at, policy), step.recorded.position
            when = f"{day} (in {policy.zone_name}; position {position})"
            return f", which gave it to {step.movement.receiver} on {when}"
    return ""


def _sold(sale: Purchase, policy: Policy) -> str:
    """Return who sold the unit when, and when its consumer confirmed that."""
    confirmed = (
        f"and confirmed on {_day(sale.confirmed_at, policy)}" if sale.confirmed else "and not confirmed"
    )
    return f"sold on {_day(sale.sold_at, policy)} by {sale.seller} {confirmed} (days in {policy.zone_name})"


def _written_off(state: UnitState) -> str:
    return f"written off as {state.name.lower()}"


def _day(moment: int, policy: Policy) -> datetime.date:
    """Return the date of a time in microseconds since 1970, as the table of the path shows it."""
    return (_EPOCH + datetime.timedelta(microseconds=moment)).astimezone(policy.zone).date()
