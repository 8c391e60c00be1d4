"""Attacks by the operator with bytes that other programs would read otherwise: of events, and of statements in them."""

from collections.abc import Iterator
from typing import Final

from pathbook.ledger import events
from pathbook.ledger.proofs.statements import STATEMENT
from pathbook.ledger.proofs.unit_proof import StoredEvent
from pathbook.v1.events_pb2 import Event
from pathbook.v1.statements_pb2 import Statement
from tests.proofs.prover import Ledger
from tests.verify.attacking import Attempt, attack, printed, under_the_log_key
from tests.verify.signed_attacks import OPERATOR
from tests.verify.signed_story import SignedStory, begun, sign
from tests.verify.wire import bends

HOP: Final = "record 1:0 acme > ann at 15000"
CORRECTED: Final = f"{HOP}\nwrite off 1:0 by ann as damaged as w\ndeclare w an error by ann"


@attack(f"{OPERATOR}an event of two kinds, and other bytes that programs read in two ways")
def events_in_two_ways() -> Iterator[Attempt]:
    """Bend a hop in all ways, and some of them of a declared error, of an event of a party, and of the seal."""
    yield from _bent(HOP_BOOK, len(HOP_BOOK.recorded))
    story = _told(CORRECTED)
    yield from _bent(story, len(story.recorded), each=3)
    given = next(item for item in story.recorded if isinstance(item.event, events.PartyAuthorized))
    yield from _bent(story, given.position, each=5)
    honest = Ledger(HOP_BOOK).append_seal()
    assert honest.seal is not None
    for data in list(bends(honest.seal.data, Event.DESCRIPTOR))[::3]:
        changed = Ledger(HOP_BOOK).append_seal()
        changed.seal = StoredEvent(len(changed.log), data)
        changed.log[-1] = data
        yield Attempt(printed(changed.prove()))


@attack(f"{OPERATOR}and the giver of a hop: a signed statement that programs read in two ways")
def statements_in_two_ways() -> Iterator[Attempt]:
    """Bend the statement of a hop, and sign it again."""
    event = Event.FromString(Ledger(HOP_BOOK).log[-1])
    for data in list(bends(event.statement, Statement.DESCRIPTOR))[::2]:
        event.statement, event.signature = data, sign("a1", STATEMENT, data)
        yield Attempt(_with_bytes(HOP_BOOK, len(HOP_BOOK.recorded), event.SerializeToString()))


def _told(text: str) -> SignedStory:
    story = begun()
    story.tell(text)
    return story


HOP_BOOK: Final = _told(HOP)


def _bent(story: SignedStory, position: int, each: int = 1) -> Iterator[Attempt]:
    for data in list(bends(Ledger(story).log[position - 1], Event.DESCRIPTOR))[::each]:
        yield Attempt(_with_bytes(story, position, data))


def _with_bytes(story: SignedStory, position: int, data: bytes) -> bytes:
    """Return the proof of a book in which the bytes of an event are others, wherever it is in the lists."""
    changed = Ledger(story)
    changed.log[position - 1] = data
    for chains in (changed.units, changed.batches, changed.parties):
        for chain in chains.values():
            chain[:] = [StoredEvent(position, data) if item.position == position else item for item in chain]
    return under_the_log_key(changed)
