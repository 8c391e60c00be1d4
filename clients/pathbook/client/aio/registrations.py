"""Registrations in bulk: batches are sent ahead, results come in order, nothing is recorded twice."""

# clients/generate_client.py wrote this from registrations.py of the client: change that file.

import contextlib
import functools
from collections.abc import AsyncIterator, Iterable, Sequence

from pathbook.client.aio.calls import AsyncCaller, with_request_ids
from pathbook.client.options import BATCHES_AHEAD
from pathbook.client.registrations import Registration, as_entry
from pathbook.client.statements import registered
from pathbook.v1 import registrations_pb2, registrations_pb2_grpc


class Registrations(AsyncCaller):
    """The RegistrationService of a book: many registrations at once."""

    @functools.cached_property
    def _registrations(self) -> "registrations_pb2_grpc.RegistrationServiceAsyncStub":
        return registrations_pb2_grpc.RegistrationServiceStub(self._channel)

    async def register(
        self, batches: Iterable[Sequence[Registration]]
    ) -> AsyncIterator[Sequence[registrations_pb2.RegisterResult]]:
        """Register batches of parties, authorizations, products and batches of units, and yield their results.

        Registrations are decided in the order sent, each on its own, so a later one may need an earlier one. Batches
        are taken from the iterable a few ahead of the results. When the connection breaks, batches without results
        are sent again; a registration that was recorded before is answered as a duplicate.

        Args:
            batches: Batches of messages: RegisterPartyRequest and AuthorizePartyRequest from ``parties_pb2``,
                RegisterProductRequest and CommissionBatchRequest from ``batches_pb2``. Build their fields with
                ``price`` and ``timestamp``. A batch holds at most 1,000 registrations, 4,000 GTINs of
                authorizations, and 4 MiB. An entry's ``book`` is ignored; an empty ``request_id`` is filled in.
                A client with a signer signs each batch once. All entries are then of its party.

        Yields:
            For each batch a sequence of results, one for each entry in order. ``result.WhichOneof("result")`` is
            "receipt" or "refusal". A product has its ``gtin`` of 14 digits, and a batch of units its number,
            ``batch``. A refusal has ``reason``, ``message`` and ``metadata``. Its reason is one that
            ``register_party``, ``authorize_party``, ``register_product`` or ``commission_batch`` names:
            ``RefusalReason.numbered(refusal.reason)``.

        Raises:
            RefusedError: A whole batch is refused: TOO_MANY_ENTRIES, TOO_MANY_PRODUCTS, CODE_KEYS_UNUSABLE,
                RESOURCE_EXHAUSTED (a message above 4 MiB); or a reason of every call (see ``AsyncClient``).
            UnreachableError: The stream broke, and no server answered for ``retry_seconds``.

        Example:
            >>> eve = parties_pb2.RegisterPartyRequest(party="eve", kind=values_pb2.PARTY_KIND_AGENT)
            >>> below = parties_pb2.AuthorizePartyRequest(upline="acme", party="eve", tier=1)
            >>> async for results in client.register([[eve, below]]):
            ...     print([result.WhichOneof("result") for result in results])
            ['receipt', 'receipt']
        """
        if self._signs:
            async for signed in self._file_statements(map(with_request_ids, batches)):
                yield [registered(result) for result in signed]
            return
        requests = (
            registrations_pb2.RegisterRequest(book=self.book, entries=map(as_entry, batch))
            for batch in batches
        )
        responses = self._exchange(self._registrations.Register, requests, BATCHES_AHEAD)
        async with contextlib.aclosing(responses):  # the caller may stop before the end
            async for response in responses:
                self._wrote(max((result.receipt.position for result in response.results), default=0))
                yield response.results
