"""Parties and their authorizations: registering, correcting, authorizing, revoking, and the status at a time."""

from typing import Final

from msgspec.structs import replace

from pathbook.ledger.commands import AuthorizeParty, CorrectParty, RegisterParty, RevokeAuthorization
from pathbook.ledger.events import AuthorizationRevoked, PartyAuthorized, PartyCorrected, PartyRegistered
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.rules.answerable import refuse_other
from pathbook.ledger.rules.budget import AUTHORIZATIONS, RANGES
from pathbook.ledger.rules.state import Authorization, Party, State
from pathbook.ledger.rules.text import refuse_text
from pathbook.ledger.rules.times import utc
from pathbook.ledger.terms import Authority
from pathbook.ledger.values import (
    MAX_PRODUCTS,
    MAX_TIER,
    AuthorizationStatus,
    PartyKind,
    Ranges,
    gtin14,
    is_consumer,
    is_identifier,
    looks_personal,
)

# looked up once, because the lookup of an enum member takes longer than its use
_AUTHORIZED: Final = AuthorizationStatus.AUTHORIZED
_BRAND: Final = PartyKind.BRAND


def register(state: State, command: RegisterParty) -> PartyRegistered | Refusal:
    """Register a party under an id that the caller chooses."""
    if not is_identifier(command.party):
        return refuse(Reason.PARTY_MALFORMED, party=command.party)
    if looks_personal(command.party):
        return refuse(Reason.PARTY_LOOKS_PERSONAL, party=command.party)
    if command.kind is None:
        return refuse(Reason.PARTY_KIND_MISSING, party=command.party)
    if (known := state.parties.get(command.party)) is not None:
        return refuse(Reason.PARTY_EXISTS, party=command.party, position=known.position)
    return PartyRegistered(command.party, command.kind)


def authorize(state: State, command: AuthorizeParty, now: int) -> PartyAuthorized | Refusal:
    """Authorize a party at a tier below its upline, for what the upline may sell itself, and for no longer."""
    upline, party = state.parties.get(command.upline), state.parties.get(command.party)
    valid_from, deepest = command.valid_from or now, state.policy.max_tier or MAX_TIER
    if upline is None:
        return refuse(Reason.PARTY_UNKNOWN, party=command.upline)
    if party is None:
        return refuse(Reason.PARTY_UNKNOWN, party=command.party)
    if command.upline == command.party:
        return refuse(Reason.SELF_AUTHORIZATION, party=command.party)
    if party.kind is PartyKind.BRAND:
        return refuse(Reason.BRAND_NEEDS_NO_AUTHORIZATION, party=command.party)
    if not 1 <= command.tier <= deepest:
        return refuse(Reason.TIER_OUT_OF_BOUNDS, tier=command.tier, limit=deepest)
    if len(command.products) > MAX_PRODUCTS:
        return refuse(Reason.TOO_MANY_PRODUCTS, count=len(command.products), limit=MAX_PRODUCTS)
    state.budget.spend(len(command.products), AUTHORIZATIONS)
    products = []
    for gtin in command.products:
        product = gtin14(gtin)
        if product is None:
            return refuse(Reason.GTIN_CHECK_DIGIT, gtin=gtin)
        if state.products.get(product) is None:
            return refuse(Reason.PRODUCT_UNKNOWN, product=product)
        products.append(product)
    if (refusal := refuse_text("region", command.region)) is not None:
        return refusal
    if command.valid_until is not None and command.valid_until <= valid_from:
        ends = utc(command.valid_until)
        return refuse(Reason.VALIDITY_REVERSED, valid_from=utc(valid_from), valid_until=ends)
    for moment in (valid_from, now):  # an upline that was revoked since cannot authorize for the time before
        upline_tier = _tier_to_pass_on(state, command.upline, products, moment)
        if upline_tier is None:
            return refuse(Reason.UPLINE_NOT_AUTHORIZED, upline=command.upline, party=command.party)
        if command.tier <= upline_tier:
            return refuse(
                Reason.TIER_NOT_BELOW_UPLINE,
                tier=command.tier,
                upline=command.upline,
                upline_tier=upline_tier,
            )
    if (refusal := _refuse_outliving(state, command, products, valid_from)) is not None:
        return refusal
    return PartyAuthorized(
        upline=command.upline,
        party=command.party,
        tier=command.tier,
        products=tuple(sorted(set(products))),
        region=command.region,
        valid_from=valid_from,
        valid_until=command.valid_until,
    )


def revoke(state: State, command: RevokeAuthorization, now: int) -> AuthorizationRevoked | Refusal:
    """Revoke an authorization, as the upline that gave it."""
    holder = state.authorizations.get(command.authorization)
    party = state.parties.get(holder) if holder is not None else None
    if holder is None or party is None:
        return refuse(Reason.AUTHORIZATION_UNKNOWN, authorization=command.authorization)
    given = party.authorizations[command.authorization]
    if given.upline != command.upline:
        return refuse(
            Reason.NOT_THE_UPLINE,
            authorization=command.authorization,
            upline=given.upline,
            party=command.upline,
        )
    if (refusal := refuse_other(command, state.leaves.get(command.authorization, b""))) is not None:
        return refusal
    if given.revoked_from is not None:
        since = utc(given.revoked_from)
        return refuse(
            Reason.AUTHORIZATION_ALREADY_REVOKED, authorization=command.authorization, revoked_from=since
        )
    revoked_from = command.revoked_from or max(now, given.valid_from)
    until = given.valid_until
    if revoked_from < given.valid_from or (until is not None and revoked_from >= until):
        return refuse(
            Reason.REVOKED_OUTSIDE_VALIDITY,
            authorization=command.authorization,
            valid_from=utc(given.valid_from),
            valid_until="any time" if until is None else utc(until),
            revoked_from=utc(revoked_from),
        )
    return AuthorizationRevoked(command.authorization, given.upline, holder, revoked_from)


def correct_party(state: State, command: CorrectParty) -> PartyCorrected | Refusal:
    """Correct the kind of a party. Whether it is a brand is fixed, because products and tiers rest on it."""
    party = state.parties.get(command.party)
    if party is None:
        return refuse(Reason.PARTY_UNKNOWN, party=command.party)
    if command.kind is None:
        return refuse(Reason.PARTY_KIND_MISSING, party=command.party)
    if (party.kind is PartyKind.BRAND) is not (command.kind is PartyKind.BRAND):
        return refuse(Reason.BRAND_IS_FIXED, party=command.party)
    if party.kind is command.kind:
        return refuse(Reason.NOTHING_TO_CORRECT, what=f"party {command.party}")
    return PartyCorrected(command.party, command.kind)


def _tier_to_pass_on(state: State, name: str, products: list[str], moment: int) -> int | None:
    """Return the tier at which an upline may pass on all these products, or None if it may not.

    An empty list means what the upline may sell itself. A brand may pass on its own products, at tier 0.
    """
    upline = state.parties[name]
    assert upline is not None, name
    if upline.kind is _BRAND:
        return 0 if all(_brand(state, product) == name for product in products) else None
    if not products:
        tiers = [
            given.tier
            for given in covering(state, upline, "")
            if in_force(given, moment) and _passes_on_anything(state, given, moment, {name})
        ]
        return max(tiers, default=None)
    tiers = []
    for product in products:
        status, tier = authorization_status(state, name, product, _brand(state, product), moment)
        if status is not _AUTHORIZED or tier is None:
            return None
        tiers.append(tier)
    return max(tiers)


def covering(state: State, party: Party, product: str) -> list[Authorization]:
    """Return the authorizations of a party that cover a product, or all of them for "", newest first."""
    found = party.covering(product) if product else list(reversed(party.authorizations.values()))
    state.budget.spend(1 + len(found), AUTHORIZATIONS)
    return found


def _passes_on_anything(state: State, given: Authorization, moment: int, visited: set[str]) -> bool:
    """Tell whether the line above an authorization leads to a brand at a time, for at least one product."""
    state.budget.spend(1 + len(given.products) * (1 + len(visited)), AUTHORIZATIONS)
    if given.products:
        return any(
            _is_backed(state, given, p, _brand(state, p), moment, set(visited)) for p in given.products
        )
    upline = state.parties[given.upline]
    assert upline is not None, given
    if upline.kind is _BRAND:
        return True
    if given.upline in visited:
        return False
    visited.add(given.upline)
    return any(
        in_force(above, moment) and _passes_on_anything(state, above, moment, visited)
        for above in covering(state, upline, "")
    )


def _brand(state: State, product: str) -> str:
    known = state.products[product]
    assert known is not None, product
    return known.registered.brand


def _refuse_outliving(
    state: State, command: AuthorizeParty, products: list[str], valid_from: int
) -> Refusal | None:
    """Refuse an authorization that would end later than all that its upline has for one of the products.

    An empty list of products means any of those that the upline may sell. The upline may pass on the products.
    """
    upline, until = state.parties[command.upline], command.valid_until
    assert upline is not None, command
    if upline.kind is _BRAND:
        return None
    for product in products or [""]:
        ends = [
            end_of(given)
            for given in covering(state, upline, product)
            if in_force(given, valid_from) and _passes_on(state, command.upline, given, product, valid_from)
        ]
        limits = [end for end in ends if end is not None]
        if len(limits) < len(ends) or (until is not None and until <= max(limits)):
            continue
        wanted = "no end" if until is None else utc(until)
        ends_at = utc(max(limits))
        return refuse(
            Reason.VALIDITY_BEYOND_UPLINE, valid_until=wanted, upline=command.upline, upline_until=ends_at
        )
    return None


def _passes_on(state: State, name: str, given: Authorization, product: str, moment: int) -> bool:
    """Tell whether the line above an authorization of a party covers a product, or any product if it is ""."""
    if product:
        return _is_backed(state, given, product, _brand(state, product), moment, {name})
    return _passes_on_anything(state, given, moment, {name})


def end_of(given: Authorization) -> int | None:
    """Return when an authorization ends, or None if it has no end."""
    return min((end for end in (given.valid_until, given.revoked_from) if end is not None), default=None)


def in_force(given: Authorization, moment: int) -> bool:
    """Tell whether an authorization is in force at a time, whatever the line above it is."""
    until, revoked = given.valid_until, given.revoked_from
    return (
        given.valid_from <= moment
        and (until is None or moment < until)
        and (revoked is None or moment < revoked)
    )


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
    for given in covering(state, party, product):
        if in_force(given, moment) and _is_backed(state, given, product, brand, moment, visited):
            return _AUTHORIZED, given.tier
    return _why_not(state, name, party, product, brand, moment)


def _is_backed(
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
    return any(
        (moment is None or in_force(above, moment))
        and _is_backed(state, above, product, brand, moment, visited)
        for above in covering(state, upline, product)
    )


def _why_not(
    state: State, name: str, party: Party, product: str, brand: str, moment: int
) -> tuple[AuthorizationStatus, int | None]:
    """Return why a party is not authorized for a product, and the tier that it was last given."""
    visited = {name}
    for given in covering(state, party, product):
        if _is_backed(state, given, product, brand, None, visited):
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
