"""AccessLogService: shows which prices auditors and operators read."""

from pathbook.ledger.store.log.accesses import Access, Accesses
from pathbook.services.gateway import Gateway
from pathbook.services.translate import requests
from pathbook.services.translate.pages import AfterNumber, Paging, cut
from pathbook.services.translate.values import timestamp
from pathbook.v1 import access_log_pb2, access_log_pb2_grpc


class AccessLogService(access_log_pb2_grpc.AccessLogServiceServicer):
    """Lists the access log of a book."""

    def __init__(self, gateway: Gateway, accesses: Accesses) -> None:
        self._gateway, self._accesses = gateway, accesses

    async def ListAccesses(
        self, request: access_log_pb2.ListAccessesRequest, _context: object
    ) -> access_log_pb2.ListAccessesResponse:
        """List lines, the newest first."""
        book, page = requests.book_name(request.book), Paging(request, AfterNumber)
        await self._gateway.head(book)  # it must be there
        found = await self._gateway.run(self._accesses.page, book, page.after.number, page.limit + 1)
        rows = cut(found, page.limit)
        entries, token = page.page(rows.rows, rows.after(_by_number), _shown, _by_number)
        return access_log_pb2.ListAccessesResponse(accesses=entries, next_page_token=token)


def _by_number(last: Access) -> AfterNumber:
    return AfterNumber(last.number)


def _shown(line: Access) -> access_log_pb2.Access:
    return access_log_pb2.Access(
        number=line.number,
        at=timestamp(line.at),
        role=line.role,
        caller=line.caller,
        method=line.method,
        subject=line.subject,
        count=line.times,
    )
