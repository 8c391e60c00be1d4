"""All books of one store. Each gets its writer when a caller first writes to it, or when an offer of it is due."""

import threading
from collections.abc import Sequence
from concurrent.futures import Future

from pathbook.ledger.book import Book, Clock, Outcome, Submitted
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.rules.deciding import decide
from pathbook.ledger.rules.state import State
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.follower import Follower
from pathbook.ledger.store.views.state_loader import StateLoader
from pathbook.ledger.values import is_identifier


class Books:
    """All books of one store. Each gets its writer when a caller first writes to it, or when an offer of it is due.

    Threads may share it. The writer of an idle book costs no thread.
    """

    def __init__(self, stream: Stream, loader: StateLoader, follower: Follower, clock: Clock) -> None:
        """Keep what the writers of books need."""
        self._stream, self._loader, self._follower, self._clock = stream, loader, follower, clock
        self._books: dict[str, Book] = {}
        self._loading = threading.Lock()
        self._gives_up = False

    def is_loaded(self, book: str) -> bool:
        """Tell whether a book has its writer. If it has, ``submit`` only queues the commands and never blocks."""
        return book in self._books

    def submit(
        self, book: str, commands: Sequence[Submitted], *, all_or_nothing: bool = False, lane: object = None
    ) -> Future[list[Outcome]]:
        """Decide commands on a book, as ``Book.submit`` does. A book begins when its operator opens it."""
        if not self.is_loaded(book) and (refused := self._refuse_all(book, commands)) is not None:
            done: Future[list[Outcome]] = Future()
            done.set_result(refused)
            return done
        return self._load(book).submit(commands, all_or_nothing=all_or_nothing, lane=lane)

    def lapse_due(self, book: str) -> Future[list[Outcome]]:
        """End the offers of a book whose deadline has passed. The book must have events.

        The future is done when that is on disk.
        """
        return self._load(book).lapse_due()

    def _refuse_all(self, book: str, commands: Sequence[Submitted]) -> list[Outcome] | None:
        """Return the refusals of commands to a book without events, or None if one of them opens it.

        They are decided here, so that a command to a book that is not open starts no thread.
        """
        if not is_identifier(book):
            malformed = refuse(Reason.BOOK_MALFORMED, book=book)
            return [item if isinstance(item, Refusal) else malformed for item in commands]
        if self._stream.head(book):
            return None
        state, now = State(book), self._clock()
        refused: list[Outcome] = []
        for item in commands:
            outcome = item if isinstance(item, Refusal) else decide(state, item, now)
            if not isinstance(outcome, Refusal):
                return None
            refused.append(outcome)
        return refused

    def _load(self, book: str) -> Book:
        with self._loading:
            if book not in self._books:
                self._books[book] = Book(book, self._stream, self._loader, self._follower, self._clock)
                if self._gives_up:
                    self._books[book].give_up()
            return self._books[book]

    def give_up(self) -> None:
        """Decide no more. What is queued in any book fails with BookStoppingError; what was answered is on disk."""
        self._gives_up = True
        with self._loading:
            for book in self._books.values():
                book.give_up()

    def close(self) -> None:
        """Answer the queued commands of every book, then stop the writers. After `give_up` that is soon done."""
        with self._loading:
            books = list(self._books.values())
        for book in books:
            book.close()
