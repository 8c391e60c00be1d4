"""The arithmetic of a proof: from the bytes of events to the custody root, to the Sealed event, to the checkpoint."""

from collections.abc import Sequence
from typing import Final

import msgspec

from pathbook.ledger.chains import Chain, links
from pathbook.ledger.codec import MalformedEventError, NewerEventError, decode, leaf_hash
from pathbook.ledger.command_fields import OPERATOR
from pathbook.ledger.events import BatchCommissioned, BookOpened, PartyRegistered, RecordedEvent, Sealed
from pathbook.ledger.proofs.checkpoint import Checkpoint
from pathbook.ledger.proofs.custody import batch_leaf, custody_root, party_leaf, unit_leaf
from pathbook.ledger.proofs.tree import root_of_inclusion, root_of_multiproof
from pathbook.ledger.proofs.unit_proof import StoredEvent, UnitProof
from pathbook.ledger.run import EMPTY_HEAD, next_head
from pathbook.verify.guards import Guard, require
from pathbook.verify.replay import ContradictionError, NewerPathError

_NO_TREE: Final = b"no tree has this audit path"
"""Stands for the root of a tree that cannot be. No hash equals it."""


class Proven(msgspec.Struct, frozen=True):
    """What a proof proves: the events that lie under the custody root of a Sealed event.

    Attributes:
        seal: the Sealed event.
        made: the commissioning of the unit's batch.
        batch_events: all events of the batch's own chain.
        parties: all events of the chain of each party that the proof has, by the ids of the parties. That of the
            operator is under OPERATOR.
    """

    seal: RecordedEvent
    made: BatchCommissioned
    batch_events: tuple[RecordedEvent, ...]
    parties: dict[str, tuple[RecordedEvent, ...]]

    @property
    def sealed(self) -> Sealed:
        """What was sealed."""
        assert isinstance(self.seal.event, Sealed)  # `prove` accepts no other
        return self.seal.event


def prove(proof: UnitProof, checkpoint: Checkpoint) -> Proven:
    """Return what a proof proves under a checkpoint that its log signed.

    Raises:
        RefutedError: it does not lead to that checkpoint, or is no proof of its unit.
        ContradictionError: a sealed event is malformed.
        NewerPathError: a sealed event is newer than this program.
    """
    position = proof.seal.index + 1
    require(
        Guard.LAST_LEAF,
        position == checkpoint.size,
        f"the checkpoint has {checkpoint.size} leaves, but the Sealed event is leaf {position}, not the last",
    )
    root = root_of_inclusion(leaf_hash(proof.sealed), proof.seal.index, checkpoint.size, proof.seal.path)
    require(Guard.INCLUDED, root == checkpoint.root, "the Sealed event is not in the tree of the checkpoint")
    seal = _decoded(StoredEvent(position, proof.sealed))
    sealed = seal.event
    is_sealed = (
        isinstance(sealed, Sealed)
        and sealed.covers < position
        and sealed.covers_recorded_at <= seal.recorded_at
    )
    require(Guard.SEALED, is_sealed, f"the event at position {position} seals nothing before it")
    assert isinstance(sealed, Sealed), sealed
    first, made = _commissioning(proof)
    require(
        Guard.CUSTODY_ROOT,
        custody_root(_root_of_batches(proof, made, sealed), _root_of_parties(proof, sealed)) == sealed.root,
        "the events do not lead to the custody root that was sealed: some were changed or left out",
    )
    # only now is it known that the book sealed these bytes, so what is wrong with them from here on is its doing
    batch_events = (first, *map(_decoded, proof.batch_events[1:]))
    _require_chain(Guard.BATCH_CHAIN, proof.unit.batch, batch_events)
    return Proven(seal, made, batch_events, _parties(proof))


def require_order(recorded: Sequence[RecordedEvent], sealed: Sealed) -> None:
    """Require one order of all events that a proof shows, by their positions and their times, until the seal.

    Raises:
        RefutedError: there is none. An event that a proof has in two chains is one event.
    """
    last: RecordedEvent | None = None
    for item in sorted(recorded, key=lambda each: each.position):
        where = f"the event at position {item.position}"
        is_covered = item.position <= sealed.covers and item.recorded_at <= sealed.covers_recorded_at
        require(Guard.COVERED, is_covered, f"{where} is later than what was sealed")
        if last is not None:
            is_next = item.leaf == last.leaf if item.position == last.position else True
            require(
                Guard.ONE_ORDER,
                is_next and item.recorded_at >= last.recorded_at,
                f"{where} contradicts the one at position {last.position}",
            )
        last = item


def _decoded(stored: StoredEvent) -> RecordedEvent:
    try:
        return decode(stored.position, stored.data, strict=True)
    except MalformedEventError as error:
        raise ContradictionError(str(error)) from error
    except NewerEventError as error:
        raise NewerPathError(str(error)) from error


def _commissioning(proof: UnitProof) -> tuple[RecordedEvent, BatchCommissioned]:
    """Return the event with which the chain of the batch begins. Its size is that of the custody tree."""
    try:
        first = decode(*proof.batch_events[0], strict=True) if proof.batch_events else None
    except (MalformedEventError, NewerEventError):
        first = None
    made = None if first is None else first.event
    require(
        Guard.COMMISSIONED,
        isinstance(made, BatchCommissioned),
        "the first event of the batch does not make it",
    )
    assert first is not None
    assert isinstance(made, BatchCommissioned), made
    return first, made


def _parties(proof: UnitProof) -> dict[str, tuple[RecordedEvent, ...]]:
    """Return the events of each party of a proof, by its id."""
    found: dict[str, tuple[RecordedEvent, ...]] = {}
    for party in proof.parties:
        recorded = tuple(map(_decoded, party.events))
        first = recorded[0].event if recorded else None
        begins = isinstance(first, PartyRegistered if party.number else BookOpened)
        require(
            Guard.PARTY_CHAIN,
            begins,
            f"the chain of party {party.number} does not begin with its registration",
        )
        name = first.party if isinstance(first, PartyRegistered) else OPERATOR
        _require_chain(Guard.PARTY_CHAIN, name, recorded)
        require(Guard.ONE_PARTY, name not in found, f"{name} was registered twice")
        found[name] = recorded
    return found


def _require_chain(guard: Guard, chain: Chain, recorded: Sequence[RecordedEvent]) -> None:
    """Require that each event extends a chain, and that none but the first begins it."""
    for place, item in enumerate(recorded):
        extended = [link for link in links(item.event) if link.chain == chain]
        is_next = len(extended) == 1 and extended[0].begins is (place == 0)
        require(guard, is_next, f"the event at position {item.position} is not of the chain of {chain}")


def _head(stored: Sequence[StoredEvent]) -> bytes:
    head = EMPTY_HEAD
    for position, data in stored:
        head = next_head(head, leaf_hash(data), position)
    return head


def _root_of_batches(proof: UnitProof, made: BatchCommissioned, sealed: Sealed) -> bytes:
    head = _head([*proof.batch_events[:1], *proof.events])
    custody = root_of_inclusion(unit_leaf(head), proof.unit.number, made.size, proof.custody)
    leaf = batch_leaf(custody or _NO_TREE, made.size, _head(proof.batch_events))
    return root_of_inclusion(leaf, proof.unit.batch - 1, sealed.batches, proof.batch) or _NO_TREE


def _root_of_parties(proof: UnitProof, sealed: Sealed) -> bytes:
    """Return the root of the register of parties."""
    leaves = [party_leaf(_head(party.events)) for party in proof.parties]
    numbers = [party.number for party in proof.parties]
    return root_of_multiproof(numbers, leaves, sealed.parties, proof.register) or _NO_TREE
