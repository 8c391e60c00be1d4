"""ProofService: signed checkpoints and their cosignatures, proofs, and fingerprints of the views."""

from collections.abc import Sequence
from typing import Final, Self

import msgspec
import structlog

from pathbook.ledger.proofs.ml_dsa import verification
from pathbook.ledger.proofs.signed_note import NoteSignature, VerifierKey, parse_signatures
from pathbook.ledger.proofs.text import MalformedTextError
from pathbook.ledger.queries.fingerprints import ListedFingerprint, Place
from pathbook.ledger.queries.unit_proofs import too_large
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.store.log.checkpoints import KeptCheckpoint
from pathbook.ledger.values import Unit
from pathbook.services.gateway import Gateway
from pathbook.services.signing import SigningError
from pathbook.services.storage import Storage
from pathbook.services.translate import requests
from pathbook.services.translate.pages import ANSWER_MAX_BYTES, Number, Paging
from pathbook.services.translate.statuses import Failure, RefusedCallError, failed
from pathbook.services.verification_log import VerificationLog
from pathbook.v1 import proofs_pb2, proofs_pb2_grpc

LINE_MAX_CHARACTERS: Final = 4_096
"""The longest signature line that is read. One by ML-DSA-44 has some 3,300."""

PROOF_MAX_BYTES: Final = ANSWER_MAX_BYTES - 1_000
"""The most bytes of a proof that is given. Nearly every proof has less than a hundredth of it."""

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class AfterFingerprint(msgspec.Struct, frozen=True, array_like=True):
    """A place in a list of fingerprints: after a batch; after all batches; after a party, or the operator."""

    batch: Number = 0
    party: str | None = None
    is_past_batches: bool = False

    @classmethod
    def of(cls, place: Place) -> Self:
        """Return a place as a token has it."""
        return cls(*place)

    @property
    def place(self) -> Place:
        """The place as the queries name it."""
        return Place(self.batch, self.party, self.is_past_batches)


class ProofService(proofs_pb2_grpc.ProofServiceServicer):
    """Returns what was signed, and what follows from the log. It signs nothing."""

    def __init__(
        self,
        gateway: Gateway,
        storage: Storage,
        verification_log: VerificationLog,
        cosigners: Sequence[VerifierKey] = (),
    ) -> None:
        self._gateway, self._storage, self._cosigners = gateway, storage, cosigners
        self._verification_log = verification_log

    async def GetCheckpoint(
        self, request: proofs_pb2.GetCheckpointRequest, _context: object
    ) -> proofs_pb2.GetCheckpointResponse:
        """Return the checkpoint of a size, or the newest one."""
        book = requests.book_name(request.book)
        size = requests.position(request.size, "size")
        await self._gateway.head(book)  # it refuses a book that is not there
        found = await self._gateway.run(self._checkpoint, book, size)
        return proofs_pb2.GetCheckpointResponse(note=found.note, size=found.size)

    async def GetConsistencyProof(
        self, request: proofs_pb2.GetConsistencyProofRequest, _context: object
    ) -> proofs_pb2.GetConsistencyProofResponse:
        """Return the proof that the tree of a size begins with an older one."""
        book = requests.book_name(request.book)
        old = requests.position(request.old_size, "old_size")
        size = requests.position(request.size, "size")
        requests.within(book, max(old, size), await self._gateway.head(book))
        newest = (await self._gateway.run(self._checkpoint, book, 0)).size
        size = size or newest
        if size > newest:
            raise failed(Failure.CHECKPOINT_MISSING, book=book, size=size, newest=newest)
        if old > size:
            raise failed(Failure.SIZES_REVERSED, old_size=old, size=size)
        hashes = await self._gateway.run(self._storage.tree.consistency_proof, book, old, size)
        return proofs_pb2.GetConsistencyProofResponse(hashes=hashes, size=size)

    async def GetLogKey(
        self, request: proofs_pb2.GetLogKeyRequest, _context: object
    ) -> proofs_pb2.GetLogKeyResponse:
        """Return the public key of the checkpoints of a book."""
        key = await self._key(requests.book_name(request.book))
        return proofs_pb2.GetLogKeyResponse(verifier_key=str(key))

    async def GetUnitProof(
        self, request: proofs_pb2.GetUnitProofRequest, _context: object
    ) -> proofs_pb2.GetUnitProofResponse:
        """Return the proof of a unit as of the last seal."""
        book = requests.book_name(request.book)
        match request.WhichOneof("subject"):
            case "code":
                proof = await self._gateway.verified(self._proof_by_code(book, request.code))
            case "unit":
                proof = await self._proof(book, Unit(request.unit.batch, request.unit.number))
            case _:
                raise RefusedCallError(refuse(Reason.VALUE_MISSING, field="subject"))
        return proofs_pb2.GetUnitProofResponse(proof=proof)

    async def _proof_by_code(self, book: str, printed: str) -> bytes:
        (code,) = await self._gateway.opened(book, [printed])
        proof = await self._proof(book, Unit(code.batch, code.number))
        self._verification_log.note(book, code.batch, code.number)
        return proof

    async def _proof(self, book: str, unit: Unit) -> bytes:
        return await self._gateway.ask(0, self._proof_file, book, unit, await self._key(book))

    async def AddCosignature(
        self, request: proofs_pb2.AddCosignatureRequest, _context: object
    ) -> proofs_pb2.AddCosignatureResponse:
        """Keep a cosignature of a witness that the operator configured, if it is valid."""
        book = requests.book_name(request.book)
        size = requests.position(request.size, "size")
        await self._gateway.head(book)
        line = _signature_line(request.line)
        key = next((key for key in self._cosigners if line.is_by(key)), None)
        if key is None:
            raise RefusedCallError(refuse(Reason.WITNESS_UNKNOWN, witness=line.name))
        found = await self._gateway.run(self._checkpoint, book, size)
        add = self._storage.checkpoints.add_cosignatures
        if not await self._gateway.check(add, book, found.size, key, [line], verification()):
            raise RefusedCallError(refuse(Reason.COSIGNATURE_FALSE, witness=line.name, size=found.size))
        return proofs_pb2.AddCosignatureResponse(witness=key.name)

    async def GetFingerprint(
        self, request: proofs_pb2.GetFingerprintRequest, _context: object
    ) -> proofs_pb2.GetFingerprintResponse:
        """Return the fingerprint of a book, or of units of a batch."""
        book, at_least, part = requests.book_name(request.book), request.at_least_position, request.range
        queries = self._gateway.queries
        if request.HasField("range"):
            found = await self._gateway.ask_long(
                at_least, queries.fingerprint_of_units, book, part.batch, part.first, part.last
            )
        else:
            found = await self._gateway.ask_long(at_least, queries.fingerprint, book)
        return proofs_pb2.GetFingerprintResponse(fingerprint=found.fingerprint, position=found.position)

    async def ListFingerprints(
        self, request: proofs_pb2.ListFingerprintsRequest, _context: object
    ) -> proofs_pb2.ListFingerprintsResponse:
        """List the fingerprints of batches and parties. A page ends after a bounded work."""
        book, page = requests.book_name(request.book), Paging(request, AfterFingerprint)
        found = await self._gateway.ask_long(
            request.at_least_position, self._gateway.queries.fingerprints, book, page.after.place, page.limit
        )
        rest = None if found.after is None else AfterFingerprint.of(found.after)

        def entry(item: ListedFingerprint) -> proofs_pb2.Fingerprint:
            return _fingerprint(item, found.position)

        entries, token = page.page(found.items, rest, entry, lambda last: AfterFingerprint.of(last.place))
        return proofs_pb2.ListFingerprintsResponse(fingerprints=entries, next_page_token=token)

    def _proof_file(self, book: str, unit: Unit, key: VerifierKey) -> bytes | Refusal:
        """Return the proof of a unit as a file that fits an answer."""
        proof = self._storage.unit_proofs.proof(book, unit, key)
        if isinstance(proof, Refusal):
            return proof
        data = str(proof).encode()
        fits = len(data) <= PROOF_MAX_BYTES
        return data if fits else too_large(f"{len(data)} bytes", f"{PROOF_MAX_BYTES} bytes")

    async def _key(self, book: str) -> VerifierKey:
        """Return the public key of a book's log. Raises CallFailedError."""
        await self._gateway.head(book)
        try:
            return await self._gateway.run(self._storage.signer.verifier, book)
        except SigningError as error:
            _LOG.warning("the key of the log cannot be used", problem=str(error))
            raise failed(Failure.LOG_KEY_UNUSABLE, problem=error.reason.name) from None

    def _checkpoint(self, book: str, size: int) -> KeptCheckpoint:
        """Return the checkpoint of a size, or the newest one for 0. Raises CallFailedError if there is none."""
        kept = self._storage.checkpoints
        found = kept.at(book, size) if size else kept.newest(book)
        if found is None:
            newest = kept.newest(book)
            newest_size = 0 if newest is None else newest.size
            raise failed(Failure.CHECKPOINT_MISSING, book=book, size=size, newest=newest_size)
        return found


def _signature_line(text: str) -> NoteSignature:
    """Return the one signature of a line. Raises RefusedCallError."""
    if len(text) > LINE_MAX_CHARACTERS:
        problem = f"it has {len(text)} characters, and at most {LINE_MAX_CHARACTERS} are read"
        raise RefusedCallError(refuse(Reason.COSIGNATURE_MALFORMED, problem=problem))
    try:
        (line,) = parse_signatures(f"{text}\n")
    except (MalformedTextError, ValueError) as error:
        problem = str(error).rstrip(".") if isinstance(error, MalformedTextError) else "it is several lines"
        raise RefusedCallError(refuse(Reason.COSIGNATURE_MALFORMED, problem=problem)) from None
    return line


def _fingerprint(found: ListedFingerprint, position: int) -> proofs_pb2.Fingerprint:
    message = proofs_pb2.Fingerprint(fingerprint=found.fingerprint, runs=found.runs, position=position)
    if found.batch:
        message.batch = found.batch
    else:
        message.party = found.party
    return message
