"""Who is in the book, and who may sell what for whom."""

from ledger.commands import AuthorizeParty, RegisterParty, RevokeAuthorization
from ledger.events import AuthorizationRevoked, PartyAuthorized, PartyRegistered
from ledger.refusals import Reason, Refusal, refuse
from ledger.rules.moment import utc
from ledger.rules.state import Authorization, Party, State
from ledger.rules.text import refuse_long
from ledger.values import (
    MAX_PRODUCTS,
    MAX_TIER,
    PartyKind,
    Standing,
    gtin14,
    is_consumer,
    is_identifier,
)


def register(state: State, command: RegisterParty) -> PartyRegistered | Refusal:
    """Register a party under an id of the caller's choice."""
    if not is_identifier(command.party):
        return refuse(Reason.PARTY_MALFORMED, party=command.party)
    if command.kind is None:
        return refuse(Reason.PARTY_KIND_MISSING, party=command.party)
    if (known := state.parties.get(command.party)) is not None:
        return refuse(Reason.PARTY_EXISTS, party=command.party, position=known.position)
    return PartyRegistered(command.party, command.kind)


def authorize(state: State, command: AuthorizeParty, now: int) -> PartyAuthorized | Refusal:
    """Authorise a party below its upline, for no more than the upline may sell itself."""
    upline, party = state.parties.get(command.upline), state.parties.get(command.party)
    valid_from = command.valid_from or now
    if upline is None:
        return refuse(Reason.PARTY_UNKNOWN, party=command.upline)
    if party is None:
        return refuse(Reason.PARTY_UNKNOWN, party=command.party)
    if command.upline == command.party:
        return refuse(Reason.SELF_AUTHORIZATION, party=command.party)
    if party.kind is PartyKind.BRAND:
        return refuse(Reason.BRAND_NEEDS_NO_AUTHORIZATION, party=command.party)
    if not 1 <= command.tier <= MAX_TIER:
        return refuse(Reason.TIER_OUT_OF_BOUNDS, tier=command.tier, limit=MAX_TIER)
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
    if (refusal := refuse_long("region", command.region)) is not None:
        return refusal
    if command.valid_until is not None and command.valid_until <= valid_from:
        ends = utc(command.valid_until)
        return refuse(Reason.VALIDITY_REVERSED, valid_from=utc(valid_from), valid_until=ends)
    upline_tier = _tier_to_pass_on(upline, products, valid_from)
    if upline_tier is None:
        return refuse(Reason.UPLINE_NOT_AUTHORIZED, upline=command.upline, party=command.party)
    if command.tier <= upline_tier:
        return refuse(
            Reason.TIER_NOT_BELOW_UPLINE, tier=command.tier, upline=command.upline, upline_tier=upline_tier
        )
    return PartyAuthorized(
        command.upline,
        command.party,
        command.tier,
        tuple(sorted(set(products))),
        command.region,
        valid_from,
        command.valid_until,
    )


def revoke(state: State, command: RevokeAuthorization, now: int) -> AuthorizationRevoked | Refusal:
    """End an authorisation, as the upline that gave it."""
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


def _tier_to_pass_on(upline: Party, products: list[str], moment: int) -> int | None:
    """Return the tier at which an upline may pass on these products (none: every product), or None."""
    if upline.kind is PartyKind.BRAND:
        return 0
    holding = [given for given in upline.authorizations.values() if _in_force(given, moment)]
    if not products:
        return min((given.tier for given in holding if not given.products), default=None)
    covered = {product for given in holding for product in given.products}
    if any(not given.products for given in holding):
        covered.update(products)
    if not covered.issuperset(products):
        return None
    return min((given.tier for given in holding), default=None)


def _in_force(given: Authorization, moment: int) -> bool:
    until, revoked = given.valid_until, given.revoked_from
    return (
        given.valid_from <= moment
        and (until is None or moment < until)
        and (revoked is None or moment < revoked)
    )


def standing(state: State, name: str, products: set[str], moment: int) -> tuple[Standing | None, int | None]:
    """Return how a party stood for products at a time, and its tier where it was ever given one.

    A consumer has neither. Who was authorised for some of the products only stands for OTHER_PRODUCTS.
    """
    if is_consumer(name):
        return None, None
    party = state.parties[name]
    assert party is not None, name
    if party.kind is PartyKind.BRAND:
        return Standing.AUTHORIZED, 0
    given = list(reversed(party.authorizations.values()))
    if not given:
        return Standing.NEVER_AUTHORIZED, None
    for product in products:
        for one in given:
            if _in_force(one, moment) and (not one.products or product in one.products):
                break
        else:
            return _shortfall(given, product, moment), given[0].tier
    tiers = [one.tier for one in given if _in_force(one, moment)]
    return Standing.AUTHORIZED, tiers[0]


def _shortfall(given: list[Authorization], product: str, moment: int) -> Standing:
    """Say why none of a party's authorisations, newest first, held for a product at a time."""
    for one in given:
        if one.products and product not in one.products:
            continue
        if one.revoked_from is not None and moment >= one.revoked_from:
            return Standing.REVOKED
        if one.valid_until is not None and moment >= one.valid_until:
            return Standing.EXPIRED
        return Standing.NOT_YET_AUTHORIZED
    return Standing.OTHER_PRODUCTS
