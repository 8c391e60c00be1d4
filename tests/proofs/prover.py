"""A prover that keeps a book in plain lists, and makes proofs by the definitions. It has no database and no tiles.

An honest book comes from a story. A lying operator is a test that changes the lists before it seals them.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
from nacl.signing import SigningKey

from pathbook.ledger.chains import links
from pathbook.ledger.codec import MalformedEventError, NewerEventError, decode, encode
from pathbook.ledger.events import BatchCommissioned, BookOpened, Event, RecordedEvent, Sealed
from pathbook.ledger.key_events import StatementsFiled
from pathbook.ledger.moves import moves_of
from pathbook.ledger.proofs.checkpoint import Checkpoint
from pathbook.ledger.proofs.cosignature import cosign
from pathbook.ledger.proofs.signed_note import COSIGNATURE, ED25519, Sign, SignedNote, VerifierKey, sign_note
from pathbook.ledger.proofs.tlog_proof import TlogProof
from pathbook.ledger.proofs.tree import split_hashes
from pathbook.ledger.proofs.unit_proof import FiledStatement, PartyProof, StoredEvent, UnitProof
from pathbook.ledger.requests import DIGEST_BYTES, REQUEST_BYTES
from pathbook.ledger.values import Unit
from tests.scenario import Story

LOG: Final = SigningKey(bytes(range(32)))
OTHER_LOG: Final = SigningKey(bytes(range(7, 39)))
WITNESSES: Final = {name: SigningKey(hashlib.sha256(name.encode()).digest()) for name in ("w1", "w2", "w3")}
ORIGIN: Final = "masks.example/book"
SECOND: Final = 1_000_000
"""A second in microseconds."""


def log_key(signer: SigningKey = LOG, origin: str = ORIGIN) -> VerifierKey:
    """Return the public key of a log."""
    return VerifierKey(origin, ED25519, bytes(signer.verify_key))


def witness_key(name: str) -> VerifierKey:
    """Return the public key of a witness."""
    return VerifierKey(f"{name}.example", COSIGNATURE, bytes(WITNESSES[name].verify_key))


def signing(name: str) -> Sign:
    """Return how a witness signs."""
    return lambda message: WITNESSES[name].sign(message).signature


def policy_text(
    names: Sequence[str] = ("w1", "w2"), needed: str = "all", key: VerifierKey | None = None
) -> str:
    """Return a C2SP policy that knows the log and some witnesses, and how many of them it demands."""
    lines = [f"log {key or log_key()}", *(f"witness {name} {witness_key(name)}" for name in names)]
    group = [f"group g {needed} {' '.join(names)}", "quorum g"] if names else ["quorum none"]
    return "\n".join([*lines, *group, ""])


def sha256(data: bytes) -> bytes:
    """Return a hash."""
    return hashlib.sha256(data).digest()


def leaf(data: bytes) -> bytes:
    """Return the hash of a leaf, as RFC 6962 defines it."""
    return sha256(b"\x00" + data)


def root(leaves: Sequence[bytes]) -> bytes:
    """Return the root over hashes of leaves, as RFC 6962 defines it."""
    if not leaves:
        return sha256(b"")
    if len(leaves) == 1:
        return leaves[0]
    split = _split(len(leaves))
    return sha256(b"\x01" + root(leaves[:split]) + root(leaves[split:]))


def audit_path(index: int, leaves: Sequence[bytes]) -> tuple[bytes, ...]:
    """Return the audit path of a leaf, as RFC 6962 defines it."""
    if len(leaves) == 1:
        return ()
    split = _split(len(leaves))
    if index < split:
        return (*audit_path(index, leaves[:split]), root(leaves[split:]))
    return (*audit_path(index - split, leaves[split:]), root(leaves[:split]))


def hashes_beside(shown: frozenset[int], leaves: Sequence[bytes], first: int = 0) -> list[bytes]:
    """Return the multiproof of the leaves at some indexes: the roots of the largest subtrees without any of them."""
    inside = shown & set(range(first, first + len(leaves)))
    if not inside:
        return [root(leaves)]
    if len(leaves) == 1:
        return []
    split = _split(len(leaves))
    return hashes_beside(shown, leaves[:split], first) + hashes_beside(shown, leaves[split:], first + split)


def _split(count: int) -> int:
    split = 1
    while split * 2 < count:
        split *= 2
    return split


def head(stored: Sequence[StoredEvent]) -> bytes:
    """Return the head of a chain of events."""
    found = sha256(b"")
    for position, data in stored:
        found = sha256(b"\x01" + found + leaf(data) + position.to_bytes(8, "big"))
    return found


def stored(recorded: RecordedEvent) -> StoredEvent:
    """Return a recorded event as it is stored."""
    return StoredEvent(recorded.position, bytes_of(recorded.event, recorded))


def filed_statements(shown: Iterable[StoredEvent], log: Sequence[bytes]) -> tuple[FiledStatement, ...]:
    """Return the signatures of those events whose statements were signed with others."""
    found = set[FiledStatement]()
    for item in shown:
        try:
            signed = decode(*item).signed
        except (MalformedEventError, NewerEventError):
            continue
        if signed is None or not 0 < signed.filed <= len(log):
            continue
        event = decode(signed.filed, log[signed.filed - 1]).event
        if not isinstance(event, StatementsFiled):
            continue
        leaves = split_hashes(event.leaf_hashes)
        path = audit_path(signed.index, leaves)
        found.add(FiledStatement(signed.filed, signed.index, len(leaves), event.signature, path))
    return tuple(sorted(found))


def bytes_of(event: Event, like: RecordedEvent) -> bytes:
    """Return the bytes of an event that was recorded when another was."""
    return encode(
        event,
        recorded_at=like.recorded_at,
        occurred_at=like.occurred_at,
        request=like.request,
        request_digest=like.request_digest,
        signed=like.signed,
    )[1]


class Ledger:
    """The lists of a book: its log, and the events of each unit, batch and party."""

    def __init__(self, text: str | Story, origin: str = ORIGIN) -> None:
        """Play a story, or take one that was played, as if its book had been opened with an origin."""
        self.origin = origin
        story = text if isinstance(text, Story) else Story(text)
        self.recorded = list(story.recorded)
        self.log: list[bytes] = []
        self.sizes: dict[int, int] = {}
        self.units: dict[tuple[int, int], list[StoredEvent]] = {}
        self.batches: dict[int, list[StoredEvent]] = {}
        self.parties: dict[str, list[StoredEvent]] = {}
        self.seal: StoredEvent | None = None
        for recorded in self.recorded:
            self._take(recorded)

    def _take(self, recorded: RecordedEvent) -> None:
        item, event = stored(recorded), recorded.event
        if isinstance(event, BookOpened):
            item = StoredEvent(1, bytes_of(msgspec.structs.replace(event, origin=self.origin), recorded))
        self.log.append(item.data)
        if isinstance(event, BatchCommissioned):
            self.sizes[event.batch] = event.size
            self.units |= {(event.batch, number): [item] for number in range(event.size)}
        for move in moves_of(event, recorded.position):
            for part in move.ranges:
                for number in range(part.first, part.last + 1):
                    self.units[part.batch, number].append(item)
        for link in links(event):
            if isinstance(link.chain, int):
                self.batches.setdefault(link.chain, []).append(item)
            else:
                self.parties.setdefault(link.chain, []).append(item)

    def unit_leaves(self, batch: int) -> list[bytes]:
        """Return the leaves of the custody tree of a batch."""
        return [leaf(head(self.units[batch, number])) for number in range(self.sizes[batch])]

    def batch_leaves(self) -> list[bytes]:
        """Return the leaves of the register of batches."""
        return [
            leaf(root(self.unit_leaves(batch)) + self.sizes[batch].to_bytes(8, "big") + head(chain))
            for batch, chain in sorted(self.batches.items())
        ]

    def party_leaves(self) -> list[bytes]:
        """Return the leaves of the register of parties."""
        return [leaf(head(chain)) for chain in self.parties.values()]

    def custody_root(self) -> bytes:
        """Return the node over the roots of both registers."""
        return sha256(b"\x01" + root(self.batch_leaves()) + root(self.party_leaves()))

    def sealed(self) -> Sealed:
        """Return what an honest sealer says of the lists."""
        last = self.recorded[-1]
        return Sealed(
            last.position, last.recorded_at, len(self.batches), len(self.parties), self.custody_root()
        )

    def append_seal(self, sealed: Sealed | None = None, later: int = SECOND) -> "Ledger":
        """Append the Sealed event to the log, some microseconds after the last event."""
        moment = self.recorded[-1].recorded_at + later
        _, data = encode(
            sealed or self.sealed(),
            recorded_at=moment,
            occurred_at=moment,
            request=bytes(REQUEST_BYTES),
            request_digest=bytes(DIGEST_BYTES),
        )
        self.log.append(data)
        self.seal = StoredEvent(len(self.log), data)
        return self

    def checkpoint(
        self, signer: SigningKey = LOG, origin: str = ORIGIN, witnesses: Sequence[str] = ("w1", "w2")
    ) -> SignedNote:
        """Return the signed checkpoint of the whole log, with the cosignatures of witnesses a minute later."""
        text = str(Checkpoint(origin, len(self.log), root([leaf(data) for data in self.log])))
        note = sign_note(text, log_key(signer, origin), lambda message: signer.sign(message).signature)
        time = self.recorded[-1].recorded_at // SECOND + 60
        return note.with_signatures(
            cosign(note, witness_key(name), time, signing(name)) for name in witnesses
        )

    def prove(
        self,
        batch: int = 1,
        number: int = 0,
        parties: Sequence[str] | None = None,
        note: SignedNote | None = None,
        key: VerifierKey | None = None,
    ) -> UnitProof:
        """Return the proof of a unit, with the chains of all parties, or of some, under the last seal."""
        assert self.seal is not None, "seal the lists first"
        named = self.parties if parties is None else parties
        leaves = [leaf(data) for data in self.log]
        places = [place for place, name in enumerate(self.parties) if name in named]
        shown = [self.batches[batch], self.units[batch, number], *(self.parties[name] for name in named)]
        return UnitProof(
            seal=TlogProof(
                self.seal.position - 1,
                audit_path(self.seal.position - 1, leaves),
                note or self.checkpoint(),
            ),
            log=key or log_key(),
            unit=Unit(batch, number),
            sealed=self.seal.data,
            custody=audit_path(number, self.unit_leaves(batch)),
            batch=audit_path(batch - 1, self.batch_leaves()),
            batch_events=tuple(self.batches[batch]),
            events=tuple(self.units[batch, number][1:]),
            register=tuple(hashes_beside(frozenset(places), self.party_leaves())),
            parties=tuple(
                PartyProof(place, tuple(chain))
                for place, (name, chain) in enumerate(self.parties.items())
                if name in named
            ),
            filed=filed_statements((item for chain in shown for item in chain), self.log),
        )
