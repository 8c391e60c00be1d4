"""Chains: the past of each party and of each batch, which ends in a head as the past of a run does.

The chain of a party has the events about its registration, its keys, its authorizations and its products. The operator
has a chain, too, which the opening of the book begins. The chain of a batch
has its commissioning and its recalls. Both have their corrections. The movements of units are in the heads of runs.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple, TypeAlias, assert_never

from pathbook.ledger import events, key_events
from pathbook.ledger.command_fields import OPERATOR
from pathbook.ledger.events import Event, RecordedEvent
from pathbook.ledger.run import EMPTY_HEAD, next_head

Chain: TypeAlias = str | int
"""The name of a chain within its book: the id of a party, OPERATOR, or the number of a batch."""


class Link(NamedTuple):
    """A chain that an event extends. ``begins`` tells whether the event is the first of the chain."""

    chain: Chain
    begins: bool = False


class ChainHead(NamedTuple):
    """The head of a chain, and the position of its last event."""

    head: bytes
    head_position: int


BEGINNING: Final = ChainHead(EMPTY_HEAD, 0)
"""The head of a chain before its first event."""


def links(event: Event) -> tuple[Link, ...]:
    """Return the chains that an event extends.

    An authorization extends the chain of the party that has it, not that of its upline. A product extends the chain
    of its brand.
    """
    match event:  # the most frequent kinds come first, because a match tries its cases in turn
        case (
            events.TransferRecorded()
            | events.UnitsSold()
            | events.TransferOffered()
            | events.TransferAccepted()
            | events.TransferDeclined()
            | events.TransferWithdrawn()
            | events.TransferLapsed()
            | events.ReversalAsked()
            | events.TransferReversed()
            | events.UnitsDelivered()
            | events.PurchaseConfirmed()
            | events.UnitsReturned()
            | events.UnitsWrittenOff()
            | events.CasePacked()
            | events.CaseUnpacked()
            | events.TransferAttested()
            | events.ErrorDeclared()
            | events.Sealed()
            | key_events.StatementsFiled()
        ):
            return ()
        case events.BookOpened():
            return (Link(OPERATOR, begins=True),)
        case key_events.KeyRegistered(party=party) | key_events.KeyRevoked(party=party):
            return (Link(party),)
        case events.PartyRegistered(party=party):
            return (Link(party, begins=True),)
        case (
            events.PartyAuthorized(party=party)
            | events.AuthorizationRevoked(party=party)
            | events.PartyCorrected(party=party)
        ):
            return (Link(party),)
        case events.ProductRegistered(brand=brand) | events.ProductCorrected(brand=brand):
            return (Link(brand),)
        case events.BatchCommissioned(batch=batch):
            return (Link(batch, begins=True),)
        case (
            events.UnitsRecalled(batch=batch)
            | events.RecallLifted(batch=batch)
            | events.BatchCorrected(batch=batch)
        ):
            return (Link(batch),)
        case _:
            assert_never(event)


def begun_before(recorded: Iterable[RecordedEvent]) -> set[Chain]:
    """Return the chains that consecutive events extend and that began before them."""
    begun: set[Chain] = set()
    before: set[Chain] = set()
    for item in recorded:
        for chain, begins in links(item.event):
            if begins:
                begun.add(chain)
            elif chain not in begun:
                before.add(chain)
    return before


def extended(
    heads: Mapping[Chain, ChainHead], recorded: RecordedEvent, *, without: Chain | None = None
) -> dict[Chain, ChainHead]:
    """Return the heads of the chains that an event extends, after the event. ``heads`` has those before it.

    The chain ``without`` is left out.

    Raises:
        KeyError: a chain that began before has no head in ``heads``.
    """
    return {
        chain: ChainHead(
            next_head((BEGINNING if begins else heads[chain]).head, recorded.leaf, recorded.position),
            recorded.position,
        )
        for chain, begins in links(recorded.event)
        if chain != without
    }
