"""Attacks by the operator on the path of a unit: signed events of other units, of other parties, or on other terms."""

import hashlib
from collections.abc import Iterator
from typing import Final

import msgspec

from pathbook.ledger import events
from pathbook.ledger.commands import AcceptTransfer, Command, RecordTransfer
from pathbook.ledger.events import RecordedEvent
from pathbook.ledger.key_events import Signed
from pathbook.ledger.proofs.statements import STATEMENT, pre_authentication_encoding
from pathbook.ledger.requests import request_of
from pathbook.ledger.values import Delivery, Price, Selection, UnitRange
from tests.proofs.prover import Ledger
from tests.verify.attacking import Attempt, attack, under_the_log_key, with_event, with_recorded
from tests.verify.signed_story import SignedStory, begun, public, secret, sign, statement_of

OPERATOR: Final = "by the operator: "
ORDER: Final = 2**252 + 27742317777372353535851937790883648493
"""The order of the group of Ed25519."""

REPORTED: Final = """
record 1:{unit} acme > cat at 16000 ref r
record 1:{unit} acme > cat at 16000 ref r reported by cat
"""
ACCEPTED: Final = "offer 1:0 acme > ann at 15000 as o\naccept o by ann\n"


def _story(text: str) -> tuple[SignedStory, Ledger, RecordedEvent]:
    """Return a story, its book to be changed, and its last event."""
    story = begun()
    story.tell(text)
    return story, Ledger(story), story.recorded[-1]


def _asked(item: RecordedEvent, command: Command, name: str) -> RecordedEvent:
    """Return an event that rests on a statement which asks a command, signed by the key with a name."""
    statement = statement_of(command, name, item.recorded_at)
    return msgspec.structs.replace(
        item,
        signed=Signed(statement, sign(name, STATEMENT, statement)),
        request=request_of(command.actor, command.request_id),
    )


@attack(f"{OPERATOR}the events of another unit")
def other_unit() -> Iterator[Attempt]:
    """Show a signed transfer of unit 1, and an accepted one, as those of unit 0."""
    for text in (REPORTED.format(unit=1), ACCEPTED.replace("1:0", "1:1")):
        _, changed, _ = _story(text)
        changed.units[1, 0] = list(changed.units[1, 1])
        yield Attempt(under_the_log_key(changed), signatures=2)


@attack(f"{OPERATOR}a transfer that another than its receiver attests")
def third_party() -> Iterator[Attempt]:
    """Let ben, who has a key, report what cat received."""
    _, changed, item = _story(REPORTED.format(unit=0))
    assert isinstance(item.event, events.TransferAttested)
    report = RecordTransfer(
        request_id="y1",
        giver="acme",
        receiver="cat",
        units=Selection((UnitRange(1, 0, 0),)),
        unit_price=Price(16_000, "CNY"),
        delivery=Delivery.WITH_TITLE,
        reference="r",
        reported_by="ben",
    )
    event = msgspec.structs.replace(item.event, party="ben")
    with_recorded(changed, _asked(msgspec.structs.replace(item, event=event), report, "b1"))
    yield Attempt(under_the_log_key(changed), signatures=2)


@attack(f"{OPERATOR}an acceptance of another offer than was made")
def other_offer() -> Iterator[Attempt]:
    """Let ben accept what was offered to ann, and let ann accept it on other terms."""
    _, _, item = _story(ACCEPTED)
    assert isinstance(item.event, events.TransferAccepted)
    accept = AcceptTransfer(request_id="z1", receiver="ben", transfer=item.event.transfer)
    for changes in (
        {"receiver": "ben", "unit_price": Price(1, "CNY")},
        {"unit_price": Price(1, "CNY")},
        {"unit_price": Price(15_000, "EUR")},
        {"delivery": Delivery.LATER},
        {"reference": "another"},
        {"chosen_by_book": True},
        {"extra_allowed": 1},
        {"giver": "ben"},
    ):
        _, changed, _ = _story(ACCEPTED)
        terms = msgspec.structs.replace(item.event.terms, **changes)
        event = msgspec.structs.replace(item.event, terms=terms)
        accepted = msgspec.structs.replace(item, event=event)
        if terms.receiver == "ben":
            accepted = _asked(accepted, accept, "b1")
        yield Attempt(under_the_log_key(with_recorded(changed, accepted)), signatures=2)


@attack(f"{OPERATOR}a reversal or return on other terms than those that it undoes")
def other_undoing() -> Iterator[Attempt]:
    """Give the unit to a thief, or undo the hop at another price or place."""
    for text in ("reverse o by acme\nreverse o by ann", "return 1:0 by ann"):
        _, _, item = _story(ACCEPTED + text)
        event = item.event
        assert isinstance(event, events.TransferReversed | events.UnitsReturned)
        line = event if isinstance(event, events.TransferReversed) else event.lines[0]
        for changes in ({"giver": "thief"}, {"receiver": "thief"}, {"unit_price": Price(1, "CNY")}, {}):
            terms = msgspec.structs.replace(line.terms, **changes)
            transfer = line.transfer if changes else line.transfer - 1
            other = msgspec.structs.replace(line, terms=terms, transfer=transfer)
            if isinstance(other, events.TransferReversed):
                undone: events.TransferReversed | events.UnitsReturned = other
            else:
                undone = events.UnitsReturned("ann", (other,), b"")
            _, changed, _ = _story(ACCEPTED + text)
            false = msgspec.structs.replace(item, signed=None, event=undone)
            yield Attempt(under_the_log_key(with_recorded(changed, false)))


@attack(f"{OPERATOR}a revocation of an authorization that was not given")
def other_revocation() -> Iterator[Attempt]:
    """Revoke an event that gave nothing to the party, after the last step of the unit."""
    text = "authorize cat tier 1 by acme as g\nrecord 1:0 acme > cat at 15000\nrevoke g by acme"
    _, _, item = _story(text)
    assert isinstance(item.event, events.AuthorizationRevoked)
    for changes in ({"authorization": 3}, {"upline": "ben"}):
        _, changed, _ = _story(text)
        event = msgspec.structs.replace(item.event, **changes)
        with_recorded(changed, msgspec.structs.replace(item, signed=None, event=event))
        yield Attempt(under_the_log_key(changed), signatures=1)


@attack(f"{OPERATOR}a signature whose first half is a point of small order")
def small_order() -> Iterator[Attempt]:
    """Sign with the key of the giver, but with the neutral point. Some libraries take that."""
    _, changed, item = _story("record 1:0 acme > ann at 15000")
    assert item.signed is not None
    scalar = int.from_bytes(hashlib.sha512(bytes(secret("a1"))).digest()[:32], "little")
    scalar = scalar & ((1 << 254) - 8) | 1 << 254
    point, message = b"\x01" + bytes(31), pre_authentication_encoding(STATEMENT, item.signed.statement)
    challenge = int.from_bytes(hashlib.sha512(point + public("a1") + message).digest(), "little")
    signature = point + (challenge * scalar % ORDER).to_bytes(32, "little")
    signed = Signed(item.signed.statement, signature)
    with_recorded(changed, msgspec.structs.replace(item, signed=signed))
    yield Attempt(under_the_log_key(changed), signatures=1)


@attack(f"{OPERATOR}ranges of units in another order than the statement has them")
def disorder() -> Iterator[Attempt]:
    """Turn the ranges of a hop around."""
    _, changed, item = _story("record 1:0, 1:2 acme > ann at 15000")
    assert isinstance(item.event, events.TransferRecorded)
    terms = msgspec.structs.replace(item.event.terms, ranges=item.event.terms.ranges[::-1])
    with_event(changed, item.position, msgspec.structs.replace(item.event, terms=terms))
    yield Attempt(under_the_log_key(changed), signatures=1)
