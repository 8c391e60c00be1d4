"""A client for one verb: to the server it was told, or to one started for it on a directory of books."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from pathbook.cli.settings import Books, Settings

if TYPE_CHECKING:  # gRPC is loaded when a verb calls, not to say that it was misspelt
    from pathbook.client import Client

RETRY_TIMEOUT_S: Final = 3.0
"""How long a person waits for a server that cannot be reached: long enough for one that just starts."""


LONG_RETRY_TIMEOUT_S: Final = 30.0
"""How long work of minutes or hours waits for a server that is started again."""


@contextlib.contextmanager
def writing(settings: Settings, retry_seconds: float = RETRY_TIMEOUT_S) -> Iterator["Client"]:
    """Connect to the book."""
    place = settings.place()
    from pathbook.client import Client

    with contextlib.ExitStack() as stack:
        if isinstance(place, Books):
            from pathbook.cli import local

            place = stack.enter_context(local.serving(place))
        client = Client(place, book=settings.book, retry_seconds=retry_seconds)
        yield stack.enter_context(contextlib.closing(client))


@contextlib.contextmanager
def reading(settings: Settings) -> Iterator["Client"]:
    """Connect to the book, so that what is read knows all that was recorded before."""
    place = settings.place()
    if isinstance(place, Books):
        from pathbook.cli import local

        local.require_books(place)
    with writing(settings) as client:
        client.position = client.get_head().position
        yield client
