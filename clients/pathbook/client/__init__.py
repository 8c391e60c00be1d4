"""The client: every call of the contract as a method, with plain values, deadlines, and safe retries.

What is not here: the server, the book's rules, and anything that checks an answer instead of believing it.
"""

from types import TracebackType
from typing import TYPE_CHECKING, Self

from pathbook.client.batches import Batches
from pathbook.client.bulk import Bulk, Entry
from pathbook.client.cases import Cases
from pathbook.client.errors import RefusedError, UnreachableError
from pathbook.client.events import Events
from pathbook.client.offers import Offers
from pathbook.client.parties import Parties
from pathbook.client.paths import Paths
from pathbook.client.transfers import Transfers
from pathbook.client.values import Price, Quantity, Range, money, select, timestamp

__all__ = [
    "Client",
    "Entry",
    "Price",
    "Quantity",
    "Range",
    "RefusedError",
    "UnreachableError",
    "money",
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


class Client(Parties, Batches, Cases, Offers, Transfers, Bulk, Paths, Events):
    """A book on a server: ``with Client("127.0.0.1:50551", book="masks") as client: ...``.

    Safe to share between threads. Every call raises RefusedError when the server says no, UnreachableError
    when it does not answer. A call that finds no server is made again for ``retry_seconds``, a write under
    the same request id, so that it is done once. Times need a time zone. Prices are minor units with a
    currency.

    Args:
        target: HOST:PORT.
        book: the book's name.
        timeout: seconds one call may take.
        retry_seconds: how long a call is made again while the server cannot be reached.
    """

    def __enter__(self) -> Self:
        """Begin to use the client."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the channel."""
        self.close()
