"""A watch replays what is new, survives a server that is away, and ends at a contradiction with its evidence."""

import contextlib
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from pathbook.audit import replaying
from pathbook.audit.differences import DifferenceError, LaterError, Rule, UncheckableError
from pathbook.audit.replaying import Replay, StoppedError
from pathbook.audit.sources import Source, of_server
from pathbook.audit.state_directory import EVIDENCE, StateDirectory
from pathbook.audit.watch_metrics import WatchMetrics
from pathbook.audit.watching import LONGEST_PAUSE_S, Watch
from pathbook.client import Client
from pathbook.ledger.proofs.checkpoint import Checkpoint
from pathbook.ledger.proofs.signed_note import sign_note
from pathbook.services.log_key import LOG_KEY_FILE, read_log_key
from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import Settings
from pathbook.verify.trust import Trust
from tests.audit.guards import guards, without
from tests.services.masks import BOOK, begin, moved

PATIENCE_S: Final = 20.0
GUARDED: Final = ("pathbook.audit.replaying",)


class Watched:
    """A watch over a server, step by step: each time that the watch waits, the next step is taken."""

    def __init__(self, directory: Path, client: Client) -> None:
        self.directory, self.client = directory, client
        self.pauses: list[float] = []
        self.told: list[str] = []
        self.metrics = WatchMetrics()

    def run(self, *steps: Callable[[], object], source: Callable[[], Source] | None = None) -> None:
        """Look once, then take each step and look again."""
        rest = iter(steps)

        def wait(seconds: float) -> bool:
            self.pauses.append(seconds)
            step = next(rest, None)
            if step is None:
                return True
            step()
            return False

        with StateDirectory(self.directory) as state:
            watch = Watch(replaying.Replay(state), state, Trust(), self.metrics, None, self.told.append)
            watch.run(source or (lambda: of_server(self.client)), 0.5, wait)

    def metric(self, name: str, **labels: str) -> float | None:
        """Return the value of a metric."""
        return self.metrics.value(name, labels)


@contextlib.contextmanager
def sealing(data: Path, port: int = 0) -> Iterator[Client]:
    """Serve a directory with a sealer, and yield a client of the book of masks."""
    settings = Settings(data=data, listen=f"127.0.0.1:{port}", seals=True)
    with running(settings) as at, Client(f"127.0.0.1:{at}", book=BOOK, retry_seconds=0) as client:
        yield client


def sealed_beyond(client: Client, size: int) -> int:
    """Wait for a checkpoint of more events, and return its size."""
    until = time.monotonic() + PATIENCE_S
    while True:
        with contextlib.suppress(Exception):
            if (found := client.get_checkpoint().size) > size:
                return found
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_watch_follows_a_book_over_restarts_and_outages(tmp_path: Path) -> None:
    """It replays what is new, tells an outage once, asks again with bounded pauses, and goes on after a restart."""
    data, state = tmp_path / "data", tmp_path / "state"
    with sealing(data) as client:
        port = int(client.target.rpartition(":")[2])
        begin(client)
        size = sealed_beyond(client, 0)
        watched = Watched(state, client)

        def more() -> None:
            moved(client, client.position, client.position)
            sealed_beyond(client, size)

        watched.run(more)
        assert watched.told[0].startswith(f"No difference: {size} events, checkpoint of {size}")
        assert (watched.metric("up"), watched.metric("difference")) == (1, 0)
        assert (watched.metric("replayed_events") or 0) > size
        assert watched.metric("looks_total", outcome="consistent") == 2
    with Client(f"127.0.0.1:{port}", book=BOOK, retry_seconds=0) as client:
        again = Watched(state, client)
        again.run(*[lambda: None] * 8)
    assert again.metric("up") == 0
    assert len(again.told) == 1, "an outage is told once"
    assert again.pauses == sorted(again.pauses)
    assert again.pauses[-1] == LONGEST_PAUSE_S
    with sealing(data, port) as client:
        third = Watched(state, client)
        third.run()
        assert third.metric("up") == 1
        assert (third.metric("replayed_events") or 0) >= (watched.metric("replayed_events") or 0)


def test_a_contradiction_ends_a_watch_with_both_checkpoints(tmp_path: Path) -> None:
    """The log signs another history of the size that was seen: both notes are kept, beside what was found."""
    with sealing(tmp_path / "data") as client:
        begin(client)
        size = sealed_beyond(client, 0)
        watched = Watched(tmp_path / "state", client)
        watched.run()
        honest = client.get_checkpoint(size).note
        key = read_log_key(tmp_path / "data" / LOG_KEY_FILE)
        verifier = key.verifier("pathbook/masks")
        forked = str(sign_note(str(Checkpoint("pathbook/masks", size, bytes(32))), verifier, key.sign))

        def split() -> Source:
            return of_server(client)._replace(note=forked.encode())

        with pytest.raises(DifferenceError) as error:
            watched.run(source=split)
        assert error.value.difference.rule is Rule.CHECKPOINT_ROOT
        assert watched.metric("difference") == 1
        (evidence,) = (tmp_path / "state" / EVIDENCE).iterdir()
        kept = evidence.read_text("utf-8")
        assert honest.partition("\n\n")[0] in kept
        assert forked in kept
        assert str(evidence) in watched.told[-1]


def test_a_log_that_lost_events_is_a_difference(tmp_path: Path) -> None:
    """Events that were seen once must be there, also after a restart, and so must the last one of them."""
    with sealing(tmp_path / "data") as client:
        begin(client)
        sealed_beyond(client, 0)
        Watched(tmp_path / "state", client).run()
        changed = {"source.size": shortened, "last": shifted, "position": emptied}
        for change in changed.values():
            with pytest.raises(DifferenceError) as error:
                Watched(tmp_path / "state", client).run(source=partial(change, of_server(client)))
            assert error.value.difference.rule is Rule.HISTORY
        for guard in guards(GUARDED):
            for name, change in changed.items():
                if guard.condition.strip("(").startswith(name):
                    with without(guard, GUARDED):
                        Watched(tmp_path / "state", client).run(source=partial(change, of_server(client)))
                    del changed[name]
                    break
        assert not changed, "without its guard, each is accepted"


def emptied(source: Source) -> Source:
    """Return a source that says how many events there are, and gives none."""
    return source._replace(events=lambda *_: iter(()))


def test_a_checkpoint_that_the_caller_demands_is_missed(tmp_path: Path) -> None:
    """Without a signed checkpoint, or without all events, nothing is said of a book whose log the caller trusts."""
    with sealing(tmp_path / "data") as client:
        begin(client)
        sealed_beyond(client, 0)
        source = of_server(client)
        assert source.key is not None
        with pytest.raises(LaterError):
            Replay().run(source._replace(note=None), (), Trust((source.key,)))
        with pytest.raises(UncheckableError, match="then no more"):
            Replay().run(source._replace(size=source.size + 1, note=None), (), Trust())
        Replay().run(source, (), Trust((source.key,)))


def test_a_checkpoint_may_be_signed_after_its_events_were_replayed(tmp_path: Path) -> None:
    """A look between a seal and its signature is followed by one that compares the checkpoint, also after a restart."""
    with sealing(tmp_path / "data") as client:
        begin(client)
        sealed_beyond(client, 0)
        source, state = of_server(client), tmp_path / "state"
        assert source.key is not None
        with StateDirectory(state) as directory:
            Replay(directory).run(source._replace(note=None), (), Trust())
        with StateDirectory(state) as directory:
            Replay(directory).run(source, (), Trust((source.key,)))


def shortened(source: Source) -> Source:
    """Return a source of the first events alone."""
    return source._replace(size=5)


def shifted(source: Source) -> Source:
    """Return a source that has each event a position later."""
    return source._replace(events=lambda after, through: source.events(after - 1, through - 1))


def test_a_replay_that_is_stopped_goes_on(tmp_path: Path) -> None:
    """It stops between two events, keeps what it replayed, and names the position after which it begins again."""
    with sealing(tmp_path / "data") as client:
        begin(client)
        sealed_beyond(client, 0)
        asked = iter([False] * 4 + [True] * 9)
        with StateDirectory(tmp_path / "state") as state, pytest.raises(StoppedError):
            Replay(state, is_stopped=lambda: next(asked)).run(of_server(client), (), Trust())
        with StateDirectory(tmp_path / "state") as state:
            audited = Replay(state).run(of_server(client), (), Trust())
        assert 0 < audited.begun_after < 6
        assert audited.replayed == Replay().run(of_server(client), (), Trust()).replayed


def test_the_verb_tells_its_state_and_stops_when_it_is_told_to(tmp_path: Path) -> None:
    """It prints plain lines on stderr, answers Prometheus on a port of this machine, and exits 0 at SIGTERM."""
    with sealing(tmp_path / "data") as client:
        begin(client)
        sealed_beyond(client, 0)
        line = [
            "audit",
            "watch",
            "--server",
            client.target,
            "--book",
            BOOK,
            "--state",
            str(tmp_path / "state"),
        ]
        with subprocess.Popen(
            [sys.executable, "-m", "pathbook", *line, "--interval", "0.2"], stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stderr is not None
            address = process.stderr.readline().split()[-1]
            assert process.stderr.readline().startswith("No difference: ")
            with urllib.request.urlopen(address, timeout=5) as answer:
                text = answer.read().decode()
            assert "pathbook_audit_up 1.0" in text
            assert 'pathbook_audit_looks_total{outcome="consistent"}' in text
            process.terminate()
            assert process.wait(20) == 0
