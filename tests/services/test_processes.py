"""Servers that share a port, and who projects their views: each is killed, and nothing is lost, nothing doubled."""

import gc
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import grpc
import psycopg
import pytest

from pathbook.client import Client, RefusedError, UnreachableError
from pathbook.ledger.book import memory
from pathbook.ledger.codec import decode
from pathbook.ledger.store.database import notify
from pathbook.ledger.store.views import follower as followers
from pathbook.services import gateway
from pathbook.services.run.in_thread import running
from pathbook.services.run.ports import reserved
from pathbook.services.run.settings import Settings
from tests.books import DATABASE_FILE, PATIENCE
from tests.postgres import driver_url, drop_database, new_database
from tests.services.masks import begin, boxes, refused, yuan
from tests.services.process import Entry, Running, ServerProcess, followed, kill, served

WORKERS = ("worker 1", "worker 2", "worker 3")
TOGETHER = ("--workers", str(len(WORKERS)))

Found = TypeVar("Found")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def together(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    """Three servers on one port and who projects their views, on either kind of database; each test has a book."""
    place = tmp_path_factory.mktemp("together")
    if request.param == "sqlite":
        with served(place, 0, *TOGETHER) as servers:
            yield servers
        return
    url = new_database()
    (place / DATABASE_FILE).write_text(url, "utf-8")
    with served(place, 0, *TOGETHER) as servers:
        yield servers
    drop_database(url)


def give(client: Client, box: int) -> None:
    """Give one box of masks to ann, as a request of its own."""
    client.record_transfer(
        giver="acme", receiver="ann", units=boxes(box, box), unit_price=yuan(150), request_id=f"box {box}"
    )


def requests(client: Client) -> list[str]:
    """Return the ids of the requests in a book, in order of the positions, which have no gaps."""
    found: list[str] = []
    for batch in client.read():
        assert batch.first_position == len(found) + 1
        found += (
            decode(place, data).request_id for place, data in enumerate(batch.events, batch.first_position)
        )
    return found


def patiently(ask: Callable[[], Found]) -> Found:
    """Ask until the views know enough, however busy the machine is."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return ask()
        except RefusedError as refusal:
            if refusal.reason != "VIEWS_BEHIND" or time.monotonic() > until:
                raise


def owned(client: Client) -> int:
    """Return how many boxes ann owns, by views that know what this client wrote."""
    (stock,) = patiently(lambda: list(client.list_stock("ann")))
    return stock.owned


def transfers(servers: ServerProcess) -> Counter[object]:
    """Return how many transfers each process has logged."""
    methods = ((entry["process"], entry.get("method")) for entry in servers.entries() if "process" in entry)
    return Counter(name for name, method in methods if str(method).endswith("/RecordTransfer"))


def of(name: str) -> Callable[[Entry], bool]:
    """Say of an entry of the log whether it is about a process."""
    return lambda entry: entry.get("process") == name


def test_a_server_killed_among_others_loses_nothing_and_doubles_nothing(together: ServerProcess) -> None:
    """While many write, kill -9 ends the server that wrote most; its callers go on with the others."""
    boxes_each, writers = 40, 8

    def write(writer: int) -> None:
        with Client(together.target, book="killed", retry_seconds=PATIENCE) as own:
            for box in range(writer, boxes_each * writers, writers):
                give(own, box)

    with Client(together.target, book="killed") as client, ThreadPoolExecutor(writers) as threads:
        begin(client)
        before = transfers(together)
        writing = [threads.submit(write, writer) for writer in range(writers)]
        while (wrote := transfers(together) - before).total() < boxes_each:
            assert not all(future.done() for future in writing)
            time.sleep(0.02)
        victim = str(wrote.most_common(1)[0][0])
        kill(together.pid(victim))
        for future in writing:
            future.result(PATIENCE)
        assert together.wait_for("a process ended", of(victim))["exit_code"] == -9
        everything = [f"box {box}" for box in range(boxes_each * writers)]
        assert sorted(requests(client)[6:]) == sorted(everything)
        client.position = client.get_head().position
        assert owned(client) == len(everything)
        (rung,) = client.get_ladder(1).rungs
        assert (rung.units, rung.sum_minor) == (len(everything), len(everything) * 15_000)


def test_reads_wait_for_a_follower_that_is_started_again(together: ServerProcess) -> None:
    """After kill -9 of who projects the views another one goes on, and who asked meanwhile is answered rightly."""
    with Client(together.target, book="unfollowed") as client:
        begin(client)
        first = together.pid("follower")
        kill(first)
        for box in range(20):
            give(client, box)
        assert owned(client) == 20
        assert together.pid("follower") != first


def test_many_books_are_written_at_once(together: ServerProcess) -> None:
    """Each book has its own positions, whichever server wrote them, and views of its own."""

    def write(book: str) -> list[str]:
        with Client(together.target, book=book) as one, Client(together.target, book=book) as other:
            begin(one)
            for box in range(10):
                give(other if box % 2 else one, box)
            one.position = other.position
            assert owned(one) == 10
            return requests(other)

    with ThreadPoolExecutor(6) as threads:
        for found in threads.map(write, [f"book-{number}" for number in range(6)], timeout=PATIENCE):
            assert found[6:] == [f"box {box}" for box in range(10)]


def test_a_caller_whose_server_died_is_told_and_may_try_again(together: ServerProcess) -> None:
    """Without a server a call ends as unreachable; one that is patient is answered when there is one again."""
    with Client(together.target, book="dead", retry_seconds=0) as hasty:
        begin(hasty)
        for name in WORKERS:
            kill(together.pid(name))
        with pytest.raises(UnreachableError) as error:  # noqa: PT012 - some may be answered until all are dead
            while True:
                give(hasty, 0)
        assert error.value.code is grpc.StatusCode.UNAVAILABLE
    with Client(together.target, book="dead", retry_seconds=PATIENCE) as patient:
        give(patient, 0)
        give(patient, 0)
        assert requests(patient)[6:] == ["box 0"]


@pytest.mark.parametrize("end", [ServerProcess.terminate, ServerProcess.kill])
def test_servers_end_with_who_started_them(
    end: Callable[[ServerProcess], int | None], tmp_path: Path
) -> None:
    """Told to stop, or killed, who started them leaves nobody behind, and each finishes what it is doing."""
    place = tmp_path / "data"
    servers = ServerProcess(place, 0, "--workers", "2")
    assert servers.out.read_text() == f"Serving {place} on {servers.target}\n"
    assert not end(servers)
    for name in ("worker 1", "worker 2", "follower"):
        servers.wait_for("stopped", of(name))


def test_a_process_that_ends_again_and_again_ends_all(tmp_path: Path) -> None:
    """It is given up after some times, with an exit code and a sentence."""
    servers, killed = (
        Running(tmp_path / "data", "serve", "--listen", "127.0.0.1:0", "--workers", "2"),
        set[int](),
    )

    def is_new(entry: Entry) -> bool:
        return entry["process"] == "worker 2" and entry["pid"] not in killed

    for _ in range(5):
        pid = int(str(servers.wait_for("started", is_new)["pid"]))
        killed.add(pid)
        kill(pid)
    assert servers.wait() == 4
    assert "pathbook: CANNOT_OPEN: The process 'worker 2' ended 5 times" in servers.log.read_text()


def test_an_address_is_shared_only_among_those_who_began_together(tmp_path: Path) -> None:
    """Neither one more server nor servers that share a port of their own may have it, too."""
    with reserved("127.0.0.1:0") as address:
        with pytest.raises(OSError, match=f"Cannot listen on {address}"), reserved(address):
            pass
        alone = Settings(data=tmp_path, listen=address)
        with pytest.raises(OSError, match=f"Cannot listen on {address}"), running(alone):
            pass
    with running(Settings(data=tmp_path, listen=address)) as port:
        assert address == f"127.0.0.1:{port}"
        with pytest.raises(OSError, match=f"Cannot listen on {address}"), reserved(address):
            pass


def test_a_server_stops_though_a_book_waits_for_views_that_nobody_carries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer too far ahead of the views waits for them, but not for longer than its server runs."""
    monkeypatch.setattr(memory, "TAIL_MAX_EVENTS", 10)
    monkeypatch.setattr(memory, "VIEWS_LAG_TIMEOUT_S", 60 * PATIENCE)

    def serve() -> None:
        settings = Settings(data=tmp_path, listen="127.0.0.1:0", follows=False)
        with running(settings) as port, Client(f"127.0.0.1:{port}", book="masks") as client:
            begin(client)
            for box in range(5):
                give(client, box)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_writing_waits_for_views_and_then_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too far ahead of views that nobody projects, a book takes nothing more; followed again, it does."""
    monkeypatch.setattr(memory, "TAIL_MAX_EVENTS", 10)
    monkeypatch.setattr(memory, "VIEWS_LAG_TIMEOUT_S", 0.1)
    settings = Settings(data=tmp_path, listen="127.0.0.1:0", follows=False)
    with running(settings) as port, Client(f"127.0.0.1:{port}", book="masks", retry_seconds=0) as client:
        begin(client)
        for box in range(5):
            give(client, box)
        for _ in range(2):
            with refused("VIEWS_FAR_BEHIND", grpc.StatusCode.UNAVAILABLE):
                give(client, 5)
        with followed(tmp_path) as follower:
            follower.wait_for("the views are at the head")
            give(client, 5)
            assert requests(client)[6:] == [f"box {box}" for box in range(6)]


# When the first call that fails closes all connections, one in use elsewhere is left to the garbage collector.
@pytest.mark.filterwarnings("ignore:.* was deleted while still open:ResourceWarning")
def test_a_database_that_was_away_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where PostgreSQL cuts its connections, calls are told to try again, and the client does."""
    for module, name in (
        (followers, "BOOK_RETRY_DELAY_S"),
        (followers, "LOG_POLL_INTERVAL_S"),
        (notify, "RECONNECT_DELAY_S"),
    ):
        monkeypatch.setattr(module, name, 0.1)
    url = new_database()
    with (
        running(Settings(data=tmp_path, database=url, listen="127.0.0.1:0")) as port,
        Client(f"127.0.0.1:{port}", book="masks", retry_seconds=PATIENCE) as client,
        psycopg.connect(driver_url(url), autocommit=True) as connection,
    ):
        begin(client)
        for box in range(30):
            if box % 10 == 5:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            give(client, box)
            assert owned(client) == box + 1
        assert requests(client)[6:] == [f"box {box}" for box in range(30)]
    gc.collect()  # here, where that is expected, and not amid another test
    drop_database(url)


def test_a_server_leaves_the_views_to_another_process(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until somebody follows, reads of what was written end as behind; whoever follows later goes on from there."""
    monkeypatch.setattr(gateway, "VIEWS_WAIT_TIMEOUT_S", 0.2)
    named = place / DATABASE_FILE
    database = named.read_text("utf-8") if named.exists() else ""
    settings = Settings(data=place, database=database, listen="127.0.0.1:0", follows=False)
    with running(settings) as port, Client(f"127.0.0.1:{port}", book="masks") as client:
        begin(client)
        for given in (1, 2):
            give(client, given)
            with refused("VIEWS_BEHIND", grpc.StatusCode.DEADLINE_EXCEEDED):
                list(client.list_stock("ann"))
            with followed(place) as follower:
                follower.wait_for(
                    "the views are at the head", lambda entry: entry["events"] == client.position
                )
                assert owned(client) == given
