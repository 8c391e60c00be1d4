"""A server whose log has a damaged event: it says so by name, records nothing more in that book, and serves others."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from grpc import StatusCode

from pathbook.cli.main import run
from pathbook.client import Client, RefusedError
from pathbook.ledger.store.log.event_table import EVENT
from pathbook.ledger.store.log.notes import NOTE
from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import Settings
from pathbook.v1.values_pb2 import PARTY_KIND_BRAND
from tests.books import DATABASE_FILE, engine
from tests.services.masks import BEGUN, BOOK, begin, boxes, yuan

SOLD = BEGUN + 1
"""The position of the first transfer."""


@contextlib.contextmanager
def served(place: Path, *, follows: bool = True) -> Iterator[Client]:
    """Serve the books of a place."""
    settings = Settings(data=place, database=database(place), listen="127.0.0.1:0", follows=follows)
    with running(settings) as port, Client(f"127.0.0.1:{port}", book=BOOK, retry_seconds=0) as client:
        yield client


def database(place: Path) -> str:
    """Return the URL of the database of a place, "" if the books are in files."""
    named = place / DATABASE_FILE
    return named.read_text("utf-8") if named.exists() else ""


def arguments(place: Path) -> list[str]:
    """Return the options of the command line that name the books of a place."""
    return ["--data", str(place), "--book", BOOK, *(["--database", url] if (url := database(place)) else [])]


def damage(place: Path, position: int) -> None:
    """Flip one bit in the last byte of an event."""
    events = engine(place, "events")
    row = sa.and_(EVENT.c.book == BOOK, EVENT.c.position == position)
    with events.begin() as connection:
        data = bytes(connection.execute(sa.select(EVENT.c.state).where(row)).scalar_one())
        changed = data[:-1] + bytes([data[-1] ^ 1])
        connection.execute(EVENT.update().where(row).values(state=changed))
    events.dispose()


def sell(client: Client, number: int) -> None:
    """Record a transfer of one box."""
    client.record_transfer(giver="acme", receiver="ann", units=boxes(number, number), unit_price=yuan(9))


@contextlib.contextmanager
def damage_told(position: int) -> Iterator[None]:
    """Expect a call to fail at the damaged event."""
    with pytest.raises(RefusedError) as error:
        yield
    assert (error.value.reason, error.value.code) == ("EVENT_DAMAGED", StatusCode.DATA_LOSS)
    assert (error.value.metadata["book"], error.value.metadata["position"]) == (BOOK, str(position))
    assert error.value.message.endswith("`pathbook restore`.")


def test_a_book_with_an_event_damaged_before_it_was_projected_stops(place: Path) -> None:
    """Its writes and its waiting reads fail at once, by name, and nothing is appended. Another book goes on."""
    with served(place, follows=False) as client:
        begin(client)
        for number in range(3):
            sell(client, number)
    damage(place, SOLD + 1)
    began = time.monotonic()
    with served(place) as client:
        for number in range(2):
            with damage_told(SOLD + 1):
                client.get_party("acme", at_least_position=SOLD + 2)
            with damage_told(SOLD + 1):
                sell(client, 10 + number)
        assert client.get_head().position == SOLD + 2
        with Client(client.target, book="other", retry_seconds=0) as other:
            other.open_book()
            other.register_party("acme", PARTY_KIND_BRAND)
            assert other.get_party("acme").party == "acme"
    assert time.monotonic() - began < 20


def test_a_writer_that_knew_the_event_stops_as_well(place: Path) -> None:
    """Its memory is whole, but the views cannot go on. So the book records nothing more once the damage is met."""
    with served(place, follows=False) as client:
        begin(client)
        damage(place, 1)
        sell(client, 0)
        with damage_told(1):
            client.get_party("acme", at_least_position=SOLD)
        with damage_told(1):
            sell(client, 1)
        assert client.get_head().position == SOLD


def test_what_rests_on_a_damaged_event_is_not_answered(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A path, a transfer and the stream fail at the event. What the views hold is still right and is answered."""
    with served(place) as client:
        begin(client)
        for number in range(3):
            sell(client, number)
        codes = [code for page in client.list_codes(1, 0, 2) for code in page.serials]
        client.get_party("acme")
    damage(place, SOLD + 1)
    with served(place) as client:
        with damage_told(SOLD + 1):
            client.get_path(codes[1])
        with damage_told(SOLD + 1):
            client.get_transfer(SOLD + 1)
        assert client.get_path(codes[0]).run.owner == "ann"
        assert client.get_party("ann").party == "ann"
        received: list[int] = []
        with damage_told(SOLD + 1):
            received.extend(len(answer.events) for answer in client.read())
        assert sum(received) == SOLD
    for verb, said in (
        (["path", codes[1]], "pathbook: EVENT_DAMAGED: "),
        (["verify", codes[1]], "could not check"),
        (["events", "read"], "pathbook: EVENT_DAMAGED: "),
        (["views", "rebuild"], "pathbook: EVENT_DAMAGED: "),
        (["ladder", "1"], "pathbook: EVENT_DAMAGED: "),  # the views end before the event now
    ):
        given = [item for item in arguments(place) if verb[0] != "views" or item not in ("--book", BOOK)]
        assert run([*verb, *given]) == 4, verb
        out, err = capsys.readouterr()
        assert said in (out if verb[0] == "verify" else err), (verb, err)
        assert "Traceback" not in err + out
        assert "bug" not in err


def test_a_note_that_its_event_does_not_commit_to_is_damage(place: Path) -> None:
    """The text lies beside the event, and is compared with the commitment in it."""
    with served(place) as client:
        begin(client)
        offer = client.offer_transfer(
            giver="acme", receiver="ann", units=boxes(0, 0), unit_price=yuan(9)
        ).receipt.position
        client.decline_transfer(offer, receiver="ann", note="Too dear")
        assert [line.note.text for line in client.get_transfer(offer)] == ["Too dear"]
        events = engine(place, "events")
        with events.begin() as connection:
            connection.execute(NOTE.update().values(text="Too deas"))
        events.dispose()
        with damage_told(offer + 1):
            client.get_transfer(offer)
