"""Servers on a shared port and their follower: each is killed, and no request is lost or recorded twice."""

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

from pathbook.cli.serve import processors
from pathbook.client import Client, RefusedError, UnreachableError, insight_filter
from pathbook.ledger.book import memory, tail
from pathbook.ledger.codec import decode
from pathbook.ledger.requests import request_of
from pathbook.services import gateway
from pathbook.services.run.in_thread import running
from pathbook.services.run.ports import reserved
from pathbook.services.run.settings import Settings
from pathbook.services.run.workers import RESTARTS_MAX
from tests.books import DATABASE_FILE, PATIENCE
from tests.postgres import driver_url, drop_database, new_database
from tests.services.masks import BEGUN, begin, boxes, refused, yuan
from tests.services.process import Entry, Running, ServerProcess, followed, kill, served

WORKERS = ("worker 1", "worker 2", "worker 3")
WITH_WORKERS = ("--workers", str(len(WORKERS)))

Found = TypeVar("Found")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared_port(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    """Three servers on one port with one follower, on both kinds of database, for a book of each test."""
    place = tmp_path_factory.mktemp("shared_port")
    if request.param == "sqlite":
        with served(place, 0, *WITH_WORKERS) as servers:
            yield servers
        return
    url = new_database()
    (place / DATABASE_FILE).write_text(url, "utf-8")
    with served(place, 0, *WITH_WORKERS) as servers:
        yield servers
    drop_database(url)


def give(client: Client, box: int) -> None:
    """Transfer one box of masks to ann, with a request id of its own."""
    client.record_transfer(
        giver="acme", receiver="ann", units=boxes(box, box), unit_price=yuan(150), request_id=f"box {box}"
    )


def given(count: int) -> list[bytes]:
    """Return the requests of acme by which so many boxes are given, in order."""
    return [request_of("acme", f"box {box}") for box in range(count)]


def requests(client: Client) -> list[bytes]:
    """Return the requests in a book by position, after a check that there are no gaps."""
    found: list[bytes] = []
    for batch in client.read():
        assert batch.first_position == len(found) + 1
        found += (
            decode(place, data).request for place, data in enumerate(batch.events, batch.first_position)
        )
    return found


def retry_while_behind(ask: Callable[[], Found]) -> Found:
    """Repeat a query until the views are far enough, however busy the machine is."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return ask()
        except RefusedError as refusal:
            if refusal.reason != "VIEWS_BEHIND" or time.monotonic() > until:
                raise


def owned(client: Client) -> int:
    """Return how many boxes ann owns, after the views have this client's writes."""
    (stock,) = retry_while_behind(lambda: list(client.list_stock("ann")))
    return stock.owned


def transfers(servers: ServerProcess) -> Counter[object]:
    """Return how many transfers each process has logged."""
    methods = ((entry["process"], entry.get("method")) for entry in servers.entries() if "process" in entry)
    return Counter(name for name, method in methods if str(method).endswith("/RecordTransfer"))


def about(name: str) -> Callable[[Entry], bool]:
    """Return a test of whether a log entry is about a process."""
    return lambda entry: entry.get("process") == name


def test_a_killed_worker_loses_and_repeats_no_request(shared_port: ServerProcess) -> None:
    """After kill -9 of the busiest server, its callers go on with the others, and each request is recorded once."""
    boxes_each, writers = 40, 8

    def write(writer: int) -> None:
        with Client(shared_port.target, book="killed", retry_seconds=PATIENCE) as own:
            for box in range(writer, boxes_each * writers, writers):
                give(own, box)

    with Client(shared_port.target, book="killed") as client, ThreadPoolExecutor(writers) as threads:
        begin(client)
        before = transfers(shared_port)
        writing = [threads.submit(write, writer) for writer in range(writers)]
        while (wrote := transfers(shared_port) - before).total() < boxes_each:
            assert not all(future.done() for future in writing)
            time.sleep(0.02)
        victim = str(wrote.most_common(1)[0][0])
        kill(shared_port.pid(victim))
        for future in writing:
            future.result(PATIENCE)
        assert shared_port.wait_for("a process ended", about(victim))["exit_code"] == -9
        everything = given(boxes_each * writers)
        assert sorted(requests(client)[BEGUN:]) == sorted(everything)
        client.position = client.get_head().position
        assert owned(client) == len(everything)
        (rung,) = client.get_ladder(1).rungs
        assert (rung.units, rung.sum_minor) == (len(everything), len(everything) * 15_000)


def test_reads_wait_for_a_restarted_follower(shared_port: ServerProcess) -> None:
    """After kill -9 of the follower a new one goes on, and reads that waited are answered correctly."""
    with Client(shared_port.target, book="unfollowed") as client:
        begin(client)
        first = shared_port.pid("follower")
        kill(first)
        for box in range(20):
            give(client, box)
        assert owned(client) == 20
        assert shared_port.pid("follower") != first


def test_reports_are_built_by_a_process_that_may_be_killed(shared_port: ServerProcess) -> None:
    """After kill -9 of the process for reports a new one goes on, and the reports have all that was recorded."""
    with Client(shared_port.target, book="unreported") as client:
        begin(client)
        first = shared_port.pid("reports")
        kill(first)
        for box in range(20):
            give(client, box)
        answer = retry_while_behind(lambda: client.get_ladder(only=insight_filter(party="ann")))
        assert [(rung.units, rung.sum_minor) for rung in answer.rungs] == [(20, 20 * 15_000)]
        assert shared_port.pid("reports") != first


def test_views_and_reports_are_followed_apart(shared_port: ServerProcess) -> None:
    """One process updates the views and no report, another the reports and no view."""
    for name, views in (("follower", True), ("reports", False)):
        entry = shared_port.wait_for("following", about(name))
        assert (entry["views"], entry["reports"]) == (views, not views)


def test_many_books_are_written_at_once(shared_port: ServerProcess) -> None:
    """Each book has its own positions and views, whichever server wrote its events."""

    def write(book: str) -> list[bytes]:
        with Client(shared_port.target, book=book) as one, Client(shared_port.target, book=book) as other:
            begin(one)
            for box in range(10):
                give(other if box % 2 else one, box)
            one.position = other.position
            assert owned(one) == 10
            return requests(other)

    with ThreadPoolExecutor(6) as threads:
        for found in threads.map(write, [f"book-{number}" for number in range(6)], timeout=PATIENCE):
            assert found[BEGUN:] == given(10)


def test_a_call_without_a_server_fails_or_is_retried(shared_port: ServerProcess) -> None:
    """Without a server a call fails as unreachable, and a client with retries succeeds once a server is back."""
    with Client(shared_port.target, book="dead", retry_seconds=0) as hasty:
        begin(hasty)
        for name in WORKERS:
            kill(shared_port.pid(name))
        with pytest.raises(UnreachableError) as error:  # noqa: PT012 - calls may succeed until all servers are dead
            while True:
                give(hasty, 0)
        assert error.value.code is grpc.StatusCode.UNAVAILABLE
    with Client(shared_port.target, book="dead", retry_seconds=PATIENCE) as patient:
        give(patient, 0)
        give(patient, 0)
        assert requests(patient)[BEGUN:] == given(1)


@pytest.mark.parametrize("end", [ServerProcess.terminate, ServerProcess.kill])
def test_workers_end_with_their_parent(end: Callable[[ServerProcess], int | None], tmp_path: Path) -> None:
    """If the parent is stopped or killed, each worker and what follows it finish their work and end."""
    place = tmp_path / "data"
    servers = ServerProcess(place, 0, "--workers", "2")
    assert servers.out.read_text() == f"Serving {place} on {servers.target}\n"
    servers.wait_for("following", about("reports"))  # servers do not wait for it
    assert not end(servers)
    for name in ("worker 1", "worker 2", "follower", "reports"):
        servers.wait_for("stopped", about(name))


@pytest.mark.skipif(processors() < 2, reason="one processor: there is one process")
def test_one_server_has_its_views_updated_by_another_process(tmp_path: Path) -> None:
    """By default, a server on two processors leaves its views to other processes, also after a kill of one."""
    servers = ServerProcess(tmp_path / "data", apart=True)
    with Client(servers.target, book="masks") as client:
        begin(client)
        give(client, 0)
        assert len(list(client.list_batches())) == 1
        kill(servers.pid("follower"))
        give(client, 1)
        assert client.get_path((1, 1))
    servers.wait_for("following", about("reports"))  # servers do not wait for it
    assert servers.terminate() == 0
    for name in ("worker 1", "follower", "reports"):
        servers.wait_for("stopped", about(name))


def kill_each(servers: Running, name: str, times: int) -> None:
    """Kill a process of servers, and each that is started in its place, so many times (kill -9)."""
    killed: set[int] = set()

    def is_new(entry: Entry) -> bool:
        return entry["process"] == name and entry["pid"] not in killed

    for _ in range(times):
        pid = int(str(servers.wait_for("started", is_new)["pid"]))
        killed.add(pid)
        kill(pid)


def test_a_worker_that_ends_repeatedly_ends_the_parent(tmp_path: Path) -> None:
    """After five ends of one worker, the parent ends with an exit code and a message."""
    servers = Running(tmp_path / "data", "serve", "--listen", "127.0.0.1:0", "--workers", "2")
    kill_each(servers, "worker 2", 5)
    assert servers.wait() == 4
    assert "pathbook: CANNOT_OPEN: The process 'worker 2' ended 5 times" in servers.log.read_text()


def test_reports_that_cannot_be_built_end_no_server(tmp_path: Path) -> None:
    """If the process for reports ends again and again, the servers go on to write and to read."""
    servers = ServerProcess(tmp_path / "data", 0, "--workers", "2")
    kill_each(servers, "reports", RESTARTS_MAX + 1)
    with Client(servers.target, book="masks") as client:
        begin(client)
        give(client, 0)
        assert owned(client) == 1
    assert servers.terminate() == 0


def test_an_address_is_shared_only_among_workers_of_one_parent(tmp_path: Path) -> None:
    """Neither another server nor another group of workers can use the same address."""
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


def test_a_server_stops_while_a_book_waits_for_lagging_views(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that waits for lagging views stops waiting when its server stops."""
    monkeypatch.setattr(tail, "TAIL_MAX_EVENTS", BEGUN + 4)
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


@pytest.mark.parametrize("limit", ["TAIL_MAX_EVENTS", "TAIL_MAX_RANGES"])
def test_writes_are_refused_while_the_views_lag(
    limit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A book too far ahead of its views, by events or by changed ranges, refuses writes until a follower caught up."""
    monkeypatch.setattr(memory, "VIEWS_LAG_TIMEOUT_S", 0.1)
    settings = Settings(data=tmp_path, listen="127.0.0.1:0", follows=False)
    with running(settings) as port, Client(f"127.0.0.1:{port}", book="masks", retry_seconds=0) as client:
        begin(client)
        with followed(tmp_path) as follower:  # so that the batch does not begin in the tail
            follower.wait_for("the views are at the head")
        monkeypatch.setattr(tail, limit, 4)
        for box in range(5):
            give(client, box)
        for _ in range(3):
            with refused("VIEWS_FAR_BEHIND", grpc.StatusCode.UNAVAILABLE):
                give(client, 5)
        with followed(tmp_path) as follower:
            follower.wait_for("the views are at the head")
            give(client, 5)
            assert requests(client)[BEGUN:] == given(6)


# When the first call that fails closes all connections, one in use elsewhere is left to the garbage collector.
@pytest.mark.filterwarnings("ignore:.* was deleted while still open:ResourceWarning")
def test_lost_database_connections_lose_no_write(tmp_path: Path) -> None:
    """If PostgreSQL ends its connections, calls fail as retriable, and the client retries them."""
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
        assert requests(client)[BEGUN:] == given(30)
    gc.collect()  # here, where that is expected, and not amid another test
    drop_database(url)


def test_a_server_leaves_the_views_to_another_process(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a follower, reads of new writes end as behind, and a follower that starts later catches up."""
    monkeypatch.setattr(gateway, "VIEWS_WAIT_TIMEOUT_S", 0.2)
    named = place / DATABASE_FILE
    database = named.read_text("utf-8") if named.exists() else ""
    settings = Settings(data=place, database=database, listen="127.0.0.1:0", follows=False)
    with running(settings) as port, Client(f"127.0.0.1:{port}", book="masks") as client:
        begin(client)
        for boxes_given in (1, 2):
            give(client, boxes_given)
            with refused("VIEWS_BEHIND", grpc.StatusCode.DEADLINE_EXCEEDED):
                list(client.list_stock("ann"))
            with followed(place) as follower:
                follower.wait_for(
                    "the views are at the head", lambda entry: entry["events"] == client.position
                )
                assert owned(client) == boxes_given
