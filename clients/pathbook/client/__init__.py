"""The Python client: every call of the contract as a method, with plain values, deadlines and safe retries.

What is not here: the server, the rules of a book, and anything that checks an answer instead of believing it.
"""

from types import TracebackType
from typing import TYPE_CHECKING, Self

from pathbook.client.batches import Batches
from pathbook.client.books import Books
from pathbook.client.bulk import Bulk, Entry
from pathbook.client.cases import Cases
from pathbook.client.corrections import Corrections
from pathbook.client.errors import RefusedError, UnreachableError
from pathbook.client.events import Events, parse_event
from pathbook.client.offers import Offers
from pathbook.client.parties import Parties
from pathbook.client.paths import Paths
from pathbook.client.sales import Sales
from pathbook.client.transfers import Transfers
from pathbook.client.values import Price, Quantity, Range, price, select, timestamp

__all__ = [
    "Client",
    "Entry",
    "Price",
    "Quantity",
    "Range",
    "RefusedError",
    "UnreachableError",
    "parse_event",
    "price",
    "select",
    "timestamp",
]

__version__: str
"""The version of the distribution `pathbook`, which has no package of its own to say it."""

if not TYPE_CHECKING:  # or every misspelt name would be a text to a type checker

    def __getattr__(name: str) -> str:
        """Look the version up when it is asked for: what does so takes a third as long to load as the client."""
        if name != "__version__":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import metadata

        return metadata.version("pathbook")


class Client(Books, Parties, Batches, Cases, Offers, Transfers, Sales, Bulk, Corrections, Paths, Events):
    """One book on a server; each call of the contract is a method.

    Use the client in a ``with`` statement, or call ``close`` at the end. Threads may share one client.

    A call that finds no server is repeated for ``retry_seconds``. A write is repeated under the same request id,
    so it is recorded once. A read waits until the views include this client's last write. A method that returns
    an iterator calls the server, and raises, while you iterate.

    The position of an event is its number in the book: 1, 2, 3 and so on. A write returns it as
    ``receipt.position``. Offers, transfers, sales, authorizations and recalls have no other id.

    A refused call changes nothing. Each method names the reasons of its own. These reasons have one place here:

    - every call: BOOK_MALFORMED, BOOK_UNKNOWN, BOOK_NEWER, STORE_UNAVAILABLE, LOG_LOST, VIEWS_LOST, SERVER_STOPPING,
      UNEXPECTED;
    - every write: REQUEST_ID_MALFORMED, REQUEST_ID_REUSED, VIEWS_FAR_BEHIND, EVENT_TOO_LARGE;
    - every read with ``at_least_position``: POSITION_NEGATIVE, POSITION_BEYOND_HEAD, VIEWS_BEHIND,
      VIEWS_NOT_WHOLE;
    - every list: PAGE_SIZE_NEGATIVE;
    - every price: PRICE_NEGATIVE, PRICE_UNITS_OUT_OF_BOUNDS (not for 1 to 1,000,000,000 units), CURRENCY_UNKNOWN;
    - every time: TIME_MALFORMED (not between 1970 and 9999); ``occurred_at`` also OCCURRED_IN_FUTURE;
    - every note, name and region: TEXT_TOO_LONG (above 200 characters), TEXT_MALFORMED (it holds NUL);
    - every selection of units: see ``select``.

    An argument of a wrong type raises TypeError, and a number of more than 64 bits ValueError.

    The examples of all methods tell one story, and the tests run it: acme makes masks, ann and bob sell them on,
    c-7 buys some. An example may use a name that an earlier one has set, such as ``offer``.

    Args:
        target: Address of the server, HOST:PORT.
        book: Name of the book: 1 to 64 letters, digits, dots, dashes or underscores.
        timeout: Seconds one attempt of a call may take. Streams have no such limit.
        retry_seconds: Seconds a call is repeated while no server answers; 0 means that it is tried once.

    Attributes:
        target: The address, as given.
        book: The name of the book, as given.
        position: The highest position that this client has written; 0 before its first write.

    Example:
        >>> import datetime
        >>> from pathbook.client import Client, RefusedError, UnreachableError
        >>> from pathbook.client import parse_event, price, select, timestamp
        >>> from pathbook.v1 import events_pb2, transfers_pb2, values_pb2
        >>> client = Client("127.0.0.1:50551", book="masks")
        >>> client.position
        0
    """

    def __enter__(self) -> Self:
        """Return the client itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the channel."""
        self.close()
