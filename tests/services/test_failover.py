"""A PostgreSQL that leads is lost under load: another one takes over, and no acknowledged event is lost or doubled."""

import itertools
import threading
import time
from pathlib import Path

import pytest

from pathbook.client import Client, RefusedError, UnreachableError
from pathbook.ledger.codec import decode
from pathbook.ledger.requests import request_of
from tests.books import DATABASE_FILE
from tests.ha import high_availability, is_available
from tests.services.masks import BOOK, begin, boxes, yuan
from tests.services.operators import ask, wait_until
from tests.services.process import served

WRITERS = 4
LOAD_S = 4.0
"""How long events are recorded before the leader is lost, and after writes go on."""


class Load:
    """Callers that record one event after the other, each repeated until it is acknowledged."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._write, args=(number,)) for number in range(WRITERS)]
        self.acknowledged: dict[str, int] = {}
        self.times: list[float] = []
        for thread in self._threads:
            thread.start()

    def _write(self, writer: int) -> None:
        number = 0
        with Client(self._target, book=BOOK, retry_seconds=0) as client:
            while not self._stop.is_set():
                request, box = f"{writer}-{number}", writer * 200_000 + number
                try:
                    answer = client.record_transfer(
                        giver="acme",
                        receiver="ann",
                        units=boxes(box, box),
                        unit_price=yuan(150),
                        request_id=request,
                    )
                except (RefusedError, UnreachableError):
                    time.sleep(0.1)
                    continue
                self.acknowledged[request] = answer.receipt.position
                self.times.append(time.monotonic())
                number += 1

    def stop(self) -> None:
        """Stop the callers, each after its last event is acknowledged."""
        self._stop.set()
        for thread in self._threads:
            thread.join(120)


@pytest.mark.heavy
@pytest.mark.skipif(not is_available(), reason="Patroni or etcd is not installed")
def test_no_acknowledged_event_is_lost_with_the_leader(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The leader is killed under load. Writes stand still, go on by themselves, and the log has each event once."""
    with high_availability() as cluster:
        leader = cluster.leader()
        cluster.create_database()
        place = tmp_path / "place"
        place.mkdir()
        (place / DATABASE_FILE).write_text(cluster.url, "utf-8")
        with served(place, 0, "--operations-listen", "127.0.0.1:0") as server:
            address = str(server.wait_for("answering operators")["address"])
            with Client(server.target, book=BOOK) as client:
                begin(client, size=1_000_000)
            load = Load(server.target)
            time.sleep(LOAD_S)
            killed = time.monotonic()
            leader.kill()
            wait_until(lambda: ask(address, "/readyz")[0] == 503)
            wait_until(lambda: bool(load.times) and load.times[-1] > killed + 5)
            time.sleep(LOAD_S)
            load.stop()
            assert cluster.leader() is not leader
            wait_until(lambda: ask(address, "/readyz")[0] == 200)
            with Client(server.target, book=BOOK) as client:
                data = [event for batch in client.read() for event in batch.events]
        times = sorted(load.times)
        still = max(after - before for before, after in itertools.pairwise(times))
        recorded = {decode(position, event).request: position for position, event in enumerate(data, 1)}
        assert len(recorded) == len(data), "no request is recorded twice"
        lost = {
            name: position
            for name, position in load.acknowledged.items()
            if recorded.get(request_of("acme", name)) != position
        }
        with capsys.disabled():
            print(
                f"\n{len(load.acknowledged)} events acknowledged, {len(lost)} lost;"
                f" writes stood still for {still:.1f} s"
            )
        assert not lost
