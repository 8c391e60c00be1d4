"""Attacks by the operator, who has the key of the log, and whose checkpoints witnesses cosign without reading them."""

import itertools
from collections.abc import Iterator

import msgspec

from pathbook.ledger import events
from pathbook.ledger.codec import decode
from pathbook.ledger.events import Event
from pathbook.ledger.proofs.unit_proof import StoredEvent
from pathbook.ledger.values import Unit
from tests.proofs import prover
from tests.proofs.prover import Ledger
from tests.scenario import DAY
from tests.verify.attacking import (
    GENUINE,
    HONEST,
    NOW,
    STORY,
    Attempt,
    attack,
    printed,
    repriced,
    under_the_log_key,
    with_event,
)


def _seals(**changes: object) -> bytes:
    changed = Ledger(STORY)
    sealed = msgspec.structs.replace(changed.sealed(), **changes)
    return printed(changed.append_seal(sealed).prove())


@attack("by the operator, signed and cosigned: a Sealed event that cannot be")
def false_seals() -> Iterator[Attempt]:
    """Seal the future, a wrong root, other sizes, and something that seals nothing."""
    last = HONEST.recorded[-1]
    for covers in (last.position + 1, last.position + 2, 2**40):
        yield Attempt(_seals(covers=covers))
    for moment in (last.recorded_at + DAY, last.recorded_at + 2 * prover.SECOND):
        yield Attempt(_seals(covers_recorded_at=moment))
    for batches, parties in ((1, 3), (3, 3), (2, 2), (2, 4), (2**62, 3)):
        yield Attempt(_seals(batches=batches, parties=parties))
    yield Attempt(_seals(root=bytes(32)))
    for position in (1, last.position):
        changed = Ledger(STORY).append_seal()
        changed.log[-1] = changed.log[position - 1]
        changed.seal = StoredEvent(len(changed.log), changed.log[-1])
        yield Attempt(printed(changed.prove()))


@attack("by the operator: a seal that claims a time to come")
def post_dated() -> Iterator[Attempt]:
    """Seal tomorrow, so that the proof looks fresh for longer."""
    for days in (1, 30):
        changed = Ledger(STORY)
        sealed = msgspec.structs.replace(changed.sealed(), covers_recorded_at=NOW.moment + days * DAY)
        yield Attempt(printed(changed.append_seal(sealed, later=(days + 2) * DAY).prove()))


@attack("by the operator: events after the covered position, or of a later time")
def uncovered() -> Iterator[Attempt]:
    """Put an event under the root that the Sealed event does not cover."""
    last = HONEST.recorded[-1]
    yield Attempt(_seals(covers=last.position - 1))
    yield Attempt(_seals(covers_recorded_at=last.recorded_at - 1))


def unrevoked() -> tuple[int, Event]:
    """Return the last hop as if its giver had not been revoked: its position, and the event."""
    item = HONEST.recorded[-1]
    assert isinstance(item.event, events.TransferRecorded)
    (authority,) = item.event.terms.authorities
    false = msgspec.structs.replace(authority, giver_authorization=authority.receiver_authorization)
    terms = msgspec.structs.replace(item.event.terms, authorities=(false,))
    return item.position, msgspec.structs.replace(item.event, terms=terms)


@attack("by the operator: two events at one position, or times that run backwards")
def disordered() -> Iterator[Attempt]:
    """Put the events of the unit, of the batch and of the parties at each other's positions."""
    for chain, place in itertools.product(("acme", "ann", "ben", 1), range(1, 4)):
        changed = Ledger(STORY)
        own = changed.batches[1] if chain == 1 else changed.parties[str(chain)]
        if place >= len(own):
            continue
        unit = changed.units[1, 0]
        used = [item.position for item in unit[1:]]
        for position in used:
            if (place == 0 or own[place - 1].position < position) and (
                place + 1 >= len(own) or position < own[place + 1].position
            ):
                again = Ledger(STORY)
                chained = again.batches[1] if chain == 1 else again.parties[str(chain)]
                chained[place] = StoredEvent(position, chained[place].data)
                yield Attempt(under_the_log_key(again))
    hidden = Ledger(STORY)
    position, last = unrevoked()
    hidden.parties["ben"][-1] = StoredEvent(position, hidden.parties["ben"][-1].data)
    yield Attempt(under_the_log_key(with_event(hidden, position, last)))
    for place in range(2):
        changed = Ledger(STORY)
        item = decode(*changed.parties["acme"][place])
        late = msgspec.structs.replace(item, recorded_at=item.recorded_at + 1, occurred_at=item.occurred_at)
        moved_to = StoredEvent(item.position, prover.bytes_of(item.event, late))
        changed.parties["acme"][place] = moved_to
        sealed = msgspec.structs.replace(
            changed.sealed(), covers_recorded_at=HONEST.recorded[-1].recorded_at + 1
        )
        yield Attempt(printed(changed.append_seal(sealed).prove()))


@attack("by the operator: a chain that is not of its batch or party")
def foreign() -> Iterator[Attempt]:
    """Begin chains with other events, extend them by events of others, and register a party twice."""
    for name, place in itertools.product(("ann", "ben"), range(3)):
        changed = Ledger(STORY)
        changed.parties[name].insert(place, changed.parties["acme"][1])
        changed.parties[name].sort()
        yield Attempt(under_the_log_key(changed))
    for name in HONEST.parties:
        changed = Ledger(STORY)
        del changed.parties[name][0]
        yield Attempt(under_the_log_key(changed))
    for place in (1, 2):
        changed = Ledger(STORY)
        changed.batches[1].insert(place, changed.batches[2][0])
        changed.batches[1].sort()
        yield Attempt(under_the_log_key(changed))
        changed = Ledger(STORY)
        recall = changed.recorded[HONEST.batches[1][1].position - 1].event
        assert isinstance(recall, events.UnitsRecalled)
        with_event(changed, HONEST.batches[1][1].position, msgspec.structs.replace(recall, batch=2))
        yield Attempt(under_the_log_key(changed))
    unseen = Ledger(STORY)
    unseen.parties["ben again"] = unseen.parties["ben"][:-1]
    yield Attempt(under_the_log_key(with_event(unseen, *unrevoked())))
    lifted = Ledger(STORY)
    recalled = lifted.batches[1][1].position
    with_event(lifted, recalled + 1, events.RecallLifted(recalled, "acme", 2))
    yield Attempt(printed(lifted.append_seal().prove(1, 3)), Unit(1, 3))
    for first in (2, 4):
        changed = Ledger(STORY)
        other = changed.batches[2][0] if first == 2 else changed.parties["ann"][0]
        changed.batches[1][0] = changed.units[1, 0][0] = other
        yield Attempt(under_the_log_key(changed))
    changed = Ledger(STORY)
    changed.units[1, 5] = changed.units[1, 4]
    changed.sizes[1] = 6
    yield Attempt(under_the_log_key(changed))
    for number in (5, 7):
        changed = Ledger(STORY)
        small = changed.recorded[7].event
        assert isinstance(small, events.BatchCommissioned)
        with_event(changed, 8, msgspec.structs.replace(small, size=0))
        yield Attempt(printed(changed.append_seal().prove()), Unit(1, number))


@attack("by the operator: an authority that no chain gives")
def false_authority() -> Iterator[Attempt]:
    """State another status or tier in the terms of a hop, or leave the revocation out of the chain alone."""
    changed = Ledger(STORY)
    position = HONEST.recorded[-1].position
    event = changed.recorded[position - 1].event
    assert isinstance(event, events.TransferRecorded)
    (authority,) = event.terms.authorities
    for false in (
        msgspec.structs.replace(authority, giver_authorization=authority.receiver_authorization),
        msgspec.structs.replace(authority, receiver_tier=7),
        msgspec.structs.replace(authority, giver_tier=None),
    ):
        terms = msgspec.structs.replace(event.terms, authorities=(false,))
        yield Attempt(
            under_the_log_key(
                with_event(Ledger(STORY), position, msgspec.structs.replace(event, terms=terms))
            )
        )
    changed = Ledger(STORY)
    changed.parties["ben"].pop()
    yield Attempt(under_the_log_key(changed))
    changed = Ledger(STORY)
    changed.parties["acme"].pop()
    yield Attempt(under_the_log_key(changed))


@attack("by the operator: a path that no book would have recorded")
def impossible() -> Iterator[Attempt]:
    """Drop, repeat and reprice events of the unit, and seal that."""
    for place in range(1, len(GENUINE.events)):
        changed = Ledger(STORY)
        del changed.units[1, 0][place]
        yield Attempt(under_the_log_key(changed))
    offered = next(
        item.position for item in HONEST.recorded if isinstance(item.event, events.TransferOffered)
    )
    yield Attempt(under_the_log_key(repriced(offered, 1)))
    yield Attempt(under_the_log_key(repriced(offered + 1, 1)))
    changed = Ledger(STORY)
    lifted = events.RecallLifted(3, "acme", 1)
    with_event(changed, HONEST.batches[1][2].position, lifted)
    yield Attempt(under_the_log_key(changed))
