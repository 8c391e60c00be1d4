"""The naive model of authority: who may sell what at a time, by a look at every authorization."""

import dataclasses

from pathbook.ledger.values import AuthorizationStatus, PartyKind


@dataclasses.dataclass
class Grant:
    """An authorization. No products means whatever the upline may sell."""

    upline: str
    party: str
    tier: int
    products: frozenset[str]
    since: int
    until: int | None
    revoked: int | None = None

    def in_force(self, at: int) -> bool:
        """Tell whether the authorization holds at a time."""
        ends = [end for end in (self.until, self.revoked) if end is not None]
        return self.since <= at and all(at < end for end in ends)


def consumer(owner: str) -> bool:
    """Tell whether an owner is a consumer."""
    return owner.startswith("consumer:")


class Authority:
    """The parties of a book, the brands of its products, and its authorizations by position."""

    def __init__(self) -> None:
        """Begin with an empty book."""
        self.kinds: dict[str, PartyKind] = {}
        self.brands: dict[str, str] = {}
        self.grants: dict[int, Grant] = {}

    def authorized(
        self, name: str, product: str, at: int | None, below: frozenset[str] = frozenset()
    ) -> bool:
        """Tell whether a party may sell a product at a time, or at any time if that is None."""
        if self.kinds[name] is PartyKind.BRAND:
            return self.brands[product] == name
        return any(
            grant.party == name and self.backed(grant, product, at, below) for grant in self.grants.values()
        )

    def backed(self, grant: Grant, product: str, at: int | None, below: frozenset[str] = frozenset()) -> bool:
        """Tell whether an authorization holds, covers a product, and its upline may sell that product itself."""
        covers = not grant.products or product in grant.products
        below |= {grant.party}
        return (
            covers
            and (at is None or grant.in_force(at))
            and grant.upline not in below
            and self.authorized(grant.upline, product, at, below)
        )

    def held(self, name: str) -> list[Grant]:
        """Return the authorizations of a party, newest first."""
        return [
            self.grants[place]
            for place in sorted(self.grants, reverse=True)
            if self.grants[place].party == name
        ]

    def status(self, name: str, product: str, at: int) -> tuple[AuthorizationStatus | None, int | None]:
        """Return the authorization status and the tier of a party for a product at a time."""
        if consumer(name):
            return None, None
        if self.kinds[name] is PartyKind.BRAND:
            own = self.brands[product] == name
            return (AuthorizationStatus.AUTHORIZED if own else AuthorizationStatus.OTHER_PRODUCTS), 0
        held = self.held(name)
        for grant in held:
            if self.backed(grant, product, at):
                return AuthorizationStatus.AUTHORIZED, grant.tier
        for grant in held:
            if self.backed(grant, product, None):
                return self.why_not(grant, at), grant.tier
        if held:
            return AuthorizationStatus.OTHER_PRODUCTS, held[0].tier
        return AuthorizationStatus.NEVER_AUTHORIZED, None

    def why_not(self, grant: Grant, at: int) -> AuthorizationStatus:
        """Return why an authorization for a product does not authorize at a time."""
        if grant.in_force(at):
            return AuthorizationStatus.UPLINE_NOT_AUTHORIZED
        if grant.revoked is not None and at >= grant.revoked:
            return AuthorizationStatus.REVOKED
        if grant.until is not None and at >= grant.until:
            return AuthorizationStatus.EXPIRED
        return AuthorizationStatus.NOT_YET_AUTHORIZED

    def may_pass_on(self, upline: str, tier: int, products: frozenset[str], at: int) -> bool:
        """Tell whether an upline may pass on products, or some product if none is named, at a tier below its own."""
        if self.kinds[upline] is PartyKind.BRAND:
            return all(self.brands[product] == upline for product in products)
        if products:
            found = [self.status(upline, product, at) for product in products]
            return all(s is AuthorizationStatus.AUTHORIZED and t is not None and t < tier for s, t in found)
        tiers = [
            grant.tier
            for grant in self.held(upline)
            if any(self.backed(grant, product, at) for product in self.brands)
        ]
        return bool(tiers) and max(tiers) < tier

    def outlives(self, upline: str, until: int | None, products: frozenset[str], at: int) -> bool:
        """Tell whether an authorization would end later than the upline's own for one of the products."""
        if self.kinds[upline] is PartyKind.BRAND:
            return False
        ends: list[list[int | None]] = []
        for goods in [frozenset({product}) for product in products] or [frozenset(self.brands)]:
            backing = [g for g in self.held(upline) if any(self.backed(g, product, at) for product in goods)]
            ends.append(
                [min((e for e in (g.until, g.revoked) if e is not None), default=None) for g in backing]
            )
        return any(
            None not in own and (until is None or until > max(end for end in own if end is not None))
            for own in ends
        )
