"""A server whose book has an event that is newer than it: it says so by name, and serves what it can read."""

import contextlib
import io
import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from grpc import StatusCode

from pathbook.cli.main import run
from pathbook.client import Client, RefusedError, parse_event
from pathbook.ledger.codec import NewerEventError
from pathbook.ledger.store.log.stream import Stream
from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import Settings
from tests.books import DATABASE_FILE, engine
from tests.newer import FIELD, TOPIC, of_unknown_kind
from tests.services.masks import BEGUN, BOOK, begin, boxes, opened, yuan

KNOWN = BEGUN
"""The events that every program knows. After them comes one that is newer."""


@pytest.fixture
def stream(place: Path) -> Iterator[Stream]:
    """The log of the books, beside the server's own."""
    events = engine(place, "events")
    stream = Stream(events)
    yield stream
    stream.close()
    events.dispose()


@pytest.fixture
def client(place: Path, stream: Stream) -> Iterator[Client]:
    """A client of a server that was running when a newer server appended an event to its book."""
    named = place / DATABASE_FILE
    database = named.read_text("utf-8") if named.exists() else ""
    settings = Settings(data=place, database=database, listen="127.0.0.1:0")
    with running(settings) as port, Client(f"127.0.0.1:{port}", book=BOOK, retry_seconds=0) as client:
        begin(client)
        client.get_party("acme")
        append_newer(stream)
        yield client


def append_newer(stream: Stream) -> None:
    """Append an event of an unknown kind after the known ones."""
    (entry,) = stream.read(BOOK, KNOWN - 1, 1)
    stream.append(BOOK, KNOWN, [(TOPIC, of_unknown_kind(entry.data))])


@contextlib.contextmanager
def told_by_name() -> Iterator[None]:
    """Expect a call to fail with the position and the field that the server does not know."""
    with pytest.raises(RefusedError) as error:
        yield
    assert (error.value.reason, error.value.code) == ("BOOK_NEWER", StatusCode.UNIMPLEMENTED)
    assert error.value.metadata == {"position": str(KNOWN + 1), "field": str(FIELD)}
    assert error.value.message.endswith("Update the server.")


def test_writes_and_reads_beyond_the_newer_event_fail_by_name(client: Client) -> None:
    """Writes, and reads that ask for the newer event, say what to do at once. Other reads and other books go on."""
    began = time.monotonic()
    for number in range(3):
        with told_by_name():
            client.record_transfer(giver="acme", receiver="ann", units=boxes(0, number), unit_price=yuan(9))
        with told_by_name():
            client.get_party("acme", at_least_position=KNOWN + 1)
    assert time.monotonic() - began < 10
    assert client.get_party("acme").party == "acme"
    head = client.get_head()
    assert (head.position, head.views_position) == (KNOWN + 1, KNOWN)
    with Client(client.target, book="other", retry_seconds=0) as other:
        begin(other)
        assert other.get_party("ann").party == "ann"


def test_the_bytes_are_streamed_and_the_reader_is_told(client: Client) -> None:
    """A stream carries the newer event as it is, and the client says that it does not know it."""
    (batch,) = client.read(KNOWN)
    with pytest.raises(NewerEventError, match=f"position {KNOWN + 1} .* field {FIELD}"):
        parse_event(batch.first_position, batch.events[0])
    events = [data for batch in itertools.islice(client.subscribe(KNOWN - 1), 1) for data in batch.events]
    assert len(events) == 2
    assert parse_event(KNOWN, events[0]).WhichOneof("kind") == "batch_commissioned"


def test_the_next_events_of_a_newer_book_still_reach_subscribers(client: Client, stream: Stream) -> None:
    """A subscriber gets the events that the newer server goes on to append, although no views follow."""
    subscription = client.subscribe(KNOWN)
    assert next(subscription).next_after_position == KNOWN + 1
    (entry,) = stream.read(BOOK, KNOWN - 1, 1)
    stream.append(BOOK, KNOWN + 1, [(TOPIC, of_unknown_kind(entry.data))])
    began = time.monotonic()
    assert next(subscription).next_after_position == KNOWN + 2
    assert time.monotonic() - began < 5


def ran(*arguments: str) -> tuple[int, str, str]:
    """Run the command line, and return its exit code and its output."""
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        code = run(arguments)
    return code, out.getvalue(), err.getvalue()


def test_the_command_line_prints_newer_events_and_says_so(client: Client) -> None:
    """All events are printed. The one that is newer is marked, stderr says what to do, and the exit code is 4."""
    place = ("--server", client.target, "--book", BOOK)
    code, out, err = ran(*place, "events", "read")
    assert code == 4
    assert len(out.splitlines()) == KNOWN + 1
    assert out.splitlines()[-1].endswith(f"unknown  (newer than this program: field {FIELD})")
    assert err.startswith(
        f"pathbook: EVENT_NEWER: The event at position {KNOWN + 1} is newer than this program"
    )
    assert err.endswith("Update this program.\n")
    code, out, err = ran(*place, "--output", "jsonl", "events", "read", "--after", str(KNOWN))
    found = json.loads(out)
    assert (code, found["position"], found["newer_than_this_program"]) == (
        4,
        str(KNOWN + 1),
        f"field {FIELD}",
    )
    assert json.loads(err)["error"]["metadata"] == {"position": str(KNOWN + 1), "field": str(FIELD)}
    assert "newer" not in json.dumps(found["event"])
    code, out, err = ran(*place, "events", "read", "--limit", str(KNOWN))
    assert (code, err) == (0, "")
    code, out, err = ran(*place, "party", "register", "zoe", "--kind", "agent")
    assert (code, out) == (4, "")
    assert err.startswith("pathbook: BOOK_NEWER: ")


def test_views_are_rebuilt_up_to_the_newer_event(tmp_path: Path) -> None:
    """`views rebuild` names the event, does not call it a bug, and leaves views that answer."""
    with opened(tmp_path) as client:
        begin(client)
    events = engine(tmp_path, "events")
    stream = Stream(events)
    append_newer(stream)
    stream.close()
    events.dispose()
    code, _, err = ran("--data", str(tmp_path), "views", "rebuild")
    assert code == 4
    assert err.splitlines()[-1].startswith(
        f"pathbook: BOOK_NEWER: The event at position {KNOWN + 1} is newer"
    )
    assert "bug" not in err
    with opened(tmp_path) as client:
        assert client.get_party("acme").party == "acme"
    code, out, err = ran("--data", str(tmp_path), "--book", BOOK, "party", "show", "acme")
    assert (code, out) == (4, "")  # a verb answers for all events before it, or says why it cannot
    assert "BOOK_NEWER: " in err
