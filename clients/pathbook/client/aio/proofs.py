"""Calls about proofs: signed checkpoints, and that one is of the same log as another."""

# clients/generate_client.py wrote this from proofs.py of the client: change that file.

import functools

from pathbook.client.aio.calls import AsyncCaller
from pathbook.client.values import name_unit
from pathbook.v1 import proofs_pb2, proofs_pb2_grpc


class Proofs(AsyncCaller):
    """The ProofService of a server."""

    @functools.cached_property
    def _proofs(self) -> "proofs_pb2_grpc.ProofServiceAsyncStub":
        return proofs_pb2_grpc.ProofServiceStub(self._channel)

    async def get_log_key(self) -> str:
        """Return the public key of the checkpoints of this book. Compare it with one that you know from elsewhere.

        Returns:
            The verifier key as C2SP writes it: the origin of the book, an id and the Ed25519 key, divided by "+".
            ``pathbook.ledger.proofs.signed_note.VerifierKey.parse`` reads it.

        Raises:
            RefusedError: LOG_KEY_UNUSABLE (this server cannot read its key); or a reason of every call (see
                ``AsyncClient``).
            UnreachableError: No answer came in time.

        Example:
            >>> (await client.get_log_key()).split("+")[0]
            'acme.example/masks'
        """
        return (
            await self._call(self._proofs.GetLogKey, proofs_pb2.GetLogKeyRequest(book=self.book))
        ).verifier_key

    async def get_checkpoint(self, size: int = 0) -> proofs_pb2.GetCheckpointResponse:
        """Return a signed checkpoint of this book: how many events its log has, and the root over them.

        Args:
            size: How many events the checkpoint is of. 0 means the newest one.

        Returns:
            A response with ``note``, the text of the signed note, and ``size``.

        Raises:
            RefusedError: CHECKPOINT_MISSING, POSITION_NEGATIVE; or a reason of every call (see ``AsyncClient``).
            UnreachableError: No answer came in time.

        Example:
            >>> try:
            ...     await client.get_checkpoint(1)  # the opening of a book alone is never signed
            ... except RefusedError as error:
            ...     print(error.reason)
            CHECKPOINT_MISSING
        """
        request = proofs_pb2.GetCheckpointRequest(book=self.book, size=size)
        return await self._call(self._proofs.GetCheckpoint, request)

    async def get_consistency_proof(
        self, old_size: int, size: int = 0
    ) -> proofs_pb2.GetConsistencyProofResponse:
        """Return the proof that the log of one checkpoint begins with the log of another.

        Args:
            old_size: How many events the smaller log has.
            size: How many events the larger one has, at most those of the newest checkpoint. 0 means as many as that.

        Returns:
            A response with ``hashes``, at most 64 of 32 bytes (RFC 6962, section 2.1.2), and ``size``.

        Raises:
            RefusedError: SIZES_REVERSED, CHECKPOINT_MISSING, POSITION_NEGATIVE, POSITION_BEYOND_HEAD; or a reason of
                every call (see ``AsyncClient``).
            UnreachableError: No answer came in time.

        Example:
            >>> try:
            ...     await client.get_consistency_proof(1, 1_000_000)
            ... except RefusedError as error:
            ...     print(error.reason)
            POSITION_BEYOND_HEAD
        """
        request = proofs_pb2.GetConsistencyProofRequest(book=self.book, old_size=old_size, size=size)
        return await self._call(self._proofs.GetConsistencyProof, request)

    async def get_unit_proof(self, unit: str | tuple[int, int]) -> bytes:
        """Return the proof of a unit: its whole path as of the last seal, which anyone can check without a server.

        Args:
            unit: A printed code in any form, or (batch number, unit number), as in ``get_path``.

        Returns:
            The bytes of the proof file. Write them to a file, and check it with ``pathbook verify --proof FILE``.

        Raises:
            RefusedError: NOT_SEALED_YET, PROOF_TOO_LARGE, LOG_KEY_UNUSABLE, RANGE_BEYOND_BATCH; CODE_MALFORMED,
                CODE_CHECK_CHARACTER, CODE_GTIN_CHECK_DIGIT, CODE_OTHER_BOOK, CODE_UNKNOWN, CODE_CONTRADICTS,
                CODE_KEY_RETIRED, CODE_KEY_MISSING; or a reason of every call (see ``AsyncClient``).
            UnreachableError: No answer came in time.

        Example:
            >>> try:
            ...     await client.get_unit_proof((1, 0))  # a server that does not seal has none
            ... except RefusedError as error:
            ...     print(error.reason)
            NOT_SEALED_YET
        """
        request = proofs_pb2.GetUnitProofRequest(book=self.book)
        name_unit(request, unit)
        return (await self._call(self._proofs.GetUnitProof, request)).proof
