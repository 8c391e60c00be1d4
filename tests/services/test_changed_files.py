"""Files that are removed, replaced or cut under running servers: each says so, and acknowledges nothing more."""

import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
from grpc import StatusCode
from grpc_health.v1 import health_pb2, health_pb2_grpc

from pathbook.client import Client, RefusedError
from pathbook.ledger.store.views.lost_events import LostEventsError
from pathbook.services.run.server import SERVICES
from pathbook.services.storage import EVENTS_FILE, VIEWS_FILE
from tests.services.masks import BEGUN, BOOK, begin, moved, opened, refused
from tests.services.process import ServerProcess, served

CHANGED = "a file changed while it was open: nothing more is written to it"
WAL = f"{EVENTS_FILE}-wal"
SHM = f"{EVENTS_FILE}-shm"


def client_of(server: ServerProcess) -> Client:
    """Return a client that retries nothing."""
    return Client(server.target, book=BOOK, retry_seconds=0)


def health(target: str, service: str = "") -> int:
    """Return the answer of a health check."""
    with grpc.insecure_channel(target) as channel:
        request = health_pb2.HealthCheckRequest(service=service)
        return int(health_pb2_grpc.HealthStub(channel).Check(request).status)


def replace(path: Path) -> None:
    """Replace a file by a copy of itself."""
    shutil.copy(path, path.with_name("copy"))
    path.with_name("copy").replace(path)


LOSSES: list[tuple[Callable[[Path], object], str]] = [
    (lambda data: (data / EVENTS_FILE).unlink(), EVENTS_FILE),
    (lambda data: os.truncate(data / EVENTS_FILE, 0), EVENTS_FILE),
    (lambda data: replace(data / EVENTS_FILE), EVENTS_FILE),
    (lambda data: (data / WAL).unlink(), WAL),
    (lambda data: os.truncate(data / WAL, 0), WAL),
    (lambda data: (data / SHM).unlink(), SHM),
    (lambda data: data.rename(data.with_name("elsewhere")), EVENTS_FILE),
]


@pytest.mark.parametrize(("lose", "file"), LOSSES)
def test_a_server_stops_writing_when_its_log_is_lost(
    tmp_path: Path, lose: Callable[[Path], object], file: str
) -> None:
    """Without any write the loss is logged. Writes are refused by name, and health checks say that calls fail."""
    data = tmp_path / "data"
    with served(data) as server, client_of(server) as client:
        begin(client)
        moved(client, 0, 0)
        assert [health(server.target, name) for name in ("", *SERVICES)] == [1] * (1 + len(SERVICES))
        lose(data)
        server.wait_for(CHANGED, lambda entry: f"{file} " in str(entry["problem"]))
        for _ in range(2):
            with pytest.raises(
                RefusedError, match=f"Nothing more is recorded, because {file} of this server"
            ) as error:
                moved(client, 1, 1)
            assert (error.value.reason, error.value.code) == ("LOG_LOST", StatusCode.DATA_LOSS)
            assert str(tmp_path) not in error.value.message
        assert [health(server.target, name) for name in ("", *SERVICES)] == [2] * (1 + len(SERVICES))
        assert server.terminate() == 0


def test_a_write_at_the_moment_of_the_loss_is_not_acknowledged(tmp_path: Path) -> None:
    """While many write, the log is moved away. What was acknowledged before is in the file, and nothing later is."""
    data = tmp_path / "data"
    acknowledged: list[int] = []
    with served(data) as server, client_of(server) as client:
        begin(client)

        def write() -> None:
            with refused("LOG_LOST", StatusCode.DATA_LOSS):
                while True:
                    acknowledged.append(moved(client, len(acknowledged), len(acknowledged)))

        thread = threading.Thread(target=write)
        thread.start()
        while len(acknowledged) < 20:
            time.sleep(0.001)
        data.rename(tmp_path / "elsewhere")
        thread.join()
        server.terminate()
    with sqlite3.connect(tmp_path / "elsewhere" / EVENTS_FILE) as log:
        (head,) = log.execute("SELECT max(position) FROM event").fetchone()
    log.close()
    assert head >= acknowledged[-1]


def test_each_of_several_workers_notices(tmp_path: Path) -> None:
    """All servers on a port, and their follower, log the loss, and none acknowledges a write."""
    data = tmp_path / "data"
    with served(data, 0, "--workers", "2") as server:
        with client_of(server) as client:
            begin(client)
        (data / EVENTS_FILE).unlink()
        for name in ("worker 1", "worker 2", "follower"):
            server.wait_for(CHANGED, lambda entry, name=name: entry["process"] == name)  # type: ignore[misc] # bound at once
        for _ in range(8):
            with client_of(server) as client, refused("LOG_LOST", StatusCode.DATA_LOSS):
                moved(client, 1, 1)


def test_other_processes_may_use_the_same_books(tmp_path: Path) -> None:
    """Under load, a second server comes and is killed, strangers read and back up the log, and no write is refused."""
    data = tmp_path / "data"
    with served(data) as server, client_of(server) as client:
        begin(client, 1_000_000)
        done: list[int] = []
        stop = threading.Event()

        def write() -> None:
            while not stop.is_set():
                done.append(moved(client, len(done), len(done)))

        thread = threading.Thread(target=write)
        thread.start()
        for number in range(3):
            with served(data) as other, client_of(other) as theirs:
                moved(theirs, 900_000 + number, 900_000 + number)
                if number == 1:
                    other.terminate()
            source = sqlite3.connect(data / EVENTS_FILE)
            target = sqlite3.connect(tmp_path / f"copy {number}.sqlite")
            source.backup(target)
            source.execute("PRAGMA wal_checkpoint(FULL)")
            source.close()
            target.close()
        stop.set()
        thread.join()
        assert client.get_head().position == BEGUN + len(done) + 3
        assert server.terminate() == 0
        assert [entry for entry in server.entries() if entry["level"] in ("error", "warning")] == []
    with opened(data) as client:
        assert client.get_head().position == BEGUN + len(done) + 3


VIEWS_LOSSES: list[Callable[[Path], object]] = [
    lambda data: (data / VIEWS_FILE).unlink(),
    lambda data: (data / f"{VIEWS_FILE}-wal").unlink(),
    lambda data: replace(data / VIEWS_FILE),
]


@pytest.mark.parametrize("lose", VIEWS_LOSSES)
def test_lost_views_are_named_and_rebuilt_by_the_next_start(
    tmp_path: Path, lose: Callable[[Path], object]
) -> None:
    """A server whose views are removed or replaced answers no read from them. The next one rebuilds them."""
    data = tmp_path / "data"
    with served(data) as server, client_of(server) as client:
        begin(client)
        moved(client, 0, 9)
        assert len(list(client.list_stock("ann"))) == 1
        lose(data)
        server.wait_for(CHANGED)
        for position in (0, None):
            with pytest.raises(
                RefusedError, match=rf"Nothing more is read, because {VIEWS_FILE}(-wal)? of this server"
            ) as error:
                list(client.list_stock("ann", at_least_position=position))
            assert (error.value.reason, error.value.code) == ("VIEWS_LOST", StatusCode.UNAVAILABLE)
        assert health(server.target) == 2
        assert server.terminate() == 0
    with opened(data) as client:
        client.position = client.get_head().position
        assert [line.owned for line in client.list_stock("ann")] == [10]


def test_a_server_does_not_come_back_on_a_lost_log(tmp_path: Path) -> None:
    """After the log was removed under a server, the next start is refused, and the views are left as they are."""
    data = tmp_path / "data"
    with served(data) as server, client_of(server) as client:
        begin(client)
        list(client.list_stock("acme"))
        (data / EVENTS_FILE).unlink()
        server.wait_for(CHANGED)
        server.terminate()
    views = (data / VIEWS_FILE).read_bytes()
    named = rf"{VIEWS_FILE} knows {BEGUN} events of book '{BOOK}', and the log {EVENTS_FILE} has none"
    with pytest.raises(LostEventsError, match=named), opened(data):
        pass
    assert not (data / EVENTS_FILE).exists()
    assert (data / VIEWS_FILE).read_bytes() == views
