"""A client for one verb: of the server that the options name, or of a server started for it in this process."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from pathbook.cli import printing
from pathbook.cli.settings import Books, Output, Settings

if TYPE_CHECKING:  # gRPC is imported when a verb calls; a usage error does not wait for it
    import grpc

    from pathbook.client import Client

CERTIFICATES: Final = "PATHBOOK_CA"
"""The environment variable with the file of the certificates that a server behind TLS is trusted by."""

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
        credentials = None
        if isinstance(place, Books):
            from pathbook.cli import local

            place = stack.enter_context(local.serving(place))
        else:
            credentials = _credentials()
        named = settings.book if book is None else book
        client = Client(place, book=named, credentials=credentials, retry_seconds=retry_seconds)
        yield stack.enter_context(contextlib.closing(client))


@contextlib.contextmanager
def writing(settings: Settings, retry_seconds: float = RETRY_TIMEOUT_S) -> Iterator["Client"]:
    """Connect to the book. The user of books without a server is their operator, whose first book is opened here."""
    with connected(settings, retry_seconds=retry_seconds) as client:
        if isinstance(settings.place(), Books):
            _open_first_book(settings, client)
        yield client


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
        local.serving(copy) as target,
        contextlib.closing(Client(target, book=settings.book, retry_seconds=RETRY_TIMEOUT_S)) as client,
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


def _credentials() -> "grpc.ChannelCredentials | None":
    """Return the credentials for TLS if PATHBOOK_CA names certificates, else None.

    Raises:
        click.UsageError: the file cannot be read.
    """
    named = os.environ.get(CERTIFICATES, "")
    if not named:
        return None
    try:
        trusted = Path(named).read_bytes()
    except OSError as error:
        raise click.UsageError(
            f"{CERTIFICATES} names a file of certificates that cannot be read: {named} ({error.strerror})."
        ) from None
    import grpc

    return grpc.ssl_channel_credentials(trusted)


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
