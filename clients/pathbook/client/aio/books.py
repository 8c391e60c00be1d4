"""Calls about books: opening, showing and listing them."""

# clients/generate_client.py wrote this from books.py of the client: change that file.

import functools
from collections.abc import AsyncIterator

from pathbook.client.aio.calls import AsyncCaller, request_id_or_new
from pathbook.v1 import books_pb2, books_pb2_grpc, events_pb2


class Books(AsyncCaller):
    """The BookService of a server."""

    @functools.cached_property
    def _books(self) -> "books_pb2_grpc.BookServiceAsyncStub":
        return books_pb2_grpc.BookServiceStub(self._channel)

    async def open_book(
        self, *, origin: str = "", max_tier: int = 0, signed: bool = False, request_id: str = ""
    ) -> books_pb2.OpenBookResponse:
        """Open the book of this client as its operator. No other call begins a book, and it is not signed.

        Args:
            origin: The book's name in checkpoints: a URL without its scheme, at most 200 printable ASCII characters
                without blanks and "+". "" means ``pathbook/`` and the name of the book.
            max_tier: The deepest tier that an authorization in this book may give, 1 to 100. 0 means 100.
            signed: Whether parties must sign what they ask. The operator and consumers need not.
            request_id: Your own id for this write, 1 to 128 printable ASCII characters. A repeat with the same id
                returns the first answer and records nothing. "" lets the client make one.

        Returns:
            A response with ``receipt.position``, which is 1, ``receipt.recorded_at`` and ``receipt.duplicate``.

        Raises:
            RefusedError: BOOK_EXISTS, ORIGIN_MALFORMED, TIER_OUT_OF_BOUNDS; or a reason of every write (see
                ``AsyncClient``), but not BOOK_UNKNOWN.
            UnreachableError: No answer came in time.

        Example:
            >>> (await client.open_book(origin="acme.example/masks")).receipt.position
            1
        """
        request = books_pb2.OpenBookRequest(
            book=self.book,
            request_id=request_id_or_new(request_id),
            origin=origin,
            policy=events_pb2.Policy(max_tier=max_tier, signed=signed) if max_tier or signed else None,
        )
        return await self._write(self._books.OpenBook, request)

    async def get_book(self) -> books_pb2.Book:
        """Return the book of this client: how it was opened, and its last position.

        Returns:
            A Book with ``name``, ``origin``, ``policy``, ``code_key``, ``position`` and ``opened_at``.

        Raises:
            RefusedError: A reason of every call (see ``AsyncClient``).
            UnreachableError: No answer came in time.

        Example:
            >>> (await client.get_book()).origin
            'acme.example/masks'
        """
        return (await self._call(self._books.GetBook, books_pb2.GetBookRequest(book=self.book))).book

    async def list_books(self, *, page_size: int = 0) -> AsyncIterator[books_pb2.Book]:
        """Yield all books of the server in the order of their names.

        Args:
            page_size: Books fetched in one call, at most 1,000. 0 means the server's choice.

        Yields:
            A Book, as ``get_book`` returns it.

        Raises:
            RefusedError: A reason of every list, but not BOOK_MALFORMED and BOOK_UNKNOWN (see ``AsyncClient``).
            UnreachableError: No answer came in time.

        Example:
            >>> [book.name async for book in client.list_books()]
            ['masks']
        """

        async def page(token: str) -> books_pb2.ListBooksResponse:
            request = books_pb2.ListBooksRequest(page_size=page_size, page_token=token)
            return await self._call(self._books.ListBooks, request)

        async for response in self._pages(page):
            for item in response.books:
                yield item
