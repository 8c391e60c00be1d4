"""What authority a party has for goods at a time: it is authorized if the whole line above it is, up to the brand."""

from itertools import islice
from typing import Final

from msgspec.structs import replace

from pathbook.ledger.rules.budget import AUTHORIZATIONS, RANGES
from pathbook.ledger.rules.state import Authorization, Party, State
from pathbook.ledger.terms import Authority
from pathbook.ledger.values import AuthorizationStatus, PartyKind, Ranges, is_consumer

SIDES_KEPT_MAX: Final = 10_000
"""Of how many givers, receivers and batches the authority is kept. All transfers of an import may claim one time."""

# looked up once, because the lookup of an enum member takes longer than its use
_AUTHORIZED: Final = AuthorizationStatus.AUTHORIZED
_BRAND: Final = PartyKind.BRAND


def authorities_at(
    state: State, giver: str, receiver: str, ranges: Ranges, moment: int
) -> tuple[Authority, ...]:
    """Return the authority of both sides at a time, one for each group of batches for which it is the same."""
    first = ranges[0].batch
    if len(ranges) == 1 or all(part.batch == first for part in ranges):
        if state.authority_moment != moment:
            state.forget_authority(moment)
        found = state.authority_of_sides.get((giver, receiver, first))
        if found is None:
            if len(state.authority_of_sides) >= SIDES_KEPT_MAX:
                state.authority_of_sides.clear()
            authority = _authority(state, giver, receiver, first, moment)
            found = state.authority_of_sides[giver, receiver, first] = (authority,)
        return found
    state.budget.spend(len(ranges), RANGES)
    groups: dict[Authority, list[int]] = {}
    for number in dict.fromkeys([part.batch for part in ranges]):
        groups.setdefault(_authority(state, giver, receiver, number, moment), []).append(number)
    if len(groups) == 1:
        return tuple(groups)
    return tuple(replace(authority, batches=tuple(sorted(numbers))) for authority, numbers in groups.items())


def _authority(state: State, giver: str, receiver: str, number: int, moment: int) -> Authority:
    """Return the authority of both sides for the goods of a batch, without naming the batch."""
    batch = state.batches[number]
    assert batch is not None, number
    product, brand = batch.commissioned.product, batch.commissioned.brand
    giver_authorization, giver_tier = authorization_status(state, giver, product, brand, moment)
    receiver_authorization, receiver_tier = authorization_status(state, receiver, product, brand, moment)
    assert giver_authorization is not None, giver
    return Authority((), giver_tier, receiver_tier, giver_authorization, receiver_authorization)


def authorization_status(
    state: State, name: str, product: str, brand: str, moment: int
) -> tuple[AuthorizationStatus | None, int | None]:
    """Return the authorization status and the tier of a party for a product of a brand at a time.

    A party is authorized if the whole line above it, up to the brand, is authorized for the product at that time. A
    consumer has no status and no tier. A brand has tier 0, and is authorized for its own products. A party that is
    not authorized has the tier that it was last given, if any, for the product rather than for others.

    What is found is kept in the state for the same moment. The transfers of a group happen between few parties at one
    time, and without this a fifth of the time that recording takes went into walking up their lines again.
    """
    if state.authority_moment != moment:
        state.forget_authority(moment)
    key = (name, product, brand)
    found = state.authority.get(key)
    if found is None:
        found = state.authority[key] = _find_authority(state, name, product, brand, moment)
    return found


def _find_authority(
    state: State, name: str, product: str, brand: str, moment: int
) -> tuple[AuthorizationStatus | None, int | None]:
    if is_consumer(name):
        return None, None
    party = state.parties[name]
    assert party is not None, name
    if party.kind is _BRAND:
        return (_AUTHORIZED if name == brand else AuthorizationStatus.OTHER_PRODUCTS), 0
    visited = {name}
    for given in leading_to(state, party, product, brand):
        if in_force(given, moment) and is_backed(state, given, product, brand, moment, visited):
            return _AUTHORIZED, given.tier
    return _why_not(state, name, party, product, brand, moment)


def is_backed(
    state: State, given: Authorization, product: str, brand: str, moment: int | None, visited: set[str]
) -> bool:
    """Tell whether the line above an authorization of a product covers it, up to the brand.

    At the ``moment``, each authorization of that line is in force. None ignores the times. ``visited`` are the
    parties from which no line was found. A line is never longer than there are tiers.
    """
    if given.upline == brand:
        return True
    if given.upline in visited:
        return False
    visited.add(given.upline)
    upline = state.parties[given.upline]
    assert upline is not None, given
    for above in leading_to(state, upline, product, brand):
        if (moment is None or in_force(above, moment)) and is_backed(
            state, above, product, brand, moment, visited
        ):
            return True
    return False


def _why_not(
    state: State, name: str, party: Party, product: str, brand: str, moment: int
) -> tuple[AuthorizationStatus, int | None]:
    """Return why a party is not authorized for a product, and the tier that it was last given."""
    visited = {name}
    for given in leading_to(state, party, product, brand):
        if is_backed(state, given, product, brand, None, visited):
            if in_force(given, moment):
                return AuthorizationStatus.UPLINE_NOT_AUTHORIZED, given.tier
            return _shortfall(given, moment), given.tier
    last = next(reversed(party.authorizations.values()), None)
    if last is None:
        return AuthorizationStatus.NEVER_AUTHORIZED, None
    return AuthorizationStatus.OTHER_PRODUCTS, last.tier


def _shortfall(latest: Authorization, moment: int) -> AuthorizationStatus:
    """Return why the latest authorization for a product was not in force at a time."""
    if latest.revoked_from is not None and moment >= latest.revoked_from:
        return AuthorizationStatus.REVOKED
    if latest.valid_until is not None and moment >= latest.valid_until:
        return AuthorizationStatus.EXPIRED
    return AuthorizationStatus.NOT_YET_AUTHORIZED


def leading_to(state: State, party: Party, product: str, brand: str) -> list[Authorization]:
    """Return the authorizations of a party for a product whose line may lead to its brand, newest first.

    Those that another brand gave lead to that one. Who sells for hundreds of brands has few others, and each of its
    transfers asks. The budget counts what is returned, because the parties are sorted in once and not by each command.
    """
    if party.sorted_in < len(party.authorizations):
        _sort_in(state, party)
    by_line = party.by_line
    positions = [
        position
        for listed in (product, "")
        for source in (brand, "")
        for position in by_line.get((listed, source), ())
    ]
    state.budget.spend(1 + len(positions), AUTHORIZATIONS)
    return [party.authorizations[position] for position in sorted(positions, reverse=True)]


def _sort_in(state: State, party: Party) -> None:
    """Sort in the authorizations that were added. It stays fixed which parties are brands."""
    for given in islice(party.authorizations.values(), party.sorted_in, None):
        upline = state.parties[given.upline]
        assert upline is not None, given
        source = given.upline if upline.kind is _BRAND else ""
        for listed in given.products or ("",):
            party.by_line.setdefault((listed, source), []).append(given.position)
    party.sorted_in = len(party.authorizations)


def all_authorizations(state: State, party: Party) -> list[Authorization]:
    """Return the authorizations of a party, newest first."""
    state.budget.spend(1 + len(party.authorizations), AUTHORIZATIONS)
    return list(reversed(party.authorizations.values()))


def in_force(given: Authorization, moment: int) -> bool:
    """Tell whether an authorization is in force at a time, whatever the line above it is."""
    until, revoked = given.valid_until, given.revoked_from
    return (
        given.valid_from <= moment
        and (until is None or moment < until)
        and (revoked is None or moment < revoked)
    )


def end_of(given: Authorization) -> int | None:
    """Return when an authorization ends, or None if it has no end."""
    return min((end for end in (given.valid_until, given.revoked_from) if end is not None), default=None)
