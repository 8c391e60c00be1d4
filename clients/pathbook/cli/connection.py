"""A client for one verb: of the server that the options name, or of a server started for it in this process."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from pathbook.cli import credentials, printing, signing
from pathbook.cli.settings import Books, Output, Settings

if TYPE_CHECKING:  # gRPC is imported when a verb calls; a usage error does not wait for it
    from pathbook.client import Client

RETRY_TIMEOUT_S: Final = 3.0
"""How long a verb retries when no server answers: long enough for a server that is starting."""


LONG_RETRY_TIMEOUT_S: Final = 30.0
"""How long a verb that runs for minutes or hours retries: long enough for a server that restarts."""


@contextlib.contextmanager
def connected(
    settings: Settings, book: str | None = None, retry_seconds: float = RETRY_TIMEOUT_S
) -> Iterator["Client"]:
    """Connect to a book, by default to that of the options. It need not be open."""
    place = settings.place()
    from pathbook.client import Client

    with contextlib.ExitStack() as stack:
        channel, token = None, ""
        if isinstance(place, Books):
            from pathbook.cli import local

            place, token = stack.enter_context(local.serving(place))
        else:
            channel, token = credentials.of_channel(settings), credentials.token(settings)
        named = settings.book if book is None else book
        client = Client(place, book=named, credentials=channel, retry_seconds=retry_seconds, token=token)
        yield stack.enter_context(contextlib.closing(client))


@contextlib.contextmanager
def writing(
    settings: Settings, retry_seconds: float = RETRY_TIMEOUT_S, *, signs: bool = True
) -> Iterator["Client"]:
    """Connect to the book, and sign what is written if --sign-with names a key.

    The user of books without a server is their operator, whose first book is opened here. Without ``signs``, the caller
    decides itself what is signed.
    """
    settings.place()  # a usage error comes before a passphrase is typed
    signer = signing.signer_of(settings) if signs else None
    with connected(settings, retry_seconds=retry_seconds) as client:
        if isinstance(settings.place(), Books):
            _open_first_book(settings, client)
        yield client.with_options(signer=signer)


@contextlib.contextmanager
def rehearsing(settings: Settings) -> Iterator["Client | None"]:
    """Connect to a copy of the book, which is thrown away. Yield None if only another computer can copy it.

    If there are no books yet, the copy has the book of the options, as the first write would open it.
    """
    place = settings.place()
    if not isinstance(place, Books) or place.database:
        yield None
        return
    from pathbook.cli import local
    from pathbook.client import Client

    with (
        local.copied(place) as copy,
        local.serving(copy) as (target, token),
        contextlib.closing(
            Client(target, book=settings.book, retry_seconds=RETRY_TIMEOUT_S, token=token)
        ) as client,
    ):
        if next(client.list_books(page_size=1), None) is None:
            client.open_book()
        yield client


@contextlib.contextmanager
def looking(settings: Settings, book: str | None = None) -> Iterator["Client"]:
    """Connect to a book, and create nothing."""
    place = settings.place()
    if isinstance(place, Books):
        from pathbook.cli import local

        local.require_books(place)
    with connected(settings, book) as client:
        yield client


@contextlib.contextmanager
def reading(settings: Settings) -> Iterator["Client"]:
    """Connect to the book. Reads then include every event that was recorded before."""
    with looking(settings) as client:
        client.position = client.get_head().position
        yield client


def _open_first_book(settings: Settings, client: "Client") -> None:
    """Open the book if no book is there at all, and say so in one line. Scripts read only JSON on stderr."""
    from pathbook.client import RefusedError

    if next(client.list_books(page_size=1), None) is not None:
        return
    try:
        client.open_book()
    except RefusedError as error:
        if error.reason != "BOOK_EXISTS":  # another command was first
            raise
        return
    if settings.output is Output.TABLE:
        printing.echo(f"Opened book '{settings.book}', the first one here.", err=True)
