"""BookService: opening, showing and listing books."""

from pathbook.ledger.codec import register_commands
from pathbook.ledger.queries.answers import OpenedBook
from pathbook.ledger.refusals import Refusal
from pathbook.services.gateway import Gateway
from pathbook.services.translate import answers, receipts, requests
from pathbook.services.translate.pages import AfterName, Paging, cut
from pathbook.services.translate.statuses import RefusedCallError
from pathbook.v1 import books_pb2, books_pb2_grpc


class BookService(books_pb2_grpc.BookServiceServicer):
    """Each method translates its request to a command or query, and the answer to a message."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def OpenBook(
        self, request: books_pb2.OpenBookRequest, _context: object
    ) -> books_pb2.OpenBookResponse:
        """Open a book."""
        book = requests.book_name(request.book)
        code_key = await self._gateway.run(self._gateway.codes.key_for_new_batch)
        command = register_commands.open_book(request, code_key)
        answer = await self._gateway.write(book, command)
        return books_pb2.OpenBookResponse(receipt=receipts.receipt(answer))

    async def GetBook(self, request: books_pb2.GetBookRequest, _context: object) -> books_pb2.GetBookResponse:
        """Return a book."""
        found = await self._gateway.run(self._gateway.queries.book, requests.book_name(request.book))
        if isinstance(found, Refusal):
            raise RefusedCallError(found)
        return books_pb2.GetBookResponse(book=await self._gateway.run(self._shown, found))

    async def ListBooks(
        self, request: books_pb2.ListBooksRequest, _context: object
    ) -> books_pb2.ListBooksResponse:
        """List the books."""
        page = Paging(request, AfterName)
        found = await self._gateway.run(self._gateway.queries.books, page.after.name, page.limit + 1)
        books = cut(found, page.limit)
        entries, token = await self._gateway.run(
            page.page, books.rows, books.after(_name), self._shown, _name
        )
        return books_pb2.ListBooksResponse(books=entries, next_page_token=token)

    def _shown(self, found: OpenedBook) -> books_pb2.Book:
        """Return the message for a book. The log is asked for its incarnation."""
        return answers.book(found, self._gateway.incarnations.of(found.opened.name).present)


def _name(last: OpenedBook) -> AfterName:
    return AfterName(last.opened.name)
