"""The terms of a transfer: what two sides agreed on, and how both were authorized at that time."""

import msgspec

from pathbook.ledger.values import AuthorizationStatus, Delivery, Price, Ranges


class Authority(msgspec.Struct, frozen=True, gc=False):
    """The tiers and the authorization status of both sides of a transfer, for the products of some batches.

    They are those at that time. No ``batches`` means all batches of the transfer. A consumer has no tier and no
    status, which is None. A party that was never given a tier has none.
    """

    batches: tuple[int, ...]
    giver_tier: int | None
    receiver_tier: int | None
    giver_authorization: AuthorizationStatus
    receiver_authorization: AuthorizationStatus | None


class Terms(msgspec.Struct, frozen=True, gc=False):
    """The terms of a transfer: giver, receiver, units, price of one unit, and the authority of both sides.

    There is one authority for all batches, or several that differ. ``reference`` is the number of a document by which
    both sides know the transfer, or "". ``chosen_by_book`` says whether a quantity named units, so that the book
    chose which ones. ``extra_allowed`` is how many units beyond those offered the giver lets the receiver accept.
    """

    giver: str
    receiver: str
    ranges: Ranges
    unit_price: Price
    delivery: Delivery
    authorities: tuple[Authority, ...]
    reference: str
    chosen_by_book: bool = False
    extra_allowed: int = 0

    def authority(self, batch: int) -> Authority:
        """Return the authority of both sides for the product of a batch."""
        if len(self.authorities) == 1:
            return self.authorities[0]
        return next(item for item in self.authorities if batch in item.batches)

    def narrowed(self, ranges: Ranges) -> "Terms":
        """Return the same terms for some of the ranges."""
        if len(self.authorities) == 1:
            return msgspec.structs.replace(self, ranges=ranges)
        batches = {part.batch for part in ranges}
        kept = [item for item in self.authorities if batches.intersection(item.batches)]
        authorities = [
            msgspec.structs.replace(
                item, batches=tuple([n for n in item.batches if n in batches]) if len(kept) > 1 else ()
            )
            for item in kept
        ]
        return msgspec.structs.replace(self, ranges=ranges, authorities=tuple(authorities))
