"""Calls about proofs: signed checkpoints and their cosignatures, proofs, and fingerprints of what a server shows."""

# clients/generate_client.py wrote this from proofs.py of the client: change that file.

import functools
from collections.abc import AsyncIterator

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

    async def add_cosignature(self, size: int, line: str) -> str:
        """Give the server a cosignature of one of its checkpoints, which it returns with the checkpoint from then on.

        Args:
            size: How many events the checkpoint is of.
            line: The signature line, as a witness or auditor wrote it, without its newline.

        Returns:
            The name of the witness whose key made it.

        Raises:
            RefusedError: WITNESS_UNKNOWN (the operator has not configured its key), COSIGNATURE_MALFORMED,
                COSIGNATURE_FALSE, CHECKPOINT_MISSING, POSITION_NEGATIVE; or a reason of every
                call (see ``AsyncClient``).
            UnreachableError: No answer came in time.

        Example:
            >>> try:
            ...     await client.add_cosignature(1, "\u2014 witness.example.com/w1 " + "A" * 96)
            ... except RefusedError as error:
            ...     print(error.reason)
            WITNESS_UNKNOWN
        """
        request = proofs_pb2.AddCosignatureRequest(book=self.book, size=size, line=line)
        return (await self._call(self._proofs.AddCosignature, request)).witness

    async def get_fingerprint(
        self, units: tuple[int, int, int] | None = None
    ) -> proofs_pb2.GetFingerprintResponse:
        """Return a hash of what the views of the server say of this book, which every reader can compute.

        The server reads all that it has of the book, or of the units. That takes some seconds for a million runs.

        Args:
            units: (batch number, first unit, last unit), to have the hash of their runs alone.

        Returns:
            A response with ``fingerprint``, 32 bytes, and the ``position`` that the views had.

        Raises:
            RefusedError: BATCH_UNKNOWN, RANGE_REVERSED, RANGE_BEYOND_BATCH, VIEWS_BEHIND, VIEWS_NOT_WHOLE; or a reason
                of every call (see ``AsyncClient``).
            UnreachableError: No answer came in time.

        Example:
            >>> len((await client.get_fingerprint()).fingerprint)
            32
        """
        request = proofs_pb2.GetFingerprintRequest(book=self.book, at_least_position=self.position)
        if units is not None:
            request.range.batch, request.range.first, request.range.last = units
        return await self._call(self._proofs.GetFingerprint, request)

    async def list_fingerprints(self, *, page_size: int = 0) -> AsyncIterator[proofs_pb2.Fingerprint]:
        """Yield the hashes of all batches, of the operator and of all parties, of which that of the book is made.

        Args:
            page_size: Fingerprints to ask the server for at once.

        Yields:
            Fingerprints: of batches by number, of the operator, and of parties by id. Each has
            ``batch`` or ``party``, ``fingerprint``, 32 bytes, and the ``position`` that the views had for its page.

        Raises:
            RefusedError: VIEWS_BEHIND, VIEWS_NOT_WHOLE; or a reason of every call (see ``AsyncClient``).
            UnreachableError: No answer came in time.

        Example:
            >>> found = await anext(client.list_fingerprints())
            >>> print(found.batch, len(found.fingerprint), found.position == client.position)
            1 32 True
        """

        async def page(token: str) -> proofs_pb2.ListFingerprintsResponse:
            return await self._call(
                self._proofs.ListFingerprints,
                proofs_pb2.ListFingerprintsRequest(
                    book=self.book, at_least_position=self.position, page_size=page_size, page_token=token
                ),
            )

        async for response in self._pages(page):
            for item in response.fingerprints:
                yield item
