"""What may be edited in a book whose parties sign. `python -m tests.audit.edited_books` prints what an auditor finds.

The operator edits and has its own key, and no key of a party. No checkpoint is needed to find what it changed.
"""

from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from pathbook.ledger import events
from pathbook.ledger.codec import leaf_hash
from pathbook.ledger.codec.commands import command_of
from pathbook.ledger.codec.statements import read_statement
from pathbook.ledger.command_fields import AnsweringFields
from pathbook.ledger.events import Event, RecordedEvent
from pathbook.ledger.key_events import KeyRegistered, KeyRevoked, Signed, StatementsFiled
from pathbook.ledger.proofs.checkpoint import Checkpoint
from pathbook.ledger.proofs.statements import STATEMENT
from pathbook.ledger.proofs.tree import root_of
from pathbook.ledger.requests import request_of
from pathbook.ledger.terms import Terms
from pathbook.ledger.values import Delivery, Price
from pathbook.v1.statements_pb2 import Statement
from tests.audit.honest_book import Edited, seal, stored
from tests.proofs.prover import ORIGIN
from tests.scenario import DAY
from tests.verify.signed_attacks import WEAK, at_price, by_key, for_origin, later, repriced, resigned
from tests.verify.signed_story import (
    SignedStory,
    filed,
    key_registered,
    key_revoked,
    public,
    sign,
    timestamp,
    told,
)

NAMES: Final = ("op", "a1", "n1", "b1", "b2", "c1")

AFTER: Final = """
return 1:1 by cat
reverse d2 by acme
reverse d2 by ann
write off 1:2 by ben as damaged as w
declare w an error by ben
pack 106141411234567897 with 1:20-21 by acme
record case 106141411234567897 acme > ann at 15000
lift r by acme
correct product mask price 28000 by acme
correct batch 1 price 27000 by acme
correct party cat to agent
deliver 1:22 acme > ben
return 1:0 by consumer:wei
"""


def honest() -> SignedStory:
    """Return a book in which parties, and the operator, sign all kinds of events, with two seals."""
    story = told(must_sign=True)
    seal(story)
    story.tell("record 1:33 acme > ann at 15000 as d2")
    story.tell(AFTER)
    story.revoke("cat", "c1", "cat", "c1")
    del story.signers["cat"]
    story.tell("today is 2026-01-02")
    story.together(
        "ann", "record 1:5 ann > ben at 16000\nrecord 1:6 ann > ben at 16000\nrecord 1:7 ann > ben at 16000"
    )
    seal(story)
    return story


TOLD: Final = honest()
BOOK: Final = tuple(TOLD.recorded)
LOG: Final = tuple(map(stored, BOOK))
CHECKPOINT: Final = Checkpoint(ORIGIN, len(LOG), root_of(map(leaf_hash, LOG)))

Attack = Callable[[], Iterator[Edited]]


def edited(item: RecordedEvent, **changes: object) -> Edited:
    """Return the book with an event changed, and what was recorded of it."""
    changed = msgspec.structs.replace(item, **changes)
    return Edited((*LOG[: item.position - 1], stored(changed), *LOG[item.position :]), item.position)


def on_statements(*, filed_too: bool = True) -> list[RecordedEvent]:
    """Return the events that rest on statements."""
    return [item for item in BOOK if item.signed is not None and (filed_too or item.signed.signature)]


def signer_of(item: RecordedEvent) -> str:
    """Return the name of the key with which an event was signed."""
    assert item.signed is not None
    key = read_statement(item.signed.statement).key
    return next(name for name in NAMES if public(name) == key)


def by_resigning(item: RecordedEvent) -> Iterator[Edited]:
    """Yield a changed event, then with its statement signed by the operator: as the party, as itself, with its key."""
    assert item.signed is not None
    party = read_statement(item.signed.statement).party
    yield edited(item)
    for change in (by_key(party, "op"), by_key("", "op"), lambda _: None):
        yield edited(resigned(item, "op", change))


def other_prices() -> Iterator[Edited]:
    """Change the price of each hop that was signed, also in its statement."""
    for item in on_statements():
        if not isinstance(item.event, events.TransferRecorded | events.TransferOffered | events.UnitsSold):
            continue
        changed = repriced(item, 9_900)
        yield edited(changed)
        yield from list(by_resigning(changed))[1:]
        assert item.signed is not None
        if signer_of(item) == "op":
            continue
        honest = resigned(changed, "op", at_price(9_900))
        yield edited(honest)


def other_fields() -> Iterator[Edited]:
    """Change each text and number that was signed, where the event still follows from those before."""
    for item in on_statements():
        for event in _others(item.event):
            yield edited(item, event=event)
        yield edited(item, occurred_at=item.occurred_at - 1)


def _others(event: Event) -> Iterator[Event]:
    terms = getattr(event, "terms", None)
    if isinstance(terms, Terms) and isinstance(event, events.TransferRecorded | events.UnitsSold):
        flags = ({"chosen_by_book": True}, {"extra_allowed": 1})
        for changes in ({"delivery": Delivery.LATER}, {"reference": "another"}, *flags):
            changed = msgspec.structs.replace(terms, **changes)
            if changed != terms:
                yield msgspec.structs.replace(event, terms=changed)
    for name, value in {
        "name": "another",
        "suggested_price": Price(1, "CNY"),
        "note_commitment": bytes(32),
        "region": "elsewhere",
        "lot": "L9",
        "receiver": "ann",
    }.items():
        if hasattr(event, name) and getattr(event, name) != value:
            yield msgspec.structs.replace(event, **{name: value})


def other_keys() -> Iterator[Edited]:
    """Sign with each other key: revoked, not registered yet, of another party, weak, and of a stranger."""
    for item in on_statements(filed_too=False):
        assert item.signed is not None
        party = read_statement(item.signed.statement).party
        for name in (*NAMES, "stranger"):
            if name != signer_of(item):
                yield edited(resigned(item, name))
                yield edited(resigned(item, name, by_key(party, name)))
        for key in WEAK if item.position % 4 == 0 else ():
            statement = Statement.FromString(item.signed.statement)
            statement.key = key
            for point in (b"\x01" + bytes(31), key):
                yield edited(item, signed=Signed(statement.SerializeToString(), point + bytes(32)))


def other_books() -> Iterator[Edited]:
    """Use what was signed for another book, or at another time."""
    for item in on_statements(filed_too=False):
        name = signer_of(item)
        yield edited(resigned(item, name, for_origin("other.example/book")))
        for days in (-31, 1):
            yield edited(resigned(item, name, later(days)))


def replayed() -> Iterator[Edited]:
    """Let each statement count for another request, and for each other event."""
    items = on_statements()
    for item in items:
        yield edited(item, request=bytes(16))
        for other in items[item.position % 9 :: 9]:
            if other is not item:
                yield edited(item, signed=other.signed)
                yield edited(item, signed=other.signed, request=other.request)
    for place, item in enumerate(BOOK[:-1]):
        if item.signed is not None:
            again = msgspec.structs.replace(BOOK[place + 1], event=item.event, signed=item.signed)
            yield Edited((*LOG[: place + 1], stored(again), *LOG[place + 1 :]), place + 2)


def bits() -> Iterator[Edited]:
    """Flip bits of signatures and of statements."""
    for item in on_statements():
        assert item.signed is not None
        for field, step in (("signature", 29), ("statement", 17)):
            data = getattr(item.signed, field)
            for place in range(item.position % step, len(data), step):
                changed = data[:place] + bytes([data[place] ^ 1 << place % 8]) + data[place + 1 :]
                yield edited(item, signed=msgspec.structs.replace(item.signed, **{field: changed}))


def unsigned() -> Iterator[Edited]:
    """Take the statements from events of parties, who must sign in this book, and in another one as they have keys."""
    for item in on_statements():
        if signer_of(item) != "op":
            yield edited(item, signed=None)
    free = told().recorded
    log = tuple(map(stored, free))
    for item in free:
        if item.signed is not None and signer_of(item) != "op":
            without = stored(msgspec.structs.replace(item, signed=None))
            yield Edited((*log[: item.position - 1], without, *log[item.position :]), item.position)


def filings() -> Iterator[Edited]:
    """Change what was filed, and where events say that their statements are filed."""
    for item in BOOK:
        event = item.event
        if isinstance(event, StatementsFiled):
            leaves = event.leaf_hashes
            for changes in (
                {"root": bytes(32)},
                {"leaf_hashes": leaves[32:] + leaves[:32]},
                {"leaf_hashes": leaves + bytes(32)},
                {"signature": bytes(64)},
                {"party": "cat"},
                {"party": "dan"},
                {"key": public("op")},
                {"party": "", "key": public("op")},
            ):
                yield edited(item, event=msgspec.structs.replace(event, **changes))
            used = [each for each in BOOK if each.signed is not None and each.signed.filed == item.position]
            statements = [each.signed.statement for each in used if each.signed is not None]
            for party, name, origin in (
                (event.party, "op", ORIGIN),
                ("", "op", ORIGIN),
                (event.party, "op", "other.example/book"),
            ):
                yield edited(item, event=filed(party, name, statements, origin))
            own = next(name for name in NAMES if public(name) == event.key)
            yield edited(item, event=filed(event.party, own, statements, "other.example/book"))
            yield edited(item, event=filed(event.party, own, statements[:1]))
            yield edited(item, event=filed(event.party, own, statements[::-1]))
            many = filed(event.party, own, [b"%d" % number for number in range(1_001)])
            yield edited(item, event=many)
        if item.signed is not None and item.signed.filed:
            for place, index in (
                (item.signed.filed, item.signed.index + 1),
                (item.signed.filed, 1_000),
                (item.signed.filed - 1, item.signed.index),
                (item.position, 0),
                (item.position + 1, 0),
                (1, 0),
            ):
                signed = msgspec.structs.replace(item.signed, filed=place, index=index)
                yield edited(item, signed=signed)


def twice() -> Iterator[Edited]:
    """Let a filed statement count for two events: the first answers its request, the second another."""
    for item in BOOK:
        if item.signed is None or not item.signed.filed:
            continue
        for other in BOOK[item.position :]:
            if other.signed is not None and other.signed.filed == item.signed.filed:
                yield edited(other, signed=item.signed)
                yield edited(other, signed=item.signed, request=item.request)


def forged_keys() -> Iterator[Edited]:
    """Change each field of the registrations and revocations of keys, and sign that with the operator's key."""
    for item in BOOK:
        event = item.event
        if isinstance(event, KeyRegistered):
            for changes in (
                {"possession": bytes(64)},
                {"endorsement": bytes(64)},
                {"key": public("evil")},
                {"key": WEAK[0]},
                {"recovery_key": public("evil")},
                {"recovery_key": event.key},
                {"recovery_key": WEAK[1]},
                {"endorser_key": public("evil")},
                {"replaced_key": public("evil")},
                {"party": "dan"},
            ):
                yield edited(item, event=msgspec.structs.replace(event, **changes))
            if event.party:
                for forged in (
                    key_registered(event.party, "evil", event.party, "evil"),
                    key_registered(event.party, "evil", "ann", "op"),
                    key_registered(event.party, "evil", "cat", "c1"),
                    key_registered(event.party, "op", "", "op"),
                    key_registered(event.party, "evil", "", "op", origin="other.example/book"),
                    key_registered("dan", "evil", "", "op"),
                    key_registered("", "evil", "", "evil"),
                    key_registered("", "evil", "acme", "a1"),
                ):
                    yield edited(item, event=forged)
        if isinstance(event, KeyRevoked):
            for changes in ({"signature": bytes(64)}, {"key": public("evil")}, {"party": "dan"}):
                yield edited(item, event=msgspec.structs.replace(event, **changes))
            for revoked in (
                key_revoked("cat", "c1", "acme", "a1"),
                key_revoked("cat", "c1", "ben", "b2"),
                key_revoked("cat", "c1", "", "a1"),
                key_revoked("ben", "b1", "ann", "n1"),
                key_revoked("dan", "b1", "", "op"),
            ):
                yield edited(item, event=revoked)


def forged_rotations() -> Iterator[Edited]:
    """Add rotations and recoveries by the operator to the end of the book."""
    for forged in (
        key_registered("ben", "evil", "ben", "b1", "b1"),
        key_registered("ben", "evil", "ben", "evil", "b2"),
        key_registered("ben", "evil", "ben", "op", "b2"),
        key_registered("ben", "evil", "", "op", "b2"),
        key_registered("ben", "evil", "ben", "b2 recovery", "b2"),
        key_registered("ben", "evil", "ben", "b1 recovery", "b1"),
        key_registered("cat", "evil", "cat", "c1", "c1"),
        key_registered("acme", "evil", "ann", "n1"),
        key_registered("ben", "b1", "ann", "n1"),
        key_revoked("acme", "a1", "ann", "n1"),
        key_revoked("ben", "b2", "acme", "a1"),
        key_revoked("ben", "b1", "ben", "b2"),
    ):
        yield _appended(forged)
    undo = key_registered("ben", "b3", "ben", "b1 recovery", "b2")
    yield _appended(undo, later=4 * DAY)
    yield _appended(key_revoked("ben", "b2", "ben", "b2"), undo)
    yield _appended(key_registered("ben", "spare", "ann", "n1"))


def _appended(*forged: Event, later: int = 0) -> Edited:
    """Return the book with more events, of which the last is wrong."""
    like, log = BOOK[-1], list(LOG)
    moment = like.recorded_at + later
    for event in forged:
        request = request_of("", f"added {len(log)}")
        added = RecordedEvent(len(log) + 1, moment, moment, request, like.request_digest, event, b"")
        log.append(stored(added))
    return Edited(tuple(log), len(log))


def answered() -> Iterator[Edited]:
    """Put another event, which its own party signed, where a party answered one before the next seal."""
    for item in on_statements():
        assert item.signed is not None
        command = command_of(read_statement(item.signed.statement).request)
        if not isinstance(command, AnsweringFields):
            continue
        between = BOOK[command.answered - 1 : item.position - 1]  # an acceptance is what a reversal answers
        earlier = [each for each in between if isinstance(each.event, events.TransferAccepted)] or between
        is_sealed = any(isinstance(each.event, events.Sealed) for each in between)  # the seal tells it, too
        if not is_sealed and earlier[0].signed is not None and earlier[0].signed.signature:
            changed = resigned(earlier[0], signer_of(earlier[0]), later(0, microseconds=1))
            yield Edited(edited(changed).log, earlier[0].position + 1)


def by_consumers() -> Iterator[Edited]:
    """Let a consumer sign a return, who has no key, and another party for it."""
    item = next(
        each
        for each in BOOK
        if isinstance(each.event, events.UnitsReturned) and each.event.owner == "consumer:wei"
    )
    statement = Statement(origin=ORIGIN, party="consumer:wei", key=public("op"))
    statement.signed_at.CopyFrom(timestamp(item.recorded_at))
    request = statement.return_units
    request.request_id, request.owner = "q", "consumer:wei"
    request.units.ranges.add(batch=1)
    for party in ("consumer:wei", "cat", ""):
        statement.party = party
        data = statement.SerializeToString()
        signed = Signed(data, sign("op", STATEMENT, data))
        yield edited(item, signed=signed, request=request_of("consumer:wei", "q"))


ATTACKS: Final[dict[str, Attack]] = {
    "another price than was signed": other_prices,
    "other fields than were signed": other_fields,
    "another key, or a weak one": other_keys,
    "a statement for another book or time": other_books,
    "a statement that counts again": replayed,
    "a bit of a signature or statement flipped": bits,
    "no statement": unsigned,
    "other filings": filings,
    "a filed statement that counts twice": twice,
    "a forged registration or revocation of a key": forged_keys,
    "a forged rotation or recovery": forged_rotations,
    "a statement of a consumer": by_consumers,
    "another event under a signed answer": answered,
}
"""All edits, by their names in the table."""
