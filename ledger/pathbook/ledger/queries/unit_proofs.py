"""The proof of a unit: all that a verifier needs to check its path as of the last seal, gathered in one snapshot."""

from collections.abc import Iterable

from pathbook.ledger import events
from pathbook.ledger.proofs.signed_note import VerifierKey, parse_note
from pathbook.ledger.proofs.tlog_proof import TlogProof
from pathbook.ledger.proofs.unit_proof import MAX_EVENTS, MAX_PARTIES, PartyProof, StoredEvent, UnitProof
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.store.custody.reading import CustodyReader, CustodySnapshot
from pathbook.ledger.store.custody.tables import BatchRow
from pathbook.ledger.store.database.fast_read import ReaderPool
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
        self._custody, self._views = custody, ReaderPool(custody.views)

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
        found = history(self._views, book, unit.batch, unit.number)
        assert found is not None, unit  # the views are never behind the seal
        moved = [run.position for run in found.runs if run.position <= seal.covers]
        chain = custody.links_of_batch(unit.batch)
        if (longest := max(len(moved), len(chain))) > MAX_EVENTS:
            return too_large(f"{longest} events", f"{MAX_EVENTS} in a chain")
        past, batch_events = self._stream.at(book, moved), self._stream.at(book, chain)
        parties = self._parties(custody, book, [*past, *batch_events])
        if isinstance(parties, Refusal):
            return parties
        (sealed,) = self._stream.at(book, [seal.position])
        index = seal.position - 1
        path = self._tree.inclusion_proof(book, seal.position, checkpoint.size)
        return UnitProof(
            seal=TlogProof(index, tuple(path), parse_note(checkpoint.note.encode())),
            log=key,
            unit=unit,
            sealed=sealed.data,
            custody=tuple(custody.unit_path(batch, unit.number)),
            batch=tuple(custody.batch_path(unit.batch)),
            batch_events=_stored(batch_events),
            events=_stored(past[1:]),  # the first one commissions the batch
            parties_root=b"" if parties else custody.parties_root(),
            parties=tuple(parties),
        )

    def _parties(
        self, custody: CustodySnapshot, book: str, shown: Iterable[StoredEntry]
    ) -> list[PartyProof] | Refusal:
        """Return the chains of all parties that the events name, and of their uplines, by their numbers."""
        wanted = {name for entry in shown for name in _named(book, entry)}
        proofs: dict[str, PartyProof] = {}
        while missing := sorted(wanted - proofs.keys()):
            for name in missing:
                row = custody.party(name)
                assert row is not None, name  # a party is registered before it is named
                links = custody.links_of_party(row.number)
                if len(proofs) == MAX_PARTIES:
                    return too_large("more parties", f"{MAX_PARTIES}")
                if len(links) > MAX_EVENTS:
                    return too_large(f"{len(links)} events", f"{MAX_EVENTS} in a chain")
                chain = self._stream.at(book, links)
                proofs[name] = PartyProof(row.number, tuple(custody.party_path(row.number)), _stored(chain))
                wanted |= {upline for entry in chain for upline in _named(book, entry)}
        return sorted(proofs.values(), key=lambda proof: proof.number)


def too_large(size: str, limit: str) -> Refusal:
    """Return the refusal of a proof that would have more than it may."""
    return refuse(Reason.PROOF_TOO_LARGE, size=size, limit=limit)


def _stored(entries: Iterable[StoredEntry]) -> tuple[StoredEvent, ...]:
    return tuple([StoredEvent(entry.position, entry.data) for entry in entries])


def _named(book: str, entry: StoredEntry) -> set[str]:
    """Return the parties whose chains tell whether an event was authorized: brand, both sides, and uplines."""
    match read_event(book, entry).event:
        case events.BatchCommissioned(brand=brand):
            return {brand}
        case events.PartyAuthorized(upline=upline):
            return {upline}
        case (
            events.TransferOffered(terms=terms)
            | events.TransferAccepted(terms=terms)
            | events.TransferRecorded(terms=terms)
            | events.UnitsSold(terms=terms)
        ):
            return {name for name in (terms.giver, terms.receiver) if not is_consumer(name)}
        case _:
            return set()
