"""The corrections of an event, a product, a batch or a party, oldest first."""

from typing import assert_never

import msgspec

from pathbook.ledger.projections.registers import (
    corrected_batch,
    corrected_event,
    corrected_party,
    corrected_product,
)
from pathbook.ledger.queries.answers import Correction
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.snapshot import ViewSnapshot


class OfEvent(msgspec.Struct, frozen=True, gc=False):
    """The event at a position, which may have been declared an error."""

    position: int


class OfProduct(msgspec.Struct, frozen=True, gc=False):
    """The product with a GTIN of 14 digits."""

    gtin: str


class OfBatch(msgspec.Struct, frozen=True, gc=False):
    """The batch with a number."""

    number: int


class OfParty(msgspec.Struct, frozen=True, gc=False):
    """The party with an id."""

    party: str


Subject = OfEvent | OfProduct | OfBatch | OfParty
"""What may have been corrected."""


def corrections(
    views: ViewSnapshot, stream: Stream, subject: Subject, after: int, limit: int
) -> list[Correction] | Refusal:
    """Return the corrections of a subject after a position, oldest first."""
    named = _name(views, subject)
    if isinstance(named, Refusal):
        return named
    positions = [row.position for row in views.corrections(named, after, limit)]
    # only the declaration of an error may have a note
    notes = stream.notes_at(views.book, positions) if isinstance(subject, OfEvent) else {}
    return [
        Correction(entry.position, entry.data, notes.get(entry.position))
        for entry in stream.at(views.book, positions)
    ]


def _name(views: ViewSnapshot, subject: Subject) -> str | Refusal:
    """Return the subject as the views name it, or refuse one that the book does not know."""
    match subject:
        case OfEvent(position):
            return corrected_event(position)
        case OfProduct(gtin):
            known = views.product(gtin) is not None
            return corrected_product(gtin) if known else refuse(Reason.PRODUCT_UNKNOWN, product=gtin)
        case OfBatch(number):
            known = views.batch(number) is not None
            return corrected_batch(number) if known else refuse(Reason.BATCH_UNKNOWN, batch=number)
        case OfParty(party):
            known = views.party(party) is not None
            return corrected_party(party) if known else refuse(Reason.PARTY_UNKNOWN, party=party)
        case _:
            assert_never(subject)
