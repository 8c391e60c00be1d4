"""A client for one verb: of the server that the options name, or of a server started for it in this process."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from pathbook.cli.settings import Books, Settings

if TYPE_CHECKING:  # gRPC is imported when a verb calls; a usage error does not wait for it
    from pathbook.client import Client

RETRY_TIMEOUT_S: Final = 3.0
"""How long a verb retries when no server answers: long enough for a server that is starting."""


LONG_RETRY_TIMEOUT_S: Final = 30.0
"""How long a verb that runs for minutes or hours retries: long enough for a server that restarts."""


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
    """Connect to the book. Reads then include every event that was recorded before."""
    place = settings.place()
    if isinstance(place, Books):
        from pathbook.cli import local

        local.require_books(place)
    with writing(settings) as client:
        client.position = client.get_head().position
        yield client
