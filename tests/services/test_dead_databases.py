"""A PostgreSQL that dies, restarts or is read-only under a server: no write is lost or doubled, no answer is vague."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

import grpc
import pytest
import sqlalchemy as sa
from eventsourcing.persistence import PersistenceError
from structlog.testing import capture_logs

from pathbook.client import Client, RefusedError
from pathbook.client.errors import retry_delay
from pathbook.ledger.book import Answer
from pathbook.ledger.codec import decode
from pathbook.ledger.reports.ladder import LADDER
from pathbook.ledger.store.database.failures import StoreTrouble, trouble_of
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.follower import Follower
from pathbook.ledger.store.views.tracking import TRACKING
from pathbook.services import gateway
from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import Settings
from tests.books import (
    DATABASE_FILE,
    PATIENCE,
    ask,
    beginning,
    engine,
    open_books,
    positions,
    record,
    update_views,
)
from tests.postgres import drop_database, execute, kill_backends, name_of, new_database, stopped
from tests.services.masks import BEGUN, BOOK, begin, boxes, refused, yuan

Found = TypeVar("Found")

WRITERS = 3
TROUBLES = {"STORE_UNAVAILABLE", "STORE_BUSY"}


@pytest.fixture
def database() -> Iterator[str]:
    """The URL of a new database."""
    url = new_database()
    yield url
    drop_database(url)


@contextlib.contextmanager
def served_from(url: str, place: Path, retry_seconds: float = 0, *, follows: bool = True) -> Iterator[Client]:
    """Serve the books of a database in this process, and yield a client."""
    settings = Settings(data=place, database=url, listen="127.0.0.1:0", follows=follows)
    with (
        running(settings, logging.ERROR) as port,
        Client(f"127.0.0.1:{port}", book=BOOK, retry_seconds=retry_seconds) as client,
    ):
        yield client


def give(client: Client, box: int) -> None:
    """Record that a box went from acme to ann, under its own request id."""
    client.record_transfer(
        giver="acme", receiver="ann", units=boxes(box, box), unit_price=yuan(150), request_id=f"box {box}"
    )


def owned(client: Client) -> int:
    """Return how many boxes ann owns, this client's own writes included."""
    return sum(stock.owned for stock in client.list_stock("ann"))


def until_answered(call: Callable[[], object]) -> int:
    """Repeat a call until it succeeds, and return how often it failed: each time as UNAVAILABLE with a delay."""
    failures, until = 0, time.monotonic() + PATIENCE
    while True:
        try:
            call()
        except RefusedError as error:
            refused = error
        else:
            return failures
        assert (refused.code, refused.reason in TROUBLES) == (grpc.StatusCode.UNAVAILABLE, True), refused
        delay = delay_of(refused)
        assert 0 < delay <= 1, refused
        assert time.monotonic() < until, refused
        time.sleep(delay)
        failures += 1


def delay_of(refused: RefusedError) -> float:
    """Return how long the server asked to wait."""
    assert isinstance(refused.__context__, grpc.RpcError)
    return retry_delay(refused.__context__)


def patiently(call: Callable[[], Found]) -> Found:
    """Repeat a call while it meets a connection from before an outage."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return call()
        except PersistenceError:
            assert time.monotonic() < until


class Load:
    """Writers and readers that call all the time, and repeat what failed."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._stop = threading.Event()
        self._threads = [
            *(threading.Thread(target=self._write, args=(number,)) for number in range(WRITERS)),
            threading.Thread(target=self._read),
        ]
        self.given: set[int] = set()
        self.failures = 0
        self.errors: list[BaseException] = []

    def __enter__(self) -> Self:
        """Begin."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, once the calls under way are answered."""
        self._stop.set()
        for thread in self._threads:
            thread.join(2 * PATIENCE)

    def wait_for_more(self, count: int) -> None:
        """Wait until so many more boxes are given."""
        goal, until = len(self.given) + count, time.monotonic() + PATIENCE
        while len(self.given) < goal and not self.errors:
            assert time.monotonic() < until
            time.sleep(0.01)

    def _write(self, number: int) -> None:
        with self._calling() as client:
            for box in range(number, 1_000, WRITERS):
                if self._stop.is_set():
                    return
                self.failures += until_answered(partial(give, client, box))
                self.given.add(box)
                self.failures += until_answered(lambda: owned(client))

    def _read(self) -> None:
        with self._calling() as client:
            client.position = BEGUN
            while not self._stop.is_set():
                self.failures += until_answered(lambda: client.get_party("ann"))

    @contextlib.contextmanager
    def _calling(self) -> Iterator[Client]:
        with Client(self._target, book=BOOK, retry_seconds=0) as client:
            try:
                yield client
            except BaseException as error:  # noqa: BLE001 - the test's own thread raises it
                self.errors.append(error)


def recorded(client: Client) -> list[str]:
    """Return the request hashes of all events after the beginning."""
    events = [event for batch in client.read(BEGUN) for event in batch.events]
    return [decode(BEGUN + number, data).request.hex() for number, data in enumerate(events, 1)]


@contextlib.contextmanager
def killed(url: str) -> Iterator[None]:
    """Kill all connections."""
    kill_backends(name_of(url))
    yield


@contextlib.contextmanager
def renamed(url: str) -> Iterator[None]:
    """Give the database another name while the block runs."""
    name = name_of(url)
    execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    kill_backends(name)
    execute(f"ALTER DATABASE {name} RENAME TO {name}_gone")
    yield
    execute(f"ALTER DATABASE {name}_gone RENAME TO {name}")
    execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


@pytest.mark.parametrize(
    "trouble",
    [killed, renamed, lambda _: stopped("fast"), lambda _: stopped("immediate")],
    ids=["connections killed", "database renamed", "restarted", "crashed"],
)
def test_under_load_nothing_is_lost_or_doubled(
    database: str, tmp_path: Path, trouble: Callable[[str], AbstractContextManager[None]]
) -> None:
    """Each call is answered, or fails as UNAVAILABLE with a delay. Each repeated write is recorded once."""
    with served_from(database, tmp_path) as client, capture_logs() as logs:
        begin(client)
        with Load(client.target) as load:
            for _ in range(3):
                load.wait_for_more(10)
                with trouble(database):
                    time.sleep(0.3)
            load.wait_for_more(10)
        assert not load.errors, load.errors
        requests = recorded(client)
        assert len(requests) == len(set(requests)) == len(load.given)
        client.position = BEGUN + len(requests)
        assert owned(client) == len(load.given)
    assert not [line for line in logs if "exception" in line or line.get("exc_info")], logs
    told = [line for line in logs if line["event"] == "the database cannot be used; trying again"]
    assert len(told) <= 2 * 3 + 2, told  # the calls, and what runs behind them, tell of each outage once


def test_idle_connections_that_were_killed_are_replaced_unseen(database: str, tmp_path: Path) -> None:
    """After all connections were killed, the first write, and the first read of it, succeed without a retry."""
    with served_from(database, tmp_path) as client:
        begin(client)
        for box in range(5):
            kill_backends(name_of(database))
            give(client, box)
            until_answered(lambda: owned(client))
            assert owned(client) == box + 1


def test_a_client_waits_for_a_database_that_is_away(database: str, tmp_path: Path) -> None:
    """A client that retries sees no failure: neither its write nor its read fails while PostgreSQL restarts."""
    with served_from(database, tmp_path, retry_seconds=PATIENCE) as client:
        begin(client)
        with stopped("immediate"):
            thread = threading.Thread(target=give, args=(client, 0))
            thread.start()
            time.sleep(1)
            assert thread.is_alive()
        thread.join(PATIENCE)
        assert owned(client) == 1
        assert len(recorded(client)) == 1


def test_a_read_only_database_is_named_and_reads_go_on(database: str, tmp_path: Path) -> None:
    """On a standby, writes fail as UNAVAILABLE by name, and reads are answered, even by a server that starts there."""
    name = name_of(database)
    with served_from(database, tmp_path) as client:
        begin(client)
        give(client, 0)
        assert owned(client) == 1
        execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        kill_backends(name)
        for other in (None, served_from(database, tmp_path)):
            with contextlib.nullcontext(client) if other is None else other as asked:
                asked.position = BEGUN + 1
                assert owned(asked) == 1
                with pytest.raises(RefusedError, match="read-only") as error:
                    give(asked, 1)
                assert (error.value.reason, error.value.code) == (
                    "STORE_READ_ONLY",
                    grpc.StatusCode.UNAVAILABLE,
                )
                assert delay_of(error.value) == 5
        execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
        kill_backends(name)
        give(client, 1)
        assert owned(client) == 2


def test_a_read_does_not_trust_views_that_a_crash_set_back(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the views had reached before a crash is asked again, because they may have lost their last commits."""
    monkeypatch.setattr(gateway, "VIEWS_WAIT_TIMEOUT_S", 0.2)
    (tmp_path / DATABASE_FILE).write_text(database, "utf-8")
    with served_from(database, tmp_path, follows=False) as client:
        begin(client)
        update_views(tmp_path, BEGUN)
        give(client, 0)
        update_views(tmp_path, BEGUN + 1)
        assert client.get_party("ann")
        views = engine(tmp_path, "views")
        with views.begin() as connection:
            connection.execute(TRACKING.update().values(notification_id=BEGUN))
        views.dispose()
        assert client.get_party("ann")  # while no connection is lost, views do not go back
        kill_backends(name_of(database))
        with refused("VIEWS_BEHIND", grpc.StatusCode.DEADLINE_EXCEEDED):
            client.get_party("ann")


def test_a_follower_that_waits_for_a_report_survives_an_outage(database: str, tmp_path: Path) -> None:
    """What waits for a report that another process builds is told that the database is away. Who asks again gets it."""
    (tmp_path / DATABASE_FILE).write_text(database, "utf-8")
    with open_books(tmp_path) as opened:
        head = positions(ask(opened, *beginning("masks")))[-1]
    log, views = engine(tmp_path, "events"), engine(tmp_path, "views")
    with contextlib.closing(Stream(log)) as stream:
        follower = Follower(stream, views, projects=False)
        with contextlib.closing(follower), capture_logs():
            follower.start()
            waiting = follower.reports.reached(LADDER, "masks", head)
            with stopped("immediate"):
                for _ in range(3):
                    follower._wake("masks")
                    time.sleep(0.2)
            assert trouble_of(waiting.exception(PATIENCE)) is StoreTrouble.AWAY
            waiting = patiently(lambda: follower.reports.reached(LADDER, "masks", head))
            patiently(lambda: Follower(stream, views).catch_up("masks"))
            assert waiting.result(PATIENCE) == head
    for opened_engine in (log, views):
        opened_engine.dispose()


def test_a_commit_whose_answer_was_lost_is_found_by_the_retry(database: str, tmp_path: Path) -> None:
    """If the connection breaks between the commit and its answer, the repeated request is a duplicate."""
    (tmp_path / DATABASE_FILE).write_text(database, "utf-8")
    with open_books(tmp_path) as opened:
        ask(opened, *beginning("masks"))
        stream = opened._stream
        armed = [True]

        @sa.event.listens_for(stream.engine, "commit")
        def _lose_the_answer(connection: sa.Connection) -> None:
            if armed and connection.get_execution_options().get("pathbook_writes"):
                armed.clear()
                driver = connection.connection.driver_connection
                assert driver is not None
                driver.commit()
                driver.close()

        lost = opened.submit("masks", [record("once")])
        assert trouble_of(lost.exception(PATIENCE)) is StoreTrouble.AWAY
        head = stream.head("masks")
        (answer,) = ask(opened, record("once"))
        assert isinstance(answer, Answer)
        assert (answer.duplicate, answer.recorded.position) == (True, head)
        assert stream.head("masks") == head
