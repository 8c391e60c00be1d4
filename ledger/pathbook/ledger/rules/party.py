"""Parties and their authorizations: registering, authorizing, revoking, and the status at a time."""

from typing import Final

from pathbook.ledger.commands import AuthorizeParty, RegisterParty, RevokeAuthorization
from pathbook.ledger.events import AuthorizationRevoked, PartyAuthorized, PartyRegistered
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.rules.state import Authorization, Party, State
from pathbook.ledger.rules.text import refuse_text
from pathbook.ledger.rules.times import utc
from pathbook.ledger.values import (
    MAX_PRODUCTS,
    MAX_TIER,
    AuthorizationStatus,
    PartyKind,
    gtin14,
    is_consumer,
    is_identifier,
)

# looked up once, because the lookup of an enum member takes longer than its use
_AUTHORIZED: Final = AuthorizationStatus.AUTHORIZED
_BRAND: Final = PartyKind.BRAND


def register(state: State, command: RegisterParty) -> PartyRegistered | Refusal:
    """Register a party under an id that the caller chooses."""
    if not is_identifier(command.party):
        return refuse(Reason.PARTY_MALFORMED, party=command.party)
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
    if (refusal := _refuse_outliving(upline, command, valid_from)) is not None:
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
    if given.revoked_from is not None:
        since = utc(given.revoked_from)
        return refuse(
            Reason.AUTHORIZATION_ALREADY_REVOKED, authorization=command.authorization, revoked_from=since
        )
    return AuthorizationRevoked(command.authorization, given.upline, holder, command.revoked_from or now)


def _tier_to_pass_on(state: State, name: str, products: list[str], moment: int) -> int | None:
    """Return the tier at which an upline may pass on all these products, or None if it may not.

    An empty list means every product. A brand may pass on all of its own products, at tier 0.
    """
    upline = state.parties[name]
    assert upline is not None, name
    if upline.kind is PartyKind.BRAND:
        return 0 if all(_brand(state, product) == name for product in products) else None
    holding = [given for given in upline.authorizations.values() if _in_force(given, moment)]
    if not products:
        return min((given.tier for given in holding if not given.products), default=None)
    tiers = []
    for product in products:
        brand = _brand(state, product)
        covering = [given.tier for given in holding if _covers(state, given, product, brand)]
        if not covering:
            return None
        tiers.append(min(covering))
    return max(tiers)


def _brand(state: State, product: str) -> str:
    known = state.products[product]
    assert known is not None, product
    return known.registered.brand


def _refuse_outliving(upline: Party, command: AuthorizeParty, valid_from: int) -> Refusal | None:
    """Refuse an authorization that would end later than every authorization that its upline has."""
    holding = [given for given in upline.authorizations.values() if _in_force(given, valid_from)]
    ends = [given.valid_until for given in holding if given.valid_until is not None]
    if upline.kind is PartyKind.BRAND or len(ends) < len(holding):
        return None
    last, until = max(ends), command.valid_until
    if until is not None and until <= last:
        return None
    wanted = "no end" if until is None else utc(until)
    return refuse(
        Reason.VALIDITY_BEYOND_UPLINE, valid_until=wanted, upline=command.upline, upline_until=utc(last)
    )


def _in_force(given: Authorization, moment: int) -> bool:
    until, revoked = given.valid_until, given.revoked_from
    return (
        given.valid_from <= moment
        and (until is None or moment < until)
        and (revoked is None or moment < revoked)
    )


def authorization_status(
    state: State, name: str, products: dict[str, str], moment: int
) -> tuple[AuthorizationStatus | None, int | None]:
    """Return the authorization status and the tier of a party for products (each with its brand) at a time.

    A consumer has neither. A party that was never given a tier for one of the products has no tier. A brand is
    authorized for its own products, at tier 0. For the product of another brand its status is OTHER_PRODUCTS.
    """
    if is_consumer(name):
        return None, None
    party = state.parties[name]
    assert party is not None, name
    if party.kind is _BRAND:
        own = {name}.issuperset(products.values())
        return (_AUTHORIZED, 0) if own else (AuthorizationStatus.OTHER_PRODUCTS, None)
    deepest = 0
    for product, brand in products.items():
        status, tier = _status_for(state, party, product, brand, moment)
        if status is not _AUTHORIZED or tier is None:
            return status, tier
        deepest = max(deepest, tier)
    return _AUTHORIZED, deepest


def _status_for(
    state: State, party: Party, product: str, brand: str, moment: int
) -> tuple[AuthorizationStatus, int | None]:
    """Return the status and the tier of an agent or shop for one product. The latest authorization in force counts."""
    latest = None
    for given in reversed(party.authorizations.values()):
        if not _covers(state, given, product, brand):
            continue
        if _in_force(given, moment):
            return _AUTHORIZED, given.tier
        latest = latest or given
    if latest is not None:
        return _shortfall(latest, moment), latest.tier
    return (
        AuthorizationStatus.OTHER_PRODUCTS if party.authorizations else AuthorizationStatus.NEVER_AUTHORIZED
    ), None


def _covers(state: State, given: Authorization, product: str, brand: str) -> bool:
    """Tell whether an authorization is for a product: it lists the product, or it is for every product.

    An authorization for every product, if a brand gave it, is only for the products of that brand.
    """
    if given.products:
        return product in given.products
    upline = state.parties[given.upline]
    assert upline is not None, given
    return given.upline == brand or upline.kind is not _BRAND


def _shortfall(latest: Authorization, moment: int) -> AuthorizationStatus:
    """Return why the latest authorization for a product was not in force at a time."""
    if latest.revoked_from is not None and moment >= latest.revoked_from:
        return AuthorizationStatus.REVOKED
    if latest.valid_until is not None and moment >= latest.valid_until:
        return AuthorizationStatus.EXPIRED
    return AuthorizationStatus.NOT_YET_AUTHORIZED
