"""Opens a book of masks on a server, and checks refusals of calls."""

import contextlib
import datetime
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from grpc import StatusCode

from pathbook.client import Client, RefusedError, select
from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import Settings
from pathbook.v1.values_pb2 import PARTY_KIND_AGENT, PARTY_KIND_BRAND, PARTY_KIND_SHOP, Selection
from tests.books import DATABASE_FILE, prepare_views

BOOK: Final = "masks"
MASK: Final = "04006381333931"
SIZE: Final = 1_000
BEGUN: Final = 7
"""The last position after `begin`."""

CASE: Final = "340123450000000017"
PALLET: Final = "340123450000000024"
TODAY: Final = datetime.datetime.now(datetime.UTC).date()
MADE_ON: Final = TODAY - datetime.timedelta(days=300)
EXPIRES_ON: Final = TODAY + datetime.timedelta(days=30)


@contextlib.contextmanager
def opened(data: Path, level: int = logging.WARNING) -> Iterator[Client]:
    """Serve a directory, and yield a client of the book of masks. A new directory has the tables of the views."""
    if not data.exists():
        prepare_views(data)
    settings = Settings(data=data, listen="127.0.0.1:0")
    with running(settings, level) as port, Client(f"127.0.0.1:{port}", book=BOOK, retry_seconds=0) as client:
        yield client


@contextlib.contextmanager
def opened_place(place: Path) -> Iterator[Client]:
    """Serve the books of a place on either kind of database, and yield a client of the book of masks."""
    named = place / DATABASE_FILE
    database = named.read_text("utf-8") if named.exists() else ""
    settings = Settings(data=place / "books", database=database, listen="127.0.0.1:0")
    with (
        running(settings, logging.WARNING) as port,
        Client(f"127.0.0.1:{port}", book=BOOK, retry_seconds=0) as client,
    ):
        yield client


def begin(client: Client, size: int = SIZE) -> int:
    """Open the book with a brand, two agents, a shop and a batch of the mask. Return the number of the batch."""
    client.open_book(request_id="open")
    client.register_party("acme", PARTY_KIND_BRAND, request_id="acme")
    for agent in ("ann", "bob"):
        client.register_party(agent, PARTY_KIND_AGENT, request_id=agent)
    client.register_party("corner", PARTY_KIND_SHOP, request_id="corner")
    client.register_product(
        MASK, brand="acme", name="Mask, box of 50", suggested_price=yuan(300), request_id="mask"
    )
    return client.commission_batch(
        MASK, brand="acme", lot="L1", size=size, made_on=MADE_ON, expires_on=EXPIRES_ON, request_id="L1"
    ).batch


def yuan(amount: int) -> tuple[int, str]:
    """Return an amount of yuan in fen, with its currency."""
    return amount * 100, "CNY"


def boxes(first: int, last: int, batch: int = 1) -> Selection:
    """Select boxes of a batch by their numbers."""
    return select(ranges=[(batch, first, last)])


@contextlib.contextmanager
def refused(reason: str, code: StatusCode = StatusCode.INVALID_ARGUMENT) -> Iterator[None]:
    """Expect a call to be refused with a reason and a status code."""
    with pytest.raises(RefusedError) as error:
        yield
    assert (error.value.reason, error.value.code) == (reason, code), error.value


def moved(client: Client, first: int, last: int, reference: str = "", reported_by: str = "") -> int:
    """Record that boxes went from acme to ann, and return the position of the event."""
    return client.record_transfer(
        giver="acme",
        receiver="ann",
        units=boxes(first, last),
        unit_price=yuan(150),
        reference=reference,
        reported_by=reported_by,
    ).receipt.position
