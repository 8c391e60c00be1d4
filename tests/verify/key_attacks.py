"""Attacks on keys: chains left out, endorsements, rotations, recoveries and revocations that no honest book has."""

import itertools
from collections.abc import Iterator

import msgspec

from pathbook.ledger import events
from pathbook.ledger.key_events import KeyRegistered, KeyRevoked, Signed
from pathbook.ledger.proofs.statements import KEY, key_text
from pathbook.v1.statements_pb2 import Statement
from tests.proofs import prover
from tests.proofs.prover import Ledger
from tests.scenario import NOON
from tests.verify.attacking import Attempt, attack, printed, under_the_log_key, with_event, with_recorded
from tests.verify.signed_attacks import (
    FILE,
    HONEST,
    OPERATOR,
    TOLD,
    WEAK,
    alone,
    by_key,
    own,
    resigned,
    sealed,
)
from tests.verify.signed_story import (
    SignedStory,
    begun,
    key_registered,
    key_revoked,
    public,
    sign,
    told,
)


@attack(f"{OPERATOR}a weak key, under which one signature fits every message")
def weak() -> Iterator[Attempt]:
    """Sign with keys of small order: in statements, and in the registration of a key."""
    identity = b"\x01" + bytes(31)
    for key, item in itertools.product(WEAK, alone()):
        assert item.signed is not None
        statement = Statement.FromString(item.signed.statement)
        statement.key = key
        data = statement.SerializeToString()
        for point in (identity, key):
            yield Attempt(sealed(msgspec.structs.replace(item, signed=Signed(data, point + bytes(32)))))
    for key in WEAK:
        story = begun()
        event = key_registered("ben", "b2", "ann", "n1")
        story.force(msgspec.structs.replace(event, key=key, possession=identity + bytes(32)), "b1")
        yield _moved(story)
        story = begun()
        unsigned = msgspec.structs.replace(event, recovery_key=key)
        text = key_text(prover.ORIGIN, unsigned)
        possession, endorsement = sign("b2", KEY, text), sign("n1", KEY, text)
        story.force(msgspec.structs.replace(unsigned, possession=possession, endorsement=endorsement), "b1")
        yield _moved(story)


@attack("a chain of keys left out, when signatures are demanded")
def left_out() -> Iterator[Attempt]:
    """Show only some of the chains of the parties that signed."""
    names = tuple(HONEST.parties)
    for name in ("", "acme", "ann", "ben", "cat"):
        kept = tuple(each for each in names if each != name)
        yield Attempt(printed(HONEST.prove(parties=kept)), signatures=1)
    yield Attempt(printed(HONEST.prove(parties=())), signatures=1)
    yield Attempt(FILE, signatures=2)


@attack(f"{OPERATOR}no statement, when the book or the caller demands one")
def unsigned() -> Iterator[Attempt]:
    """Take the statement from each hop."""
    strict = told(must_sign=True)
    for item in own():
        bare = msgspec.structs.replace(item, signed=None)
        if isinstance(item.event, events.TransferRecorded | events.UnitsSold):
            yield Attempt(sealed(bare), signatures=1)
        yield Attempt(under_the_log_key(with_recorded(Ledger(strict), bare)))


def _moved(story: SignedStory) -> Attempt:
    """Return the proof of a unit that went to ben, and that ben signed away with the last key."""
    story.tell("record 1:0 acme > ben at 15000\nrecord 1:0 ben > cat at 16000")
    return Attempt(under_the_log_key(Ledger(story)), later=story.now - NOON, signatures=1)


@attack(f"{OPERATOR}a key that no one endorsed who may, or whose signatures are false")
def endorsed() -> Iterator[Attempt]:
    """Register a key of ben in ways that are not allowed, and sign with it."""
    good = key_registered("ben", "evil", "ann", "n1")
    for forged in (
        msgspec.structs.replace(good, endorsement=good.possession),
        msgspec.structs.replace(good, possession=good.endorsement),
        msgspec.structs.replace(good, recovery_key=public("other")),
        msgspec.structs.replace(good, party="ben", endorser="acme"),
        key_registered("ben", "evil", "ann", "n1", origin="other.example/book"),
        key_registered("ben", "evil", "acme", "a1"),
        key_registered("ben", "evil", "cat", "c1"),
        key_registered("ben", "evil", "", "op"),
        key_registered("ben", "evil", "ann", "a1"),
        key_registered("ben", "evil", "ann", "evil"),
        key_registered("ben", "evil", "ben", "evil"),
        key_registered("ben", "evil", "ben", "b1"),
        key_registered("ben", "evil", "ben", "n1", "b1"),
        key_registered("ben", "evil", "ann", "n1", "b1"),
        key_registered("ben", "evil", "ann", "n1", recovery="evil"),
        key_registered("ben", "evil", "ben", "evil", "b1"),
    ):
        story = begun()
        story.force(forged, "evil")
        yield _moved(story)
    for forged in (key_registered("ben", "c1", "ann", "n1"), key_registered("ben", "n1", "ann", "n1")):
        story = begun()
        story.force(forged, story.signers["cat" if forged.key == public("c1") else "ann"])
        yield _moved(story)
    for forged in (
        key_registered("", "evil", "", "evil"),
        key_registered("", "evil", "acme", "a1"),
        key_registered("", "evil", "", "evil", "op"),
    ):
        story = begun()
        story.force(forged, "evil")
        story.force(key_registered("acme", "evil too", "", "evil"), "evil too")
        yield _moved(story)


@attack(f"{OPERATOR}an endorser whose authorization or key is no longer in force")
def outdated() -> Iterator[Attempt]:
    """Let ann endorse a key of ben after it lost its say, and with a key that was revoked."""
    story = begun()
    story.tell("today is 2026-01-03\nrevoke given by ann from 2026-01-02")
    story.force(key_registered("ben", "evil", "ann", "n1"), "evil")
    yield _moved(story)
    story = begun()
    story.revoke("ann", "n1", "ann", "n1")
    story.force(key_registered("ben", "evil", "ann", "n1"), "evil")
    del story.signers["ann"]
    yield _moved(story)
    story = begun()
    story.tell("agent dan\nauthorize dan tier 1 by acme until 2026-01-02\ntoday is 2026-01-02")
    story.force(key_registered("dan", "evil", "acme", "a1"), "evil")
    story.tell("record 1:0 acme > dan at 15000\nrecord 1:0 dan > cat at 16000")
    yield Attempt(under_the_log_key(Ledger(story)), later=story.now - NOON, signatures=1)
    story = begun()
    story.tell("agent dan\nauthorize dan tier 1 by acme from 2026-01-02")
    story.force(key_registered("dan", "evil", "acme", "a1"), "evil")
    story.tell("record 1:0 acme > dan at 15000\nrecord 1:0 dan > cat at 16000")
    yield Attempt(under_the_log_key(Ledger(story)), signatures=1)
    story = begun()
    for number in range(8):
        story.force(key_registered("ben", f"spare {number}", "ann", "n1"), f"spare {number}")
    yield _moved(story)


@attack(f"{OPERATOR}a hostile recovery, and a rotation that a recovery undid")
def recovered() -> Iterator[Attempt]:
    """Undo rotations too late, with another key, or what was no rotation; and use what was undone."""
    rotate = key_registered("ben", "b2", "ben", "b1", "b1", "b2 recovery")
    undo = key_registered("ben", "b3", "ben", "b1 recovery", "b2")
    story = begun()
    story.force(rotate, "b2")
    story.tell("today is 2026-01-05")
    story.force(undo, "b3")
    yield _moved(story)
    for forged in (
        key_registered("ben", "b3", "ben", "evil", "b2"),
        key_registered("ben", "b3", "ben", "b2 recovery", "b2"),
        key_registered("ben", "b3", "ben", "n1 recovery", "b2"),
        key_registered("ben", "b3", "ben", "b1 recovery", "b1"),
        key_registered("ben", "b3", "ben", "b1 recovery"),
        key_registered("ben", "b3", "ann", "b1 recovery", "b2"),
    ):
        story = begun()
        story.force(rotate, "b2")
        story.force(forged, "b3")
        yield _moved(story)
    story = begun()
    story.force(rotate, "b2")
    story.force(undo, "b3")
    story.force(key_registered("ben", "evil", "ben", "b2 recovery", "b3"), "evil")
    yield _moved(story)
    story = begun()
    story.force(rotate, "b2")
    story.revoke("ben", "b2", "ben", "b2")
    story.force(undo, "b3")
    yield _moved(story)
    for name in ("b1", "b2"):
        story = begun()
        story.force(rotate, "b2")
        story.force(undo, "b3")
        story.signers["ben"] = "b3"
        story.tell("record 1:0 acme > ben at 15000\nrecord 1:0 ben > cat at 16000")
        changed = Ledger(story)
        with_recorded(changed, resigned(story.recorded[-1], name, by_key("ben", name)))
        yield Attempt(under_the_log_key(changed), signatures=1)


@attack(f"{OPERATOR}a revocation by one that may not revoke, or that no key signed")
def revoked() -> Iterator[Attempt]:
    """Revoke a key of ben, so that what it signed earlier is all that counts."""
    good = key_revoked("ben", "b1", "ann", "n1")
    for forged in (
        msgspec.structs.replace(good, signature=bytes(64)),
        key_revoked("ben", "b1", "ann", "n1", origin="other.example/book"),
        key_revoked("ben", "b1", "acme", "a1"),
        key_revoked("ben", "b1", "", "a1"),
        key_revoked("ben", "b1", "cat", "c1"),
        key_revoked("ben", "b1", "ben", "n1"),
        key_revoked("ben", "b1", "ben", "a1 recovery"),
        key_revoked("ben", "b1", "ann", "a1"),
    ):
        story = begun()
        story.tell("record 1:0 acme > ben at 15000\nrecord 1:0 ben > cat at 16000")
        story.force(forged, "b1")
        yield Attempt(under_the_log_key(Ledger(story)), signatures=1)
    for again in (KeyRevoked("ben", public("stranger"), "ann", public("n1"), bytes(64)), good):
        story = begun()
        story.tell("record 1:0 acme > ben at 15000\nrecord 1:0 ben > cat at 16000")
        story.revoke("ben", "b1", "ann", "n1")
        changed = Ledger(story)
        twice = msgspec.structs.replace(story.recorded[-1], position=story.recorded[-1].position, event=again)
        if again == good:
            story.force(key_revoked("ben", "b1", "ann", "n1"), "b1")
            changed = Ledger(story)
        else:
            with_recorded(changed, twice)
        yield Attempt(under_the_log_key(changed), signatures=1)


@attack(f"{OPERATOR}another chain of the operator")
def operators() -> Iterator[Attempt]:
    """Open the book for another origin, and begin the operator's chain with something else."""
    changed = Ledger(TOLD)
    opened = changed.recorded[0].event
    assert isinstance(opened, events.BookOpened)
    with_event(changed, 1, msgspec.structs.replace(opened, origin="other.example/book"))
    yield Attempt(under_the_log_key(changed))
    for place in range(2):
        changed = Ledger(TOLD)
        del changed.parties[""][place]
        yield Attempt(under_the_log_key(changed), signatures=1)
    changed = Ledger(TOLD)
    changed.parties = {"acme": changed.parties.pop("acme"), **changed.parties}
    yield Attempt(under_the_log_key(changed), signatures=1)
    changed = Ledger(TOLD)
    registered = next(item for item in TOLD.recorded if isinstance(item.event, KeyRegistered))
    assert isinstance(registered.event, KeyRegistered)
    with_event(changed, registered.position, msgspec.structs.replace(registered.event, endorsement=bytes(64)))
    yield Attempt(under_the_log_key(changed))
