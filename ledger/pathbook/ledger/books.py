"""All books of one store. Each is opened when a caller first writes to it, or when an offer of it is due."""

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


def _can_begin_book(command: Submitted) -> bool:
    """Tell whether a command can be the first of a book. No thread is started for any other command."""
    return (
        isinstance(command, RegisterParty)
        and command.kind is PartyKind.BRAND
        and is_identifier(command.party)
        and is_request_id(command.request_id)
    )


class Books:
    """All books of one store. Each is opened when a caller first writes to it, or when an offer of it is due.

    Threads may share it. An open book that is idle costs no thread.
    """

    def __init__(self, stream: Stream, loader: StateLoader, follower: Follower, clock: Clock) -> None:
        """Keep what is needed to open a book."""
        self._stream, self._loader, self._follower, self._clock = stream, loader, follower, clock
        self._books: dict[str, Book] = {}
        self._opening = threading.Lock()

    def is_open(self, book: str) -> bool:
        """Tell whether a book is open. If it is, ``submit`` only queues the commands and never blocks."""
        return book in self._books

    def submit(
        self, book: str, commands: Sequence[Submitted], *, all_or_nothing: bool = False
    ) -> Future[list[Outcome]]:
        """Decide commands on a book, as ``Book.submit`` does. A book begins with its first brand."""
        if not self.is_open(book) and (refusal := self._refuse_unknown(book, commands)) is not None:
            done: Future[list[Outcome]] = Future()
            done.set_result([item if isinstance(item, Refusal) else refusal for item in commands])
            return done
        return self._open(book).submit(commands, all_or_nothing=all_or_nothing)

    def lapse_due(self, book: str) -> Future[list[Outcome]]:
        """End the offers of a book whose deadline has passed. The book must have events.

        The future is done when that is on disk.
        """
        return self._open(book).lapse_due()

    def _refuse_unknown(self, book: str, commands: Sequence[Submitted]) -> Refusal | None:
        if not is_identifier(book):
            return refuse(Reason.BOOK_MALFORMED, book=book)
        begins = any(_can_begin_book(item) for item in commands)
        if not begins and self._stream.head(book) == 0:
            return refuse(Reason.BOOK_UNKNOWN, book=book)
        return None

    def _open(self, book: str) -> Book:
        with self._opening:
            if book not in self._books:
                self._books[book] = Book(book, self._stream, self._loader, self._follower, self._clock)
            return self._books[book]

    def close(self) -> None:
        """Answer the queued commands of every book, then stop the writers."""
        for book in self._books.values():
            book.close()
