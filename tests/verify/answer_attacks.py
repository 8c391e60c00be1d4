"""Attacks on what signatures bind: another event under a signed answer, and nothing signed where a key counts."""

from collections.abc import Iterator
from typing import Final

import msgspec

from pathbook.ledger import events
from pathbook.ledger.events import RecordedEvent
from pathbook.v1.statements_pb2 import Statement
from tests.proofs.prover import Ledger
from tests.verify.attacking import Attempt, attack, under_the_log_key, with_recorded
from tests.verify.signed_attacks import OPERATOR, later, own, resigned, sealed, signer_of
from tests.verify.signed_story import begun

ANSWERED: Final = {
    "an offer that was accepted": ("offer 1:0-1 acme > ann at 15000 as x", "accept x by ann"),
    "an offer that was accepted in part": (
        "offer 1:0-1 acme > ann at 15000 as x",
        "accept x by ann but short 1:1",
    ),
    "an offer that was declined": ("offer 1:0 acme > ann at 15000 as x", "decline x by ann"),
    "an offer that was withdrawn": ("offer 1:0 acme > ann at 15000 as x", "withdraw x by acme"),
    "a transfer that both sides reversed": (
        "record 1:0 acme > ann at 15000 as x",
        "reverse x by ann\nreverse x by acme",
    ),
    "a write-off that was declared an error": (
        "write off 1:0 by acme as damaged as x",
        "declare x an error by acme",
    ),
    "a recall that was lifted": ("recall batch 1 units 1:0-1 by acme as x", "lift x by acme"),
    "an authorization that was revoked": (
        "record 1:0 acme > cat at 15000\nauthorize cat tier 1 by acme as x",
        "revoke x by acme",
    ),
}
"""What is answered, which is named x, and what answers it."""


@attack(f"{OPERATOR}and the party that was answered: another event under a signed answer")
def answered() -> Iterator[Attempt]:
    """Put another event where a party answered one. Its own party signed it, and the answer repeats its terms."""
    for before, after in ANSWERED.values():
        story = begun()
        story.tell(before)
        item = story.recorded[story.names["x"] - 1]
        story.tell(after)
        is_offer = isinstance(item.event, events.TransferOffered)
        swapped = resigned(item, signer_of(item), _referred if is_offer else later(0, microseconds=1))
        yield Attempt(under_the_log_key(_with_reference(Ledger(story), swapped)))


def _referred(statement: Statement) -> None:
    statement.offer_transfer.reference = "another"


def _with_reference(changed: Ledger, swapped: RecordedEvent) -> Ledger:
    """Put an event in its place. Of an offer, the reference is another one, also in what accepted it."""
    event = swapped.event
    if not isinstance(event, events.TransferOffered):
        return with_recorded(changed, swapped)
    terms = msgspec.structs.replace(event.terms, reference="another")
    with_recorded(
        changed, msgspec.structs.replace(swapped, event=msgspec.structs.replace(event, terms=terms))
    )
    answer = changed.recorded[swapped.position]
    if isinstance(answer.event, events.TransferAccepted):
        agreed = msgspec.structs.replace(answer.event.terms, reference="another")
        accepted = msgspec.structs.replace(answer.event, terms=agreed)
        with_recorded(changed, msgspec.structs.replace(answer, event=accepted))
    return changed


@attack(f"{OPERATOR}a hop without a signature, of a party that has a key")
def unsigned() -> Iterator[Attempt]:
    """Take the statement from each event, and record one in the name of a party."""
    for item in own():
        if signer_of(item) != "op":
            yield Attempt(sealed(msgspec.structs.replace(item, signed=None)))
