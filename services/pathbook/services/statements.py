"""StatementService: signed requests, one by one and in batches with one signature."""

from collections.abc import AsyncIterator, Awaitable

from pathbook.ledger.book import Outcome
from pathbook.ledger.refusals import Refusal
from pathbook.services.admission import Admission
from pathbook.services.bulk import Bulk
from pathbook.services.gateway import Gateway
from pathbook.services.translate import receipts
from pathbook.services.translate.statuses import RefusedCallError
from pathbook.v1 import statements_pb2, statements_pb2_grpc


class StatementService(statements_pb2_grpc.StatementServiceServicer):
    """Translates statements to the commands that they ask, and the outcomes of these to answers."""

    def __init__(self, gateway: Gateway, bulk: Bulk, admission: Admission) -> None:
        self._gateway = gateway
        self._bulk = bulk
        self._admission = admission

    async def FileStatement(
        self, request: statements_pb2.FileStatementRequest, _context: object
    ) -> statements_pb2.FileStatementResponse:
        """File one statement."""
        command = await self._gateway.check(self._admission.statement, request)
        return receipts.stated(await self._gateway.write(request.book, command))

    async def FileStatements(
        self, request_iterator: AsyncIterator[statements_pb2.FileStatementsRequest], _context: object
    ) -> AsyncIterator[statements_pb2.FileStatementsResponse]:
        """File many statements, batch by batch."""
        async for filed, *outcomes in self._bulk.answered(request_iterator, self._submit):
            if isinstance(filed, Refusal):  # and so is every statement, because nothing has its signature
                raise RefusedCallError(filed)
            yield receipts.all_stated(outcomes)

    async def _submit(self, batch: statements_pb2.FileStatementsRequest) -> Awaitable[list[Outcome]]:
        """Put a batch in the book's queue, after the command that files its signature."""
        submitted = await self._gateway.check(self._admission.batch, batch)
        return await self._gateway.submit(batch.book, submitted)
