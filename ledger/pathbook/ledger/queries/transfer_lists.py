"""Lists of transfers: those of a party, its offers, and those under a reference. Each page takes bounded work.

The views return transfers in the order of an index. A condition that has no index is checked on each transfer, or on
its event. So a page ends when it is full, and also when it has examined as much as one page may.
"""

from collections.abc import Callable, Iterator
from typing import TypeAlias, TypeVar

import msgspec

from pathbook.ledger.projections.transfers import TransferRow
from pathbook.ledger.queries.answers import Listed, Transfer
from pathbook.ledger.queries.transfers import with_units
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.snapshot import TransferScan, ViewSnapshot
from pathbook.ledger.values import MAX_TIER, TransferKind, TransferSide, TransferStatus, is_consumer, is_owner

EXAMINED_TRANSFERS_MAX = 5_000
"""How many transfers a page examines at most, which takes some 20 ms. Then it ends, even if it holds none."""

EXAMINED_EVENTS_MAX = 1_000
"""How many of them a page reads from the log at most, to look at their units, which takes some 20 ms, too."""

EXAMINED_RANGES_MAX = 20_000
"""How many ranges the transfers of a page have together, beside those of its last one. Then it ends. With the names and
notes of 1,000 transfers a page has some 2 MB at most, and messages may have 4."""

ROWS_AT_ONCE = 500
"""How many transfers one statement reads from the views."""

EVENTS_AT_ONCE = 50
"""How many transfers get their units at once. An event has up to 64 KB, so these are some megabytes at most."""

_LAST = 2**63 - 1

PartyPlace: TypeAlias = tuple[int, int]
"""A place among the transfers of a party: after this position and line."""

ReferencePlace: TypeAlias = tuple[str, str, int, int]
"""A place under a reference: after this giver, receiver, position and line."""

FIRST_REFERENCE: ReferencePlace = ("", "", 0, 0)
"""The beginning of what is under a reference."""

_Place = TypeVar("_Place")


class SeenBy(msgspec.Struct, frozen=True):
    """Whose list it is: it has only transfers of which the party is a side, and for a brand those of its products.

    So a page, and the token after it, are those of a book that has nothing else. Only a page that examined as much as
    it may, and is not full, tells that there is more.
    """

    party: str
    is_brand: bool


class TransferFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which transfers of a party are listed. None, 0 and "" mean all.

    Times are in microseconds since 1970 UTC, and the end of an interval is not in it. ``receiver_tier`` is met if the
    receiver had that tier for one of the units' products, among those of ``batch`` and ``gtin``.
    """

    party: str
    side: TransferSide | None = None
    status: TransferStatus | None = None
    counterparty: str = ""
    kind: TransferKind | None = None
    reference: str = ""
    batch: int = 0
    gtin: str = ""
    receiver_tier: int | None = None
    occurred_from: int = 0
    occurred_before: int = _LAST
    recorded_from: int = 0
    recorded_before: int = _LAST
    seen_by: SeenBy | None = None


class OfferFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which offers of a party are listed: those with a status, or the open ones, or all of them."""

    party: str
    side: TransferSide | None = None
    status: TransferStatus | None = None
    include_ended: bool = False
    seen_by: SeenBy | None = None


def transfers(
    views: ViewSnapshot, stream: Stream, wanted: TransferFilter, after: PartyPlace | None, limit: int
) -> Listed[Transfer, PartyPlace] | Refusal:
    """Return transfers of a party or consumer after a place, newest first."""
    if (refusal := _refuse(views, wanted)) is not None:
        # what a caller may not see is not there, and neither is what it asks for of that
        is_asked = refusal.reason is Reason.PARTY_UNKNOWN and not _is_known(views, wanted.party)
        is_hidden = refusal.reason in (Reason.PARTY_UNKNOWN, Reason.BATCH_UNKNOWN) and not is_asked
        return Listed([], None) if wanted.seen_by is not None and is_hidden else refusal
    first = _first_recorded(views, wanted.recorded_from) if wanted.recorded_from else 0
    place = after or (_LAST, 0)
    if wanted.recorded_before != _LAST:
        place = min(place, (_first_recorded(views, wanted.recorded_before), 0))
    scan = TransferScan(newest_first=True, bound=first, side=wanted.side, status=_indexed(wanted.status))
    of_batches, seen = _Batches(views, wanted), _Seen(views, wanted.seen_by, wanted.party)

    def read(place: PartyPlace, count: int) -> list[TransferRow]:
        return views.transfers(wanted.party, scan, place, count)

    is_wanted = seen.and_row(_row_test(wanted))
    test = seen.and_units(of_batches.test)
    return _page(views.book, stream, read, _position_and_line, is_wanted, test, place, limit)


def offers(
    views: ViewSnapshot, stream: Stream, wanted: OfferFilter, after: PartyPlace | None, limit: int
) -> Listed[Transfer, PartyPlace] | Refusal:
    """Return offers to a party, or by it, after a place, oldest first."""
    if is_consumer(wanted.party) or not _is_known(views, wanted.party):
        return refuse(Reason.PARTY_UNKNOWN, party=wanted.party)
    status = wanted.status or (None if wanted.include_ended else TransferStatus.OFFERED)
    scan = TransferScan(newest_first=False, bound=_LAST, side=wanted.side, status=_indexed(status))

    def read(place: PartyPlace, count: int) -> list[TransferRow]:
        return views.transfers(wanted.party, scan, place, count)

    def is_wanted(row: TransferRow) -> bool:
        # what was recorded in one step is answered where it began
        is_offer = row.kind == TransferKind.TRANSFER and row.answered_position != row.transfer
        return is_offer and status in (None, row.status)

    seen = _Seen(views, wanted.seen_by, wanted.party)
    return _page(
        views.book,
        stream,
        read,
        _position_and_line,
        seen.and_row(is_wanted),
        seen.and_units(None),
        after or (0, 0),
        limit,
    )


def transfers_by_reference(
    views: ViewSnapshot,
    stream: Stream,
    reference: str,
    giver: str,
    receiver: str,
    after: ReferencePlace,
    limit: int,
    seen_by: SeenBy | None,
) -> Listed[Transfer, ReferencePlace] | Refusal:
    """Return transfers under a reference after a place, of a giver and to a receiver, or of all ("")."""
    for side in (giver, receiver):
        if side and not _is_known(views, side):
            return Listed([], None) if seen_by else refuse(Reason.PARTY_UNKNOWN, party=side)

    def read(place: ReferencePlace, count: int) -> list[TransferRow]:
        return views.transfers_by_reference(reference, giver, place, count)

    def place_of(row: TransferRow) -> ReferencePlace:
        return row.giver, row.receiver, row.transfer, row.line

    def is_wanted(row: TransferRow) -> bool:
        return receiver in ("", row.receiver)

    seen = _Seen(views, seen_by)
    is_row = seen.and_row(is_wanted if receiver else None)
    return _page(views.book, stream, read, place_of, is_row, seen.and_units(None), after, limit)


_RowTest: TypeAlias = Callable[[TransferRow], bool]
_UnitTest: TypeAlias = Callable[[list[Transfer]], Iterator[bool]]


class _Seen:
    """The condition that a caller may see a transfer. Without a caller, and for its own transfers, there is none."""

    def __init__(self, views: ViewSnapshot, seen_by: SeenBy | None, party: str = "") -> None:
        is_own = seen_by is not None and seen_by.party == party
        self._views, self._by = views, None if is_own else seen_by
        self._is_its: dict[int, bool] = {}

    def and_row(self, is_wanted: _RowTest | None) -> _RowTest | None:
        """Return a condition on rows together with that of the caller. A brand may see any row, by its units."""
        by = self._by
        if by is None or by.is_brand:
            return is_wanted
        return lambda row: by.party in (row.giver, row.receiver) and (is_wanted is None or is_wanted(row))

    def and_units(self, test: _UnitTest | None) -> _UnitTest | None:
        """Return a condition on units together with that of the caller."""
        if self._by is None or not self._by.is_brand:
            return test
        if test is None:
            return self._test
        return lambda found: (a and b for a, b in zip(test(found), self._test(found), strict=True))

    def _test(self, found: list[Transfer]) -> Iterator[bool]:
        assert self._by is not None, "a caller is asked for"
        party = self._by.party
        for item in found:
            batches = {part.batch for part in (*item.ranges, *item.extra)}
            is_side = party in (item.row.giver, item.row.receiver)
            yield is_side or (bool(batches) and all(map(self._is_of_brand, batches)))

    def _is_of_brand(self, batch: int) -> bool:
        if (known := self._is_its.get(batch)) is None:
            row = self._views.batch(batch)
            known = self._is_its[batch] = (
                row is not None and self._by is not None and row.brand == self._by.party
            )
        return known


def _page(
    book: str,
    stream: Stream,
    read: Callable[[_Place, int], list[TransferRow]],
    place_of: Callable[[TransferRow], _Place],
    is_wanted: _RowTest | None,
    test: _UnitTest | None,
    after: _Place,
    limit: int,
) -> Listed[Transfer, _Place]:
    """Return the next page of transfers that meet a condition on their rows, and one on the units of many of them."""
    items: list[Transfer] = []
    rows_left, events_left, ranges_left = EXAMINED_TRANSFERS_MAX, EXAMINED_EVENTS_MAX, EXAMINED_RANGES_MAX
    while rows_left and events_left:
        # without conditions, one row more than the page holds tells whether another page follows
        enough = limit - len(items) + 1 if is_wanted is None and test is None else ROWS_AT_ONCE
        asked = min(enough, ROWS_AT_ONCE, rows_left, events_left if test is not None else rows_left)
        rows = read(after, asked)
        rows_left -= len(rows)
        kept = rows if is_wanted is None else list(filter(is_wanted, rows))
        events_left -= len(kept) if test is not None else 0
        for start in range(0, len(kept), EVENTS_AT_ONCE):
            found = with_units(book, stream, kept[start : start + EVENTS_AT_ONCE])
            tests = test(found) if test is not None else iter([True] * len(found))
            for number, (item, passes) in enumerate(zip(found, tests, strict=True), start):
                if passes and len(items) == limit:
                    return Listed(items, after)
                ranges_left -= _ranges(item)
                after = place_of(item.row)
                if passes:
                    items.append(item)
                if ranges_left <= 0 and (number + 1 < len(kept) or len(rows) == asked):
                    return Listed(items, after)
        if len(rows) < asked:
            return Listed(items, None)
        after = place_of(rows[-1])
    return Listed(items, after)


def _row_test(wanted: TransferFilter) -> _RowTest | None:
    """Return the condition on the row of a transfer, or None if each row of the party meets it."""
    if wanted == TransferFilter(
        party=wanted.party,
        side=wanted.side,
        status=_indexed(wanted.status),
        batch=wanted.batch,
        gtin=wanted.gtin,
        receiver_tier=wanted.receiver_tier,
        seen_by=wanted.seen_by,
    ):
        return None

    def is_wanted(row: TransferRow) -> bool:
        other = row.receiver if row.giver == wanted.party else row.giver
        return (
            wanted.occurred_from <= row.occurred_at < wanted.occurred_before
            and wanted.recorded_from <= row.recorded_at < wanted.recorded_before
            and wanted.status in (None, row.status)
            and wanted.kind in (None, row.kind)
            and wanted.counterparty in ("", other)
            and wanted.reference in ("", row.reference)
        )

    return is_wanted


class _Batches:
    """The condition on the batches of transfers: on their numbers, on their product, and on tiers for them."""

    def __init__(self, views: ViewSnapshot, wanted: TransferFilter) -> None:
        self._views, self._wanted = views, wanted
        self._of_product: dict[int, bool] = {}
        has_condition = wanted.batch or wanted.gtin or wanted.receiver_tier is not None
        self.test = self._test if has_condition else None

    def _test(self, found: list[Transfer]) -> Iterator[bool]:
        batches = [{part.batch for terms in item.terms for part in terms.ranges} for item in found]
        self._look_up(set().union(*batches))
        return (self._meets(item, numbers) for item, numbers in zip(found, batches, strict=True))

    def _meets(self, item: Transfer, batches: set[int]) -> bool:
        wanted, tier = self._wanted, self._wanted.receiver_tier
        if wanted.batch:
            batches = batches.intersection([wanted.batch])
        if wanted.gtin:
            batches = {batch for batch in batches if self._of_product[batch]}
        if tier is None:
            return bool(batches)
        return any(
            terms.authority(part.batch).receiver_tier == tier
            for terms in item.terms
            for part in terms.ranges
            if part.batch in batches
        )

    def _look_up(self, batches: set[int]) -> None:
        """Read which of these batches are of the product."""
        if not self._wanted.gtin or not (unknown := sorted(batches.difference(self._of_product))):
            return
        of_product = self._views.batches_of_product_among(self._wanted.gtin, unknown)
        self._of_product.update((batch, batch in of_product) for batch in unknown)


def _refuse(views: ViewSnapshot, wanted: TransferFilter) -> Refusal | None:
    """Refuse a filter that names what the book does not have, or a tier that no party has."""
    parties = [wanted.party, wanted.counterparty] if wanted.counterparty else [wanted.party]
    for party in parties:
        if not _is_known(views, party):
            return refuse(Reason.PARTY_UNKNOWN, party=party)
    if wanted.batch and views.batch(wanted.batch) is None:
        return refuse(Reason.BATCH_UNKNOWN, batch=wanted.batch)
    if wanted.gtin and views.product(wanted.gtin) is None:
        return refuse(Reason.PRODUCT_UNKNOWN, product=wanted.gtin)
    tier = wanted.receiver_tier
    if tier is not None and not 0 <= tier <= MAX_TIER:
        return refuse(Reason.TIER_OUT_OF_BOUNDS, tier=tier, limit=MAX_TIER)
    return None


def _is_known(views: ViewSnapshot, party: str) -> bool:
    return is_owner(party) and (is_consumer(party) or views.party(party) is not None)


def _first_recorded(views: ViewSnapshot, moment: int) -> int:
    """Return the first position from which on all transfers were recorded at a time or later.

    Times of recording never run backwards, so a binary search finds it.
    """
    first, beyond = 1, views.position + 1
    while first < beyond:
        middle = (first + beyond) // 2
        found = views.next_transfer(middle)
        if found is None or found[1] >= moment:
            beyond = middle
        else:
            first = found[0] + 1
    return first


def _position_and_line(row: TransferRow) -> PartyPlace:
    return row.transfer, row.line


def _indexed(status: TransferStatus | None) -> TransferStatus | None:
    return None if status is TransferStatus.ACCEPTED else status


def _ranges(item: Transfer) -> int:
    return len(item.ranges) + len(item.extra) + sum(len(part.ranges) for part in item.discrepancies)
