"""The authority of a seller, for those whom it offers goods: for a product, at a time, and how long its line holds."""

import msgspec

from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.rules.authority import authorization_status, end_of, in_force, leading_to
from pathbook.ledger.rules.state import Authorization, State
from pathbook.ledger.values import AuthorizationStatus, PartyKind


class SellerAuthority(msgspec.Struct, frozen=True):
    """Whether a party is authorized for a product at a time, its tier, and from when until when its line holds.

    At all times from ``valid_from`` until before ``valid_until``, each authorization of one line up to the brand is in
    force: they are the latest begin and the earliest end of that line, in microseconds since 1970 UTC. None means that
    there is none, or that it has no end. Another line may hold longer.
    """

    status: AuthorizationStatus
    tier: int | None
    valid_from: int | None = None
    valid_until: int | None = None


def seller_authority(state: State, name: str, product: str, moment: int) -> SellerAuthority | Refusal:
    """Return the authority of a party for a product at a time."""
    known, party = state.products.get(product), state.parties.get(name)
    if known is None:
        return refuse(Reason.PRODUCT_UNKNOWN, product=product)
    if party is None:
        return refuse(Reason.PARTY_UNKNOWN, party=name)
    brand = known.registered.brand
    status, tier = authorization_status(state, name, product, brand, moment)
    assert status is not None, "a party is no consumer"
    if status is not AuthorizationStatus.AUTHORIZED or party.kind is PartyKind.BRAND:
        return SellerAuthority(status, tier)
    line = _line(state, name, product, brand, moment, set())
    assert line is not None, name
    ends = [end for given in line if (end := end_of(given)) is not None]
    return SellerAuthority(
        status, line[0].tier, max(given.valid_from for given in line), min(ends, default=None)
    )


def _line(
    state: State, name: str, product: str, brand: str, moment: int, visited: set[str]
) -> list[Authorization] | None:
    """Return the authorizations from a party up to the brand that are in force at a time, None if there is no line.

    Of several lines it is the one by which a transfer is found to be authorized. ``visited`` are the parties from which
    no line was found.
    """
    visited.add(name)
    party = state.parties[name]
    assert party is not None, name
    for given in leading_to(state, party, product, brand):
        if not in_force(given, moment):
            continue
        if given.upline == brand:
            return [given]
        if given.upline not in visited:
            above = _line(state, given.upline, product, brand, moment, visited)
            if above is not None:
                return [given, *above]
    return None
