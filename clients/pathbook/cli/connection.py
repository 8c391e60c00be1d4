"""A client for one verb: to the server it was told, or to one started for it on a directory of books."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from pathbook.cli.settings import Settings

if TYPE_CHECKING:  # gRPC is loaded when a verb calls, not to say that it was misspelt
    from pathbook.client import Client

RETRY_SECONDS: Final = 3.0
"""How long a person waits for a server that cannot be reached: long enough for one that just starts."""


@contextlib.contextmanager
def writing(settings: Settings) -> Iterator["Client"]:
    """Connect to the book."""
    server, data = settings.place()
    from pathbook.client import Client

    with contextlib.ExitStack() as stack:
        if data:
            from pathbook.cli import local

            server = stack.enter_context(local.serving(data))
        client = Client(server, book=settings.book, retry_seconds=RETRY_SECONDS)
        yield stack.enter_context(contextlib.closing(client))


@contextlib.contextmanager
def reading(settings: Settings) -> Iterator["Client"]:
    """Connect to the book, so that what is read knows all that was recorded before."""
    server, data = settings.place()
    if not server:
        from pathbook.cli import local

        local.require_books(data)
    with writing(settings) as client:
        client.position = client.get_head().position
        yield client
