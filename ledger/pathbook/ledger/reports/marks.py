"""Marks: what happened to the units of a batch, beside the hops in force, that a later event may contradict."""

import datetime
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from pathbook.ledger import events
from pathbook.ledger.events import Event, RecordedEvent
from pathbook.ledger.ranges import common, count_units, without
from pathbook.ledger.reports.agreed_hops import AgreedHop
from pathbook.ledger.run import Change
from pathbook.ledger.values import Price, Ranges, UnitRange, UnitState


class Stated(NamedTuple):
    """What a brand says of a batch: when it expires, and at which price consumers should get it."""

    expires_on: datetime.date | None
    suggested: Price


class Marked(NamedTuple):
    """Units first .. last, and the position of the event that marked them."""

    first: int
    last: int
    position: int


class Recalled(NamedTuple):
    """A recall: its position, its ranges, none for the whole batch, and the position that lifted it, or 0."""

    position: int
    ranges: Ranges
    lifted: int


Alike = tuple[str, str, int, str, int, int, int]
"""Giver, receiver, claimed time, price and number of units. Two hand-overs that agree in all of these may be one.

The price is a currency and a fraction in lowest terms. So 100 for 100 units is the price of 1 for one.
"""


class BatchMarks:
    """The marks of one batch. They only grow, so what they said before an event can be asked later.

    Attributes:
        stated: what the brand says now, and ``stated_before`` what it said before its last correction.
        reversed: the transfers and sales that were reversed.
        refused: by party, the units that it declined, or said were not in a delivery.
        resold: units that went back after a consumer had confirmed to have bought them.
        recalls: all recalls, oldest first.
    """

    __slots__ = (
        "_batch",
        "_handovers",
        "recalls",
        "refused",
        "resold",
        "reversed",
        "stated",
        "stated_before",
    )

    def __init__(self, commissioned: events.BatchCommissioned) -> None:
        self.stated = self.stated_before = Stated(commissioned.expires_on, commissioned.suggested_price)
        self.reversed: set[int] = set()
        self.refused: dict[str, list[Marked]] = {}
        self.resold: list[Marked] = []
        self.recalls: list[Recalled] = []
        self._handovers: dict[int, AgreedHop | list[AgreedHop]] = {}

    def refused_by(self, party: str, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Yield where a party refused any of these units, and how many of them."""
        return _overlapping(self.refused.get(party, []), first, last)

    def resold_of(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Yield where confirmed units among these went back, and how many."""
        return _overlapping(self.resold, first, last)

    def recalls_at(self, position: int) -> Iterator[Recalled]:
        """Yield the recalls that were recorded before a position, and not lifted before it."""
        for each in self.recalls:
            if each.position < position and not 0 < each.lifted < position:
                yield each

    def same_handovers(self, hop: AgreedHop) -> list[AgreedHop]:
        """Return a noted hand-over and all that agree with it, reversed ones among them, oldest first."""
        found = self._handovers[self._place(hop)]
        return found if isinstance(found, list) else [found]

    def hand_over(self, hop: AgreedHop) -> None:
        """Note a hand-over whose time was claimed."""
        place = self._place(hop)
        found = self._handovers.get(place)
        if found is None:
            self._handovers[place] = hop
        elif isinstance(found, list):
            found.append(hop)
        else:
            self._handovers[place] = [found, hop]

    def _place(self, hop: AgreedHop) -> int:
        """Return the place of all hand-overs that agree with one: the hash of what is alike, or the next free number.

        As a key, what is alike would take more memory than the hop.
        """
        alike = _alike(hop)
        place = hash(alike)
        while (found := self._handovers.get(place)) is not None:
            first = found[0] if isinstance(found, list) else found
            if first is hop or _alike(first) == alike:
                break
            place += 1
        return place

    def correct(self, stated: Stated) -> None:
        """Note a correction of the batch."""
        self.stated_before, self.stated = self.stated, stated

    def lift(self, recall: int, position: int) -> None:
        """Note that a recall was lifted."""
        self.recalls = [
            each._replace(lifted=position) if each.position == recall else each for each in self.recalls
        ]


def is_noted(event: Event) -> bool:
    """Tell whether `note` may find a mark in an event. The most frequent kinds leave none, but are agreed hops."""
    return not isinstance(event, (events.TransferRecorded, events.UnitsSold))


def note(marks: Callable[[int], BatchMarks | None], recorded: RecordedEvent, changes: list[Change]) -> None:
    """Note what an event marks, in the marks of each of its batches that has some."""
    event, position = recorded.event, recorded.position
    match event:
        case events.TransferAccepted(terms=terms, discrepancies=discrepancies):
            for item in discrepancies:
                _refuse(marks, terms.receiver, item.ranges, position)
        case events.TransferDeclined(receiver=receiver, ranges=ranges):
            _refuse(marks, receiver, ranges, position)
        case events.TransferReversed(transfer=transfer, terms=terms):
            for batch in counts(terms.ranges):
                if (of := marks(batch)) is not None:
                    of.reversed.add(transfer)
        case events.UnitsReturned():
            for change in changes:
                if change.before is not None and change.before.state is UnitState.CONFIRMED:
                    of = marks(change.batch)
                    assert of is not None, change
                    of.resold.append(Marked(change.changed.first, change.changed.last, position))
        case events.UnitsRecalled(batch=batch, ranges=ranges):
            if (of := marks(batch)) is not None:
                of.recalls.append(Recalled(position, ranges, 0))
        case events.RecallLifted(batch=batch, recall=recall):
            if (of := marks(batch)) is not None:
                of.lift(recall, position)
        case events.BatchCorrected(batch=batch, expires_on=expires_on, suggested_price=suggested):
            if (of := marks(batch)) is not None:
                of.correct(Stated(expires_on, suggested))
        case _:
            pass  # no other event leaves a mark


def counts(ranges: Ranges) -> Mapping[int, int]:
    """Return how many units of each batch are in ranges."""
    if len(ranges) == 1:  # as nearly always
        return {ranges[0].batch: ranges[0].count}
    found: Counter[int] = Counter()
    for part in ranges:
        found[part.batch] += part.count
    return found


def _refuse(marks: Callable[[int], BatchMarks | None], party: str, ranges: Ranges, position: int) -> None:
    for part in ranges:
        if (of := marks(part.batch)) is not None:
            of.refused.setdefault(party, []).append(Marked(part.first, part.last, position))


def _alike(hop: AgreedHop) -> Alike:
    price = hop.unit_price
    common_part = math.gcd(price.amount_minor, price.per_units)
    return (
        hop.giver,
        hop.receiver,
        hop.occurred_at,
        price.currency_code,
        price.amount_minor // common_part,
        price.per_units // common_part,
        hop.units,
    )


def _overlapping(marked: list[Marked], first: int, last: int) -> Iterator[tuple[int, int]]:
    """Yield the positions of marks, newest first, each with how many units it has of these.

    A unit that was marked several times counts for its newest mark. An error of an event is declared before its units
    are marked again, because nothing may be built upon it. So it finds the marks that the event had found.
    """
    left: Ranges = (UnitRange(0, first, last),)
    for each in reversed(marked):
        if not left:
            return
        own = (UnitRange(0, each.first, each.last),)
        if units := count_units(common(left, own)):
            yield each.position, units
            left = without(left, own)
