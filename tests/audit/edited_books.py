"""What may be edited in a book. `python -m tests.audit.edited_books` prints what an auditor finds.

An attempt is accepted if the auditor finds no difference although it knows the checkpoint of the honest book.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from pathbook.audit.differences import UncheckableError
from pathbook.ledger import events
from pathbook.ledger.codec import decode
from pathbook.ledger.events import Discrepancy, ReturnLine, Sealed
from pathbook.ledger.proofs.checkpoint import Checkpoint
from pathbook.ledger.terms import Terms
from pathbook.ledger.values import DiscrepancyKind, PartyKind, Price, UnitRange
from tests.audit import signed_books
from tests.audit.honest_book import BOOK, CHECKPOINT, LOG, Edited, at, audit, stored, with_event, with_fields
from tests.scenario import BALM, DAY, MASK

Attack = Callable[[], Iterator[Edited]]


def _each(*changes: dict[str, object]) -> Sequence[dict[str, object]]:
    return changes


def left_out() -> Iterator[Edited]:
    """Leave out each event."""
    for place in range(len(LOG)):
        yield Edited(LOG[:place] + LOG[place + 1 :], place + 1)


def cut_off() -> Iterator[Edited]:
    """Leave out all events from each one on."""
    for place in range(len(LOG)):
        yield Edited(LOG[:place], place + 1)


def repeated() -> Iterator[Edited]:
    """Repeat each event, at once and at the end."""
    for place, data in enumerate(LOG):
        yield Edited((*LOG[: place + 1], data, *LOG[place + 1 :]), place + 2)
        yield Edited((*LOG, data), len(LOG) + 1)


def swapped() -> Iterator[Edited]:
    """Swap each event with the next one."""
    for place in range(len(LOG) - 1):
        yield Edited((*LOG[:place], LOG[place + 1], LOG[place], *LOG[place + 2 :]), place + 1)


def moved() -> Iterator[Edited]:
    """Move each event to another position."""
    for place, data in enumerate(LOG):
        rest = LOG[:place] + LOG[place + 1 :]
        for target in {place // 2, (place + len(LOG)) // 2} - {place}:
            yield Edited((*rest[:target], data, *rest[target:]), min(place, target) + 1)


def flipped() -> Iterator[Edited]:
    """Flip a bit of every ninth byte."""
    for place, data in enumerate(LOG):
        for byte in range(place % 9, len(data), 9):
            changed = bytearray(data)
            changed[byte] ^= 1 << byte % 8
            yield Edited((*LOG[:place], bytes(changed), *LOG[place + 1 :]), place + 1)


def repriced() -> Iterator[Edited]:
    """Change the price of each hop, sale and offer, and what a consumer paid."""
    for item in BOOK:
        if isinstance(getattr(item.event, "terms", None), Terms):
            yield with_fields(item.position, unit_price=Price(1, "CNY"))
    yield with_fields(at(events.PurchaseConfirmed), price_paid=Price(1, "CNY"))


def given_by_others() -> Iterator[Edited]:
    """Change the giver and the receiver of each hop, sale and offer."""
    for item in BOOK:
        if isinstance(terms := getattr(item.event, "terms", None), Terms):
            for name in ("acme", "ann", "ben", "cat", "consumer:eve", "nobody"):
                if name != terms.giver:
                    yield with_fields(item.position, giver=name)
                if name != terms.receiver:
                    yield with_fields(item.position, receiver=name)


def other_units() -> Iterator[Edited]:
    """Change the units of each event, by one more, one less, all, and those of a batch that was never made."""
    for item in BOOK:
        terms = getattr(item.event, "terms", None)
        ranges = terms.ranges if isinstance(terms, Terms) else getattr(item.event, "ranges", None)
        if not ranges:
            continue
        *others, last = ranges
        for changes in _each(
            {"last": last.last + 1},
            {"last": last.last - 1},
            {"first": 0, "last": 19},
            {"last": 20},
            {"batch": 3},
            {"batch": 0},
            {"first": -1},
        ):
            changed = msgspec.structs.replace(last, **changes)
            if changed != last:
                yield with_fields(item.position, ranges=(*others, changed))
        yield with_fields(item.position, ranges=(*ranges, last))


def other_authority() -> Iterator[Edited]:
    """Change the tiers and the status in the terms of each hop, and the authorizations themselves."""
    for item in BOOK:
        if isinstance(terms := getattr(item.event, "terms", None), Terms):
            stated = terms.authorities[0]
            more = msgspec.structs.replace(stated, batches=(1, 2, 3))
            yield with_fields(item.position, authorities=(*terms.authorities, more))
            yield with_fields(item.position, authorities=(more,))
            for status in type(stated.giver_authorization):
                changed = msgspec.structs.replace(stated, giver_authorization=status, giver_tier=status + 3)
                yield with_fields(item.position, authorities=(changed,))
                changed = msgspec.structs.replace(stated, receiver_tier=status + 3)
                yield with_fields(item.position, authorities=(changed,))
            yield with_fields(item.position, authorities=())
    for nth in range(2):
        position = at(events.PartyAuthorized, nth)
        for changes in _each(
            {"upline": "cat"}, {"upline": "nobody"}, {"tier": 9}, {"party": "cat"}, {"products": ("1",)}
        ):
            yield with_fields(position, **changes)
    for changes in _each({"authorization": 1}, {"upline": "acme"}, {"party": "ann"}, {"revoked_from": 1}):
        yield with_fields(at(events.AuthorizationRevoked), **changes)


def other_seals() -> Iterator[Edited]:
    """Change each field of each seal."""
    for nth in range(2):
        position = at(Sealed, nth)
        sealed = BOOK[position - 1].event
        assert isinstance(sealed, Sealed)
        for changes in _each(
            {"root": bytes(32)},
            {"batches": sealed.batches + 1},
            {"parties": sealed.parties - 1},
            {"covers": sealed.covers - 1},
            {"covers": 1},
            {"covers": position},
            {"covers": 2**40},
            {"covers_recorded_at": sealed.covers_recorded_at + 1},
        ):
            yield with_fields(position, **changes)


def other_times() -> Iterator[Edited]:
    """Record each event a day earlier, and claim that each happened a month earlier."""
    for item in BOOK:
        for recorded_at, occurred_at in (
            (item.recorded_at - DAY, item.occurred_at - DAY),
            (item.recorded_at, item.occurred_at - 31 * DAY),
        ):
            changed = msgspec.structs.replace(item, recorded_at=recorded_at, occurred_at=occurred_at)
            yield Edited((*LOG[: item.position - 1], stored(changed), *LOG[item.position :]), item.position)


def put_in_place() -> Iterator[Edited]:
    """Put each event in the place of each other one, as answer to the request of that one."""
    for item in BOOK:
        for other in BOOK[item.position % 3 :: 3]:
            if other.event != item.event:
                yield with_event(other.position, item.event)


def other_answers() -> Iterator[Edited]:
    """Change what an answer says of units: those that are extra, missing, confirmed, returned or declared."""
    accepted, returned = at(events.TransferAccepted, 1), at(events.UnitsReturned)
    one = UnitRange(1, 12, 12)
    yield with_fields(accepted, extra=())
    yield with_fields(accepted, extra=(UnitRange(1, 10, 10), one))
    yield with_fields(accepted, extra=(one, UnitRange(1, 16, 16)))
    yield with_fields(accepted, discrepancies=(Discrepancy(DiscrepancyKind.SHORT, (one,)),))
    yield with_fields(accepted, transfer=1)
    event = BOOK[accepted - 1].event
    assert isinstance(event, events.TransferAccepted)
    terms = msgspec.structs.replace(event.terms, ranges=(UnitRange(1, 10, 12),))
    yield with_event(accepted, msgspec.structs.replace(event, terms=terms, extra=(UnitRange(1, 11, 11),)))
    for confirmed in ((), (UnitRange(1, 13, 14),)):
        yield with_fields(at(events.UnitsWrittenOff, 1), confirmed=confirmed)
    back = BOOK[returned - 1].event
    assert isinstance(back, events.UnitsReturned)
    (line,) = back.lines
    other = msgspec.structs.replace(line.terms, reference="another")
    yield with_fields(returned, lines=(ReturnLine(line.transfer, other),))
    yield with_fields(returned, lines=(line, line))
    for nth in range(2):
        declared = at(events.ErrorDeclared, nth)
        for changes in _each(
            {"party": "ben"}, {"position": 1}, {"declared": BOOK[at(events.PurchaseConfirmed) - 1].event}
        ):
            yield with_fields(declared, **changes)
        yield with_event(declared + 1, BOOK[declared - 1].event)
    yield with_fields(at(events.TransferLapsed), ranges=())
    lapsed = BOOK[at(events.TransferLapsed) - 1].event
    assert isinstance(lapsed, events.TransferLapsed)
    yield with_event(lapsed.transfer + 1, lapsed)
    yield with_fields(at(events.UnitsDelivered), receiver="nobody")
    yield with_fields(at(events.TransferReversed), party="ann")


def other_registers() -> Iterator[Edited]:
    """Change whom and what parties, products, batches, recalls and cases are about."""
    for name in ("consumer:eve", "acme"):
        yield with_fields(at(events.PartyRegistered, 1), party=name)
    yield with_fields(at(events.PartyCorrected), kind=PartyKind.BRAND)
    yield with_fields(at(events.ProductRegistered), brand="ann")
    yield with_fields(at(events.ProductRegistered, 1), product=MASK)
    yield with_fields(at(events.ProductCorrected), brand="ann")
    for changes in _each(
        {"lot": "L1"},
        {"batch": 3},
        {"size": 2**28 + 1},
        {"brand": "ann"},
        {"product": BALM},
    ):
        yield with_fields(at(events.BatchCommissioned, 1), **changes)
    yield with_fields(at(events.BatchCorrected), brand="ann")
    for changes in _each({"batch": 2}, {"brand": "ann"}, {"ranges": ()}, {"ranges": (UnitRange(1, 0, 20),)}):
        yield with_fields(at(events.UnitsRecalled), **changes)
    for changes in _each({"batch": 2}, {"brand": "ann"}, {"recall": 1}):
        yield with_fields(at(events.RecallLifted), **changes)
    for kind in (events.CasePacked, events.CaseUnpacked):
        yield with_fields(at(kind), party="ann")
        yield with_fields(at(kind), sscc="106141411234567880")
    yield with_fields(at(events.CasePacked), ranges=(UnitRange(1, 6, 20),))
    for changes in _each({"party": "cat"}, {"transfer": 1}):
        yield with_fields(at(events.ReversalAsked), **changes)
    yield with_fields(1, origin="pathbook/other")


ATTACKS: Final[dict[str, Attack]] = {
    "an event left out": left_out,
    "the end cut off": cut_off,
    "an event repeated": repeated,
    "two events swapped": swapped,
    "an event at another position": moved,
    "a bit of an event flipped": flipped,
    "another price": repriced,
    "another giver or receiver": given_by_others,
    "other units": other_units,
    "an authority that was not there": other_authority,
    "another answer": other_answers,
    "another register": other_registers,
    "another root, count or position in a seal": other_seals,
    "another time": other_times,
    "another event in its place": put_in_place,
}
"""All edits, by their names in the table."""


class Row(NamedTuple):
    """What came of an attack: how often it was tried, found from the events alone, and accepted, and by which rules."""

    name: str
    tried: int
    found: int
    accepted: int
    early: int
    rules: Counter[str]


def run(
    name: str,
    attacks: Mapping[str, Attack] = ATTACKS,
    honest: tuple[bytes, ...] = LOG,
    checkpoint: Checkpoint = CHECKPOINT,
) -> Row:
    """Try all edits of an attack. ``early`` counts differences that were named before the edited position."""
    tried = found = accepted = early = 0
    rules = Counter[str]()
    for edited in attacks[name]():
        if edited.log == honest:
            continue
        tried += 1
        difference = audit(edited.log)
        found += difference is not None
        known = difference or audit(edited.log, checkpoint)
        accepted += known is None
        if isinstance(known, UncheckableError):
            rules["could not check"] += 1
        elif known is not None:
            rules[known.rule.value] += 1
            early += known.position < edited.position
    return Row(name, tried, found, accepted, early, rules)


def main() -> None:
    """Print the table, and that of books whose parties sign."""
    print_table(ATTACKS, LOG, CHECKPOINT)
    print_table(signed_books.ATTACKS, signed_books.LOG, signed_books.CHECKPOINT)


def print_table(attacks: Mapping[str, Attack], honest: tuple[bytes, ...], checkpoint: Checkpoint) -> None:
    """Print what came of attacks on a book."""
    print("attack | tried | found from the events alone | accepted | by which rules")  # noqa: T201 - it is a program
    for name in attacks:
        row = run(name, attacks, honest, checkpoint)
        rules = ", ".join(f"{rule} {count}" for rule, count in row.rules.most_common())
        print(f"{name} | {row.tried} | {row.found} | {row.accepted} | {rules}")  # noqa: T201 - it is a program


if __name__ == "__main__":
    assert all(decode(place, data, strict=True) for place, data in enumerate(LOG, 1))
    main()
