"""Parties and their authorizations: registering, correcting, authorizing and revoking."""

from typing import Final

from pathbook.ledger.commands import AuthorizeParty, CorrectParty, RegisterParty, RevokeAuthorization
from pathbook.ledger.events import AuthorizationRevoked, PartyAuthorized, PartyCorrected, PartyRegistered
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.rules.answerable import refuse_other
from pathbook.ledger.rules.authority import (
    all_authorizations,
    authorization_status,
    end_of,
    in_force,
    is_backed,
    leading_to,
)
from pathbook.ledger.rules.budget import AUTHORIZATIONS
from pathbook.ledger.rules.state import Authorization, Party, State
from pathbook.ledger.rules.text import refuse_text
from pathbook.ledger.rules.times import utc
from pathbook.ledger.values import (
    MAX_PRODUCTS,
    MAX_TIER,
    AuthorizationStatus,
    PartyKind,
    gtin14,
    is_identifier,
    looks_personal,
)

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
            for given in all_authorizations(state, upline)
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


def _passes_on_anything(state: State, given: Authorization, moment: int, visited: set[str]) -> bool:
    """Tell whether the line above an authorization leads to a brand at a time, for at least one product."""
    state.budget.spend(1 + len(given.products) * (1 + len(visited)), AUTHORIZATIONS)
    if given.products:
        return any(is_backed(state, given, p, _brand(state, p), moment, set(visited)) for p in given.products)
    upline = state.parties[given.upline]
    assert upline is not None, given
    if upline.kind is _BRAND:
        return True
    if given.upline in visited:
        return False
    visited.add(given.upline)
    return any(
        in_force(above, moment) and _passes_on_anything(state, above, moment, visited)
        for above in all_authorizations(state, upline)
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
            for given in _covering(state, upline, product)
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


def _covering(state: State, party: Party, product: str) -> list[Authorization]:
    """Return the authorizations of a party that may pass on a product, or any product if it is "", newest first."""
    return (
        leading_to(state, party, product, _brand(state, product))
        if product
        else all_authorizations(state, party)
    )


def _passes_on(state: State, name: str, given: Authorization, product: str, moment: int) -> bool:
    """Tell whether the line above an authorization of a party covers a product, or any product if it is ""."""
    if product:
        return is_backed(state, given, product, _brand(state, product), moment, {name})
    return _passes_on_anything(state, given, moment, {name})
