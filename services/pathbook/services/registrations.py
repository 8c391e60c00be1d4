"""RegistrationService: parties, authorizations, products and batches, many on one call."""

from collections.abc import AsyncIterator, Awaitable

from pathbook.ledger.book import Outcome, Submitted
from pathbook.ledger.codec import register_commands
from pathbook.ledger.commands import Command
from pathbook.ledger.refusals import Reason, RefusedRequestError, refuse
from pathbook.services.bulk import Bulk, require_few, require_few_listed
from pathbook.services.gateway import Gateway
from pathbook.services.translate import receipts, requests
from pathbook.services.translate.statuses import RefusedCallError
from pathbook.v1 import registrations_pb2_grpc
from pathbook.v1.registrations_pb2 import RegisterEntry, RegisterRequest, RegisterResponse


class RegistrationService(registrations_pb2_grpc.RegistrationServiceServicer):
    """Translates each batch of registrations to commands, and their outcomes to results."""

    def __init__(self, gateway: Gateway, bulk: Bulk) -> None:
        self._gateway = gateway
        self._bulk = bulk

    async def Register(
        self, request_iterator: AsyncIterator[RegisterRequest], _context: object
    ) -> AsyncIterator[RegisterResponse]:
        """Register many things, batch by batch."""
        async for outcomes in self._bulk.answered(request_iterator, self._submit):
            yield receipts.registered(outcomes)

    async def _submit(self, batch: RegisterRequest) -> Awaitable[list[Outcome]]:
        """Put a batch in the book's queue. An entry that cannot be read is replaced by its refusal."""
        book = requests.book_name(batch.book)
        require_few(len(batch.entries))
        listed = sum(len(entry.authorization.gtins) for entry in batch.entries)
        require_few_listed(listed)
        code_key = b""
        if any(entry.HasField("batch") for entry in batch.entries):  # asked once for all, because it reads
            code_key = await self._gateway.run(self._gateway.codes.key_for_new_batch)
        submitted: list[Submitted] = []
        for entry in batch.entries:
            try:
                submitted.append(_command(entry, code_key))
            except RefusedRequestError as refused:
                submitted.append(refused.refusal)
        return await self._gateway.submit(book, submitted)


def _command(entry: RegisterEntry, code_key: bytes) -> Command:
    """Return the command of an entry. Raises RefusedRequestError if it has none, or if it cannot be read."""
    match entry.WhichOneof("entry"):
        case "party":
            return register_commands.register_party(entry.party)
        case "authorization":
            return register_commands.authorize_party(entry.authorization)
        case "product":
            return register_commands.register_product(entry.product)
        case "batch":
            return register_commands.commission_batch(entry.batch, code_key)
        case _:
            raise RefusedCallError(refuse(Reason.VALUE_MISSING, field="entry"))
