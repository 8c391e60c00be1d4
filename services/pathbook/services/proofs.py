"""ProofService: signed checkpoints, and proofs that they are of one log."""

from typing import Final

import structlog

from pathbook.ledger.proofs.signed_note import VerifierKey
from pathbook.ledger.queries.unit_proofs import too_large
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.store.log.checkpoints import KeptCheckpoint
from pathbook.ledger.values import Unit
from pathbook.services.gateway import Gateway
from pathbook.services.signing import SigningError
from pathbook.services.storage import Storage
from pathbook.services.translate import requests
from pathbook.services.translate.pages import ANSWER_MAX_BYTES
from pathbook.services.translate.statuses import Failure, RefusedCallError, failed
from pathbook.v1 import proofs_pb2, proofs_pb2_grpc

PROOF_MAX_BYTES: Final = ANSWER_MAX_BYTES - 1_000
"""The most bytes of a proof that is given. Nearly every proof has less than a hundredth of it."""

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class ProofService(proofs_pb2_grpc.ProofServiceServicer):
    """Returns what was signed, and what follows from the log. It signs nothing."""

    def __init__(self, gateway: Gateway, storage: Storage) -> None:
        self._gateway, self._storage = gateway, storage

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
                (code,) = await self._gateway.opened(book, [request.code])
                unit = Unit(code.batch, code.number)
            case "unit":
                unit = Unit(request.unit.batch, request.unit.number)
            case _:
                raise RefusedCallError(refuse(Reason.VALUE_MISSING, field="subject"))
        proof = await self._gateway.ask(0, self._proof_file, book, unit, await self._key(book))
        return proofs_pb2.GetUnitProofResponse(proof=proof)

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
