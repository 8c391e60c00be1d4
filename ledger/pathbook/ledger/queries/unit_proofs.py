"""The proof of a unit: all that a verifier needs to check its path as of the last seal, gathered in one snapshot."""

from collections.abc import Iterable

from pathbook.ledger import events
from pathbook.ledger.codec.statements import read_statement
from pathbook.ledger.command_fields import OPERATOR
from pathbook.ledger.events import RecordedEvent
from pathbook.ledger.key_events import KeyRegistered, KeyRevoked, StatementsFiled
from pathbook.ledger.proofs.signed_note import VerifierKey, parse_note
from pathbook.ledger.proofs.tlog_proof import TlogProof
from pathbook.ledger.proofs.tree import inclusion_proof, node_of, split_hashes
from pathbook.ledger.proofs.unit_proof import (
    MAX_EVENTS,
    MAX_FILED,
    MAX_PARTIES,
    FiledStatement,
    PartyProof,
    StoredEvent,
    UnitProof,
)
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.store.custody.reading import CustodyReader, CustodySnapshot
from pathbook.ledger.store.custody.tables import BatchRow
from pathbook.ledger.store.log.checkpoints import Checkpoints, KeptCheckpoint
from pathbook.ledger.store.log.event_hashes import StoredEntry, read_event
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.tree.log_tree import LogTree
from pathbook.ledger.store.views.unit_history import history
from pathbook.ledger.values import Unit, UnitRange, is_consumer


class UnitProofs:
    """Makes the proofs of units. Threads may share it.

    A proof is as of the last seal. What came after it, and units of batches that were commissioned after it, are not
    sealed yet.
    """

    def __init__(
        self, stream: Stream, custody: CustodyReader, tree: LogTree, checkpoints: Checkpoints
    ) -> None:
        """Read from the log, custody and the views beside it, the tree over the log, and the signed checkpoints."""
        self._stream, self._tree, self._checkpoints = stream, tree, checkpoints
        self._custody = custody

    def proof(self, book: str, unit: Unit, key: VerifierKey) -> UnitProof | Refusal:
        """Return the proof of a unit. ``key`` is that of the book's log.

        It is refused as NOT_SEALED_YET, RANGE_BEYOND_BATCH or PROOF_TOO_LARGE. It raises
        eventsourcing.persistence.PersistenceError if the database fails.
        """
        with self._custody.open(book) as custody:
            batch = None if custody is None else custody.batch(unit.batch)
            if custody is None or batch is None:
                covers = 0 if custody is None else custody.seal.covers
                return refuse(Reason.NOT_SEALED_YET, batch=unit.batch, covers=covers)
            if not 0 <= unit.number < batch.size:
                named = UnitRange(unit.batch, unit.number, unit.number)
                return refuse(Reason.RANGE_BEYOND_BATCH, range=named, last=batch.size - 1)
            checkpoint = self._checkpoints.at(book, custody.seal.position)
            if checkpoint is None:  # it is signed right after the seal
                return refuse(Reason.NOT_SEALED_YET, batch=unit.batch, covers=0)
            return self._gathered(custody, book, unit, batch, key, checkpoint)

    def _gathered(
        self,
        custody: CustodySnapshot,
        book: str,
        unit: Unit,
        batch: BatchRow,
        key: VerifierKey,
        checkpoint: KeptCheckpoint,
    ) -> UnitProof | Refusal:
        seal = custody.seal
        found = history(self._custody.readers, book, unit.batch, unit.number)
        assert found is not None, unit  # the views are never behind the seal
        moved = [run.position for run in found.runs if run.position <= seal.covers]
        chain = custody.links_of_batch(unit.batch)
        if (longest := max(len(moved), len(chain))) > MAX_EVENTS:
            return too_large(f"{longest} events", f"{MAX_EVENTS} in a chain")
        entries = {
            entry.position: entry
            for entry in self._stream.at(book, sorted({*moved, *chain, seal.position}))  # with one statement
        }
        past, batch_events = ([entries[position] for position in some] for some in (moved, chain))
        shown = {entry.position: read_event(book, entry) for entry in (*past, *batch_events)}
        parties = self._parties(custody, book, shown)
        if isinstance(parties, Refusal):
            return parties
        filed = self._filed(book, shown.values())
        if isinstance(filed, Refusal):
            return filed
        index = seal.position - 1
        path = self._tree.inclusion_proof(book, seal.position, checkpoint.size)
        return UnitProof(
            seal=TlogProof(index, path, parse_note(checkpoint.note.encode())),
            log=key,
            unit=unit,
            sealed=entries[seal.position].data,
            custody=tuple(custody.unit_path(batch, unit.number)),
            batch=tuple(custody.batch_path(unit.batch)),
            batch_events=_stored(batch_events),
            events=_stored(past[1:]),  # the first one commissions the batch
            register=tuple(custody.parties_proof([party.number for party in parties])),
            parties=tuple(parties),
            filed=tuple(filed),
        )

    def _parties(
        self, custody: CustodySnapshot, book: str, shown: dict[int, RecordedEvent]
    ) -> list[PartyProof] | Refusal:
        """Return the chains of all parties that the events name, and of those above them, by their numbers.

        Their events are added to those that are shown. All parties that are missing at a time share the statements.
        """
        wanted = {OPERATOR}.union(*map(_named, shown.values()))
        proofs: dict[str, PartyProof] = {}
        while missing := wanted - proofs.keys():
            if len(wanted) > MAX_PARTIES:
                return too_large("more parties", f"{MAX_PARTIES}")
            rows = custody.parties(missing)
            assert len(rows) == len(missing), missing  # a party is registered before it is named
            links = custody.links_of_parties(row.number for row in rows)
            if (longest := max(map(len, links.values()))) > MAX_EVENTS:
                return too_large(f"{longest} events", f"{MAX_EVENTS} in a chain")
            positions = sorted({position for chain in links.values() for position in chain})
            entries = {entry.position: entry for entry in self._stream.at(book, positions)}
            for row in rows:
                chain = [entries[position] for position in links[row.number]]
                proofs[row.party] = PartyProof(row.number, _stored(chain))
            for entry in entries.values():
                shown[entry.position] = recorded = read_event(book, entry)
                wanted |= _named(recorded)
        return sorted(proofs.values(), key=lambda proof: proof.number)

    def _filed(self, book: str, shown: Iterable[RecordedEvent]) -> list[FiledStatement] | Refusal:
        """Return the signatures of the statements that were signed with others, each with its audit path."""
        places = sorted(
            {(item.signed.filed, item.signed.index) for item in shown if item.signed and item.signed.filed}
        )
        if len(places) > MAX_FILED:
            return too_large(f"{len(places)} statements", f"{MAX_FILED}")
        indexes: dict[int, list[int]] = {}
        for position, index in places:
            indexes.setdefault(position, []).append(index)
        found: list[FiledStatement] = []
        for entry in self._stream.at(book, list(indexes)):
            event = read_event(book, entry).event
            assert isinstance(event, StatementsFiled), entry.position
            leaves = split_hashes(event.leaf_hashes)
            size, node = len(leaves), node_of(leaves)
            for index in indexes[entry.position]:
                path = tuple(inclusion_proof(index, size, node))
                found.append(FiledStatement(entry.position, index, size, event.signature, path))
        return found


def too_large(size: str, limit: str) -> Refusal:
    """Return the refusal of a proof that would have more than it may."""
    return refuse(Reason.PROOF_TOO_LARGE, size=size, limit=limit)


def _stored(entries: Iterable[StoredEntry]) -> tuple[StoredEvent, ...]:
    return tuple([StoredEvent(entry.position, entry.data) for entry in entries])


def _named(recorded: RecordedEvent) -> set[str]:
    """Return the parties whose chains tell whether an event was authorized, and whose keys signed it.

    These are the brand, both sides, uplines, endorsers of keys, and the party that signed its statement.
    """
    found: set[str] = set()
    if recorded.signed is not None:
        found.add(read_statement(recorded.signed.statement).party)
    match recorded.event:
        case events.BatchCommissioned(brand=brand):
            found.add(brand)
        case events.PartyAuthorized(upline=above) | KeyRegistered(endorser=above) | KeyRevoked(revoker=above):
            found.add(above)
        case (
            events.TransferOffered(terms=terms)
            | events.TransferAccepted(terms=terms)
            | events.TransferRecorded(terms=terms)
            | events.UnitsSold(terms=terms)
        ):
            found |= {name for name in (terms.giver, terms.receiver) if not is_consumer(name)}
        case _:
            pass
    return found
