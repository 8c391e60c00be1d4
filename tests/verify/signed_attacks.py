"""Attacks on signatures, most of them by the operator, who seals and signs what it likes, but has no key of a party."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from pathbook.ledger import events
from pathbook.ledger.codec.statements import read_statement
from pathbook.ledger.events import RecordedEvent
from pathbook.ledger.key_events import Signed, StatementsFiled
from pathbook.ledger.proofs.statements import STATEMENT
from pathbook.ledger.proofs.unit_proof import FiledStatement
from pathbook.ledger.requests import request_of
from pathbook.ledger.values import Delivery, Price, Unit
from pathbook.v1.statements_pb2 import Statement
from tests.proofs import prover
from tests.proofs.prover import Ledger
from tests.scenario import DAY
from tests.verify.attacking import Attempt, attack, printed, under_the_log_key, with_event, with_recorded
from tests.verify.signed_story import (
    begun,
    filed,
    public,
    sign,
    timestamp,
    told,
)

OPERATOR: Final = "by the operator: "
TOLD: Final = told()
HONEST: Final = Ledger(TOLD).append_seal()
GENUINE: Final = HONEST.prove()
FILE: Final = printed(GENUINE)
ATTESTED: Final = Unit(2, 0)
WEAK: Final = (
    b"\x01" + bytes(31),
    bytes(32),
    b"\xec" + b"\xff" * 30 + b"\x7f",
    b"\xee" + b"\xff" * 30 + b"\x7f",
)
"""Public keys of order 1, 4 and 2, and one that is not canonical."""

Change = Callable[[Statement], None]


def own() -> list[RecordedEvent]:
    """Return the events of unit 0 of batch 1 and of its batch that rest on a statement."""
    shown = {item.position for item in (*GENUINE.events, *GENUINE.batch_events)}
    return [item for item in HONEST.recorded if item.position in shown and item.signed is not None]


def alone() -> list[RecordedEvent]:
    """Return those of them whose statements have a signature of their own."""
    return [item for item in own() if item.signed is not None and item.signed.signature]


def resigned(item: RecordedEvent, name: str, change: Change = lambda _: None) -> RecordedEvent:
    """Return an event with its statement changed, and signed by the key with a name."""
    assert item.signed is not None
    statement = Statement.FromString(item.signed.statement)
    change(statement)
    data = statement.SerializeToString()
    return msgspec.structs.replace(item, signed=Signed(data, sign(name, STATEMENT, data)))


def sealed(*items: RecordedEvent) -> bytes:
    """Return the proof of the signed book with some events replaced, sealed and signed by the operator."""
    changed = Ledger(TOLD)
    for item in items:
        with_recorded(changed, item)
    return under_the_log_key(changed)


def by_key(party: str, name: str) -> Change:
    """Return the change of a statement to one of another party or key."""

    def change(statement: Statement) -> None:
        statement.party, statement.key = party, public(name)

    return change


def repriced(item: RecordedEvent, amount: int) -> RecordedEvent:
    """Return a hop at another price."""
    event = item.event
    assert isinstance(event, events.TitleEvent | events.TransferOffered)
    terms = msgspec.structs.replace(event.terms, unit_price=Price(amount, "CNY"))
    return msgspec.structs.replace(item, event=msgspec.structs.replace(event, terms=terms))


def at_price(amount: int) -> Change:
    """Return the change of a statement to one at another price."""

    def change(statement: Statement) -> None:
        getattr(statement, str(statement.WhichOneof("request"))).unit_price.amount_minor = amount

    return change


def signer_of(item: RecordedEvent) -> str:
    """Return the name of the key with which an event was signed."""
    assert item.signed is not None
    key = read_statement(item.signed.statement).key
    return next(name for name in ("op", "a1", "n1", "b1", "b2", "c1") if public(name) == key)


@attack(f"{OPERATOR}another price than a party signed")
def price() -> Iterator[Attempt]:
    """Change the price of each signed hop, alone and with a statement that others signed."""
    for item in own():
        if isinstance(item.event, events.TransferAccepted):
            yield Attempt(sealed(repriced(item, 9_900)))
        if not isinstance(item.event, events.TransferRecorded | events.TransferOffered | events.UnitsSold):
            continue
        changed = repriced(item, 9_900)
        assert item.signed is not None
        yield Attempt(sealed(changed))
        for name in {"op", "c1"} - {signer_of(item)}:
            yield Attempt(sealed(resigned(changed, name, at_price(9_900))))
            mine = resigned(changed, name, at_price(9_900))
            for party in (events_giver(item), ""):
                with_key = by_key(party, name)
                yield Attempt(sealed(resigned(mine, name, with_key)))
        if item.signed.filed:
            statement = Statement.FromString(item.signed.statement)
            at_price(9_900)(statement)
            told_so = msgspec.structs.replace(item.signed, statement=statement.SerializeToString())
            yield Attempt(sealed(msgspec.structs.replace(changed, signed=told_so)))


def events_giver(item: RecordedEvent) -> str:
    """Return the giver of a hop."""
    event = item.event
    assert isinstance(event, events.TransferRecorded | events.TransferOffered | events.UnitsSold)
    return event.terms.giver


@attack(f"{OPERATOR}a price that the giver signed again, and a report of another than the receiver")
def attested() -> Iterator[Attempt]:
    """Change the price of a transfer that both sides reported, with the key of the giver, and the side that reports."""
    recorded = next(item for item in HONEST.recorded if isinstance(item.event, events.TransferAttested))
    assert isinstance(recorded.event, events.TransferAttested)
    item = HONEST.recorded[recorded.event.transfer - 1]
    changed = Ledger(TOLD)
    with_recorded(changed, resigned(repriced(item, 9_900), "a1", at_price(9_900)))
    yield Attempt(printed(changed.append_seal().prove(2, 0)), ATTESTED)
    assert recorded.signed is not None
    statement = Statement.FromString(recorded.signed.statement)
    statement.party, statement.key = "cat", public("c1")
    statement.record_transfer.reported_by = "cat"
    data = statement.SerializeToString()
    stranger = msgspec.structs.replace(
        recorded,
        event=msgspec.structs.replace(recorded.event, party="cat"),
        signed=Signed(data, sign("c1", STATEMENT, data)),
        request=request_of("cat", statement.record_transfer.request_id),
    )
    changed = with_recorded(Ledger(TOLD), stranger)
    yield Attempt(printed(changed.append_seal().prove(2, 0)), ATTESTED)


@attack(f"{OPERATOR}other terms than a party signed")
def terms() -> Iterator[Attempt]:
    """Change the delivery, the reference, the times and the units of what was signed."""
    for item in own():
        event = item.event
        if isinstance(event, events.TransferRecorded | events.UnitsSold | events.TransferOffered):
            for changes in (
                {"delivery": Delivery.LATER},
                {"reference": "another"},
                {"ranges": (msgspec.structs.replace(event.terms.ranges[0], last=39),)},
                {"chosen_by_book": True},
                {"extra_allowed": 1},
            ):
                narrowed = msgspec.structs.replace(event.terms, **changes)
                changed = msgspec.structs.replace(event, terms=narrowed)
                yield Attempt(sealed(msgspec.structs.replace(item, event=changed)))
        yield Attempt(sealed(msgspec.structs.replace(item, occurred_at=item.occurred_at - 1)))
    recall = next(item for item in own() if isinstance(item.event, events.UnitsRecalled))
    assert isinstance(recall.event, events.UnitsRecalled)
    other = msgspec.structs.replace(recall.event.ranges[0], first=31, last=31)
    for fields in ({"ranges": (other,)}, {"note_commitment": bytes(32)}):
        changed_recall = msgspec.structs.replace(recall.event, **fields)
        yield Attempt(sealed(msgspec.structs.replace(recall, event=changed_recall)))
    noted = resigned(recall, "a1", _commit)
    yield Attempt(sealed(noted))


def _commit(statement: Statement) -> None:
    statement.recall_units.note_commitment = bytes(32)


@attack(f"{OPERATOR}a key that was revoked, not registered yet, of another party, or of no party")
def keys() -> Iterator[Attempt]:
    """Sign each statement with each other key, and name the key or the party that it is of."""
    names = {"b1": "ben", "b2": "ben", "a1": "acme", "n1": "ann", "c1": "cat", "op": "", "stranger": "ben"}
    for item in alone():
        for name, party in names.items():
            if name == signer_of(item):
                continue
            yield Attempt(sealed(resigned(item, name)))
            yield Attempt(sealed(resigned(item, name, by_key(party, name))))
            assert item.signed is not None
            yield Attempt(
                sealed(resigned(item, name, by_key(read_statement(item.signed.statement).party, name)))
            )


@attack(f"{OPERATOR}a key that was registered later")
def too_early() -> Iterator[Attempt]:
    """Sign a hop with a key that its giver got after it."""
    story = begun()
    story.tell("record 1:0 acme > ben at 15000\nrecord 1:0 ben > cat at 16000")
    hop = story.recorded[-1]
    story.register("ben", "b2", "ben", "b1", "b1")
    changed = Ledger(story)
    with_recorded(changed, resigned(hop, "b2", by_key("ben", "b2")))
    yield Attempt(under_the_log_key(changed))


@attack(f"{OPERATOR}a statement for another book, or of another time")
def other_book() -> Iterator[Attempt]:
    """Use what a party signed for another book, long ago or in the future."""
    for item in alone():
        name = signer_of(item)
        for origin in ("other.example/book", ""):
            yield Attempt(sealed(resigned(item, name, for_origin(origin))))
        for days in (-31, 1):
            yield Attempt(sealed(resigned(item, name, later(days))))
    for party, name, origin in (("acme", "a1", "other.example/book"), ("ann", "n1", prover.ORIGIN)):
        changed = Ledger(TOLD)
        _file_again(changed, party, name, origin)
        yield Attempt(under_the_log_key(changed))


def for_origin(origin: str) -> Change:
    """Return the change of a statement to one for another book."""

    def change(statement: Statement) -> None:
        statement.origin = origin

    return change


def later(days: int, *, microseconds: int = 0) -> Change:
    """Return the change of a statement to one that was signed some time later."""

    def change(statement: Statement) -> None:
        statement.signed_at.seconds += days * DAY // 1_000_000
        statement.signed_at.nanos += 1_000 * microseconds

    return change


def _file_again(changed: Ledger, party: str, name: str, origin: str) -> None:
    """Sign the first statements that were signed together again, for another book or by another party."""
    position = next(item.position for item in changed.recorded if isinstance(item.event, StatementsFiled))
    statements = [
        item.signed.statement
        for item in changed.recorded
        if item.signed is not None and item.signed.filed == position
    ]
    with_event(changed, position, filed(party, name, statements, origin))


@attack(f"{OPERATOR}a statement that counts for another request, another event, or twice")
def replayed() -> Iterator[Attempt]:
    """Let a statement count again."""
    for item in own():
        yield Attempt(sealed(msgspec.structs.replace(item, request=bytes(16))))
        for other in own():
            if other.position != item.position:
                yield Attempt(sealed(msgspec.structs.replace(item, signed=other.signed)))
                both = msgspec.structs.replace(item, signed=other.signed, request=other.request)
                yield Attempt(sealed(both))
    story = begun()
    story.tell("record 1:0 acme > ann at 15000\nreturn 1:0 by ann")
    first = story.recorded[-2]
    story.tell("record 1:0 acme > ann at 15000")
    changed = Ledger(story)
    again = msgspec.structs.replace(
        story.recorded[-1], signed=first.signed, request=first.request, request_digest=first.request_digest
    )
    yield Attempt(under_the_log_key(with_recorded(changed, again)))


@attack(f"{OPERATOR}a statement of a consumer, and one that asks what another party does")
def other_actor() -> Iterator[Attempt]:
    """Let consumers sign, who have no keys, and parties for each other."""
    story = told()
    story.tell("return 1:0 by consumer:wei")
    item = story.recorded[-1]
    changed = Ledger(story)
    statement = Statement(
        origin=prover.ORIGIN,
        party="consumer:wei",
        key=public("stranger"),
        signed_at=timestamp(item.recorded_at),
    )
    statement.return_units.request_id = "q1"
    statement.return_units.owner = "consumer:wei"
    statement.return_units.units.ranges.add(batch=1)
    data = statement.SerializeToString()
    signed = Signed(data, sign("stranger", STATEMENT, data))
    request = request_of("consumer:wei", "q1")
    yield Attempt(
        under_the_log_key(
            with_recorded(changed, msgspec.structs.replace(item, signed=signed, request=request))
        )
    )


@attack("each bit of a signature flipped, and a bit of each byte of its statement, by the operator")
def flipped() -> Iterator[Attempt]:
    """Flip the bits of what an event rests on."""
    item = next(item for item in alone() if isinstance(item.event, events.TransferOffered))
    assert item.signed is not None
    for field, bits in (("signature", 8), ("statement", 1)):
        data = getattr(item.signed, field)
        for place, bit in itertools.product(range(len(data)), range(bits)):
            changed = data[:place] + bytes([data[place] ^ 1 << (place + bit) % 8]) + data[place + 1 :]
            signed = msgspec.structs.replace(item.signed, **{field: changed})
            yield Attempt(sealed(msgspec.structs.replace(item, signed=signed)))


@attack("a signature of filed statements bent, left out, or added")
def bent() -> Iterator[Attempt]:
    """Change each line of the file about statements that were signed with others."""
    return (attempt for attempt in _bent() if attempt.data != FILE)


def _bent() -> Iterator[Attempt]:
    found = GENUINE.filed
    for place, item in enumerate(found):
        others = found[:place] + found[place + 1 :]
        yield _with_filed(others)
        for changes in _bends(item):
            yield _with_filed((*others, msgspec.structs.replace(item, **changes)))
        for other in others:
            swapped = msgspec.structs.replace(item, position=other.position, index=other.index)
            kept = [each for each in others if each != other]
            yield _with_filed((*kept, swapped))
            yield _with_filed((*others, msgspec.structs.replace(item, signature=other.signature)))
            yield _with_filed((*others, msgspec.structs.replace(item, path=other.path)))
    last = found[-1]
    yield _with_filed((*found, msgspec.structs.replace(last, position=last.position + 1)))
    yield _with_filed(())
    line = next(line for line in FILE.splitlines() if line.startswith(b"filed "))
    start = FILE.index(line)
    for place, bit in itertools.product(range(start, start + len(line)), range(8)):
        yield Attempt(FILE[:place] + bytes([FILE[place] ^ 1 << bit]) + FILE[place + 1 :])


def _bends(item: FiledStatement) -> Iterator[dict[str, object]]:
    yield {"path": item.path[:-1]}
    yield {"path": (*item.path, bytes(32))}
    yield {"path": (bytes(32), *item.path[1:])}
    yield {"size": item.size + 1}
    yield {"size": max(item.size - 1, item.index + 1)}
    yield {"index": item.index ^ 1, "size": max(item.size, (item.index ^ 1) + 1)}
    yield {"signature": bytes(64)}
    yield {"signature": item.signature[:32] + bytes(32)}


def _with_filed(items: Sequence[FiledStatement]) -> Attempt:
    return Attempt(printed(msgspec.structs.replace(GENUINE, filed=tuple(sorted(items)))))


@attack(f"{OPERATOR}a statement that was filed after its event")
def filed_later() -> Iterator[Attempt]:
    """Let events rest on what was signed later."""
    item = next(item for item in own() if item.signed is not None and item.signed.filed)
    assert item.signed is not None
    changed = Ledger(TOLD)
    signed = msgspec.structs.replace(item.signed, filed=item.position)
    with_recorded(changed, msgspec.structs.replace(item, signed=signed))
    proof = changed.append_seal().prove()
    lines = [
        msgspec.structs.replace(line, position=item.position)
        if (line.position, line.index) == (item.signed.filed, item.signed.index)
        else line
        for line in GENUINE.filed
    ]
    yield Attempt(printed(msgspec.structs.replace(proof, filed=tuple(sorted(lines)))))
