"""The books of one store: each opened for writing when it is first written to."""

import threading
from collections.abc import Sequence
from concurrent.futures import Future

from pathbook.ledger.book import Book, Clock, Outcome, Submitted
from pathbook.ledger.commands import RegisterParty
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.follower import Follower
from pathbook.ledger.store.views.state_loader import StateLoader
from pathbook.ledger.values import PartyKind, is_identifier, is_request_id


def _begins(command: Submitted) -> bool:
    """Tell whether a command can be the first of a book: only then a thread is spent on it."""
    return (
        isinstance(command, RegisterParty)
        and command.kind is PartyKind.BRAND
        and is_identifier(command.party)
        and is_request_id(command.request_id)
    )


class Books:
    """The books of one store, each opened when it is first written to."""

    def __init__(self, stream: Stream, loader: StateLoader, follower: Follower, clock: Clock) -> None:
        """Keep what books are opened with."""
        self._stream, self._loader, self._follower, self._clock = stream, loader, follower, clock
        self._books: dict[str, Book] = {}
        self._opening = threading.Lock()

    def is_open(self, book: str) -> bool:
        """Tell whether a book was written to before: then to submit is but to queue, and never waits."""
        return book in self._books

    def submit(
        self, book: str, commands: Sequence[Submitted], *, all_or_nothing: bool = False
    ) -> Future[list[Outcome]]:
        """Decide commands on a book, as ``Book.submit``; a book begins with its first brand."""
        if not self.is_open(book) and (refusal := self._refuse_unknown(book, commands)) is not None:
            done: Future[list[Outcome]] = Future()
            done.set_result([asked if isinstance(asked, Refusal) else refusal for asked in commands])
            return done
        return self._open(book).submit(commands, all_or_nothing=all_or_nothing)

    def _refuse_unknown(self, book: str, commands: Sequence[Submitted]) -> Refusal | None:
        if not is_identifier(book):
            return refuse(Reason.BOOK_MALFORMED, book=book)
        begins = any(_begins(item) for item in commands)
        if not begins and self._stream.head(book) == 0:
            return refuse(Reason.BOOK_UNKNOWN, book=book)
        return None

    def _open(self, book: str) -> Book:
        with self._opening:
            if book not in self._books:
                self._books[book] = Book(book, self._stream, self._loader, self._follower, self._clock)
            return self._books[book]

    def close(self) -> None:
        """Finish what waits in every book, then stop."""
        for book in self._books.values():
            book.close()
