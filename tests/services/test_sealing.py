"""Seals of a running storage: soon after a change, by one of many processes, and never against the log."""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from pathbook.client import Client
from pathbook.ledger import sealing
from pathbook.ledger.codec import decode
from pathbook.ledger.commands import Command, CommissionBatch, Seal
from pathbook.ledger.events import RecordedEvent, Sealed
from pathbook.ledger.proofs.custody import unit_leaf
from pathbook.ledger.proofs.tree import root_of_inclusion
from pathbook.ledger.sealing import Sealer
from pathbook.ledger.store.custody.tables import SealRow
from pathbook.ledger.store.views.custody_steps import CustodySteps, Step
from pathbook.ledger.values import WRITER_PREFIX
from pathbook.services.clock import now
from pathbook.services.storage import Storage
from tests.books import BEGINNING, DATABASE_FILE, PATIENCE, positions, record
from tests.custody_model import custody_of
from tests.services.masks import begin, moved
from tests.services.process import served

BOOK = "masks"


@pytest.fixture(autouse=True)
def frequent_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let sealers look at all books often, so that tests need not wait."""
    monkeypatch.setattr(sealing, "POLL_INTERVAL_S", 0.5)


@contextlib.contextmanager
def opened(place: Path, *, seals: bool = True) -> Iterator[Storage]:
    """Open the storage of a place."""
    database = url.read_text("utf-8") if (url := place / DATABASE_FILE).exists() else ""
    with contextlib.closing(
        Storage(place, now, database=database, seals=seals, allow_event_loss=True)
    ) as storage:
        yield storage


def beginning(storage: Storage) -> list[Command]:
    """Return the commands that begin the book, with the key of codes that the storage has."""
    *before, commission = BEGINNING
    assert isinstance(commission, CommissionBatch)
    return [*before, replace(commission, code_key=storage.keys.for_new_batch())]


def ask(storage: Storage, *commands: Command) -> list[int]:
    """Submit commands, and return the positions of their events."""
    return positions(storage.books.submit(BOOK, commands).result(PATIENCE))


def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds, and fail if that takes too long."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def recorded(storage: Storage) -> list[RecordedEvent]:
    """Return all events of the book."""
    return [decode(entry.position, entry.data) for entry in storage.stream.read(BOOK, 0, 10_000)]


def seals(storage: Storage) -> list[tuple[Sealed, int]]:
    """Return the seals of the book, each with its position."""
    return [(item.event, item.position) for item in recorded(storage) if isinstance(item.event, Sealed)]


def covered(storage: Storage) -> int:
    """Return the position that the tables of custody cover."""
    with storage.custody.open(BOOK) as custody:
        return custody.seal.covers if custody is not None else 0


def by_hand(storage: Storage) -> Sealer:
    """Return a sealer that seals when it is told to."""
    return Sealer(
        storage.books,
        storage.stream,
        storage.follower,
        CustodySteps(storage.custody.views, storage.stream),
    )


def followed(storage: Storage) -> None:
    """Wait until the views are at the head."""
    storage.follower.reached(BOOK, storage.stream.head(BOOK)).result(PATIENCE)


def test_a_book_is_sealed_soon_after_it_changed(place: Path) -> None:
    """Each change is sealed in a moment, and listeners are told. A book that is left alone gets no further seal."""
    told: list[tuple[str, int]] = []
    with opened(place, seals=False) as storage:
        storage.sealer.on_seal(lambda book, position: told.append((book, position)))
        storage.sealer.start()
        ask(storage, *beginning(storage))
        until(lambda: covered(storage) == 5)
        ask(storage, record("r"))
        until(lambda: covered(storage) == 7)
        time.sleep(1.5)
        events = recorded(storage)
        assert [position for _, position in seals(storage)] == [6, 8]
        for sealed, _ in seals(storage):
            assert sealed == custody_of(events, sealed.covers)
        assert told == [(BOOK, 6), (BOOK, 8)]
    told.clear()
    with opened(place, seals=False) as storage:  # the sealer of a later process finds nothing to seal
        failures = [OSError("the first call fails")]

        def listener(book: str, position: int) -> None:
            if failures:
                raise failures.pop()
            told.append((book, position))

        storage.sealer.on_seal(listener)
        storage.sealer.start()
        time.sleep(1.5)
        assert storage.stream.head(BOOK) == 8
        until(lambda: told == [(BOOK, 8)])


def test_a_book_that_became_quiet_is_sealed(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though much changed, the sealer waits no longer than until nothing comes any more."""
    monkeypatch.setattr(sealing, "LITTLE_EVENTS", 0)
    with opened(place, seals=False) as storage:
        steps = CustodySteps(storage.custody.views, storage.stream)
        sealer = Sealer(
            storage.books, storage.stream, storage.follower, steps, soon_s=0.2, latest_s=10 * PATIENCE
        )
        sealer.start()
        with contextlib.closing(sealer):
            changed = ask(storage, *beginning(storage))[-1]
            until(lambda: steps.last(BOOK).covers == changed)


def test_custody_that_was_emptied_is_filled_again(place: Path) -> None:
    """When the views of a book that nothing is added to are rebuilt, its custody comes back without another seal."""
    with opened(place) as storage:
        ask(storage, *beginning(storage))
        until(lambda: covered(storage) == 5)
        storage.follower.rebuild()
        until(lambda: covered(storage) == 0)
        until(lambda: covered(storage) == 5)
        assert storage.stream.head(BOOK) == 6


def test_the_checkpoint_of_each_seal_is_signed(place: Path) -> None:
    """A moment after a change, there is a signed checkpoint whose last leaf is the seal."""
    with opened(place) as storage:
        ask(storage, *beginning(storage))
        until(lambda: storage.checkpoints.newest(BOOK) is not None)
        newest = storage.checkpoints.newest(BOOK)
        assert newest is not None
        assert newest.size == 6


def test_a_storage_seals_only_if_it_is_asked_to(place: Path) -> None:
    """Without the choice of an operator, no seal is recorded."""
    with opened(place, seals=False) as storage:
        ask(storage, *beginning(storage))
        time.sleep(1.5)
        assert storage.stream.head(BOOK) == 5


def test_a_seal_that_was_recorded_before_a_crash_is_taken(place: Path) -> None:
    """If the tables were not written after the seal, they go to it, and the listener is told of it."""
    with opened(place, seals=False) as storage:
        ask(storage, *beginning(storage))
        followed(storage)
        step = CustodySteps(storage.custody.views, storage.stream).next(BOOK)
        assert step is not None
        ask(storage, seal_of(step.sealed))
        ask(storage, record("r"))
    told: list[int] = []
    with opened(place, seals=False) as storage:
        assert covered(storage) == 0
        followed(storage)
        sealer = by_hand(storage)
        sealer.on_seal(lambda _, position: told.append(position))
        assert sealer.seal(BOOK) == 7
        assert told == [6, 8]
        assert [position for _, position in seals(storage)] == [6, 8]


@pytest.mark.parametrize(
    "pauses", [(1.2, 1.35), pytest.param((1.2, 1.35, 1.1, 1.5), marks=pytest.mark.heavy)]
)
def test_a_sealer_that_is_killed_goes_on(place: Path, pauses: tuple[float, ...]) -> None:
    """Whenever a server is killed, the next one goes on. Every seal, the tables and the checkpoints are right."""
    with served(place, seals=True) as server, Client(server.target, book=BOOK) as client:
        begin(client)
        server.kill()
    unit = 0
    for pause in pauses:
        with served(place, seals=True) as server, Client(server.target, book=BOOK) as client:
            end = time.monotonic() + pause
            while time.monotonic() < end:
                moved(client, unit, unit)
                unit += 1
                time.sleep(0.02)
            server.kill()
    with opened(place) as storage:
        until(lambda: covered(storage) >= storage.stream.head(BOOK) - 1)
        events = recorded(storage)
        found = seals(storage)
        assert len(found) >= len(pauses)
        for sealed, _ in found:
            assert sealed == custody_of(events, sealed.covers)
        until(
            lambda: (newest := storage.checkpoints.newest(BOOK)) is not None and newest.size == found[-1][1]
        )
        with storage.custody.open(BOOK) as custody:
            assert custody is not None
            assert (custody.seal.root, custody.seal.position) == (found[-1][0].root, found[-1][1])
            batch = custody.batch(1)
            assert batch is not None
            for number in (0, unit - 1, unit, batch.size - 1):
                leaf, path = unit_leaf(custody.run(batch, number).head), custody.unit_path(batch, number)
                assert root_of_inclusion(leaf, number, batch.size, path) == batch.root


def seal_of(sealed: Sealed) -> Seal:
    """Return the command that records a seal."""
    return Seal(
        request_id=f"{WRITER_PREFIX}seal/{sealed.covers}",
        covers=sealed.covers,
        covers_recorded_at=sealed.covers_recorded_at,
        batches=sealed.batches,
        parties=sealed.parties,
        root=sealed.root,
    )


def test_a_seal_that_contradicts_its_events_stops_the_sealer(
    place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The book is sealed no further, the log says which seal it is, and other books go on."""
    with opened(place, seals=False) as storage:
        ask(storage, *beginning(storage), seal_of(Sealed(5, 0, 1, 2, bytes(32))), record("r"))
    with opened(place) as storage:
        until(lambda: storage.sealer.contradiction(BOOK) is not None)
        contradiction = storage.sealer.contradiction(BOOK)
        assert contradiction is not None
        assert contradiction.position == 6
        ask(storage, record("s"))
        time.sleep(1.5)
        assert [position for _, position in seals(storage)] == [6]
        assert covered(storage) == 0
    assert "a seal contradicts the events of its book" in "".join(capfd.readouterr())


def test_two_sealers_add_one_seal(place: Path) -> None:
    """Of two sealers that computed the same step, or one that goes further, the second records nothing."""
    with opened(place, seals=False) as storage:
        ask(storage, *beginning(storage))
        followed(storage)
        steps = CustodySteps(storage.custody.views, storage.stream)
        first = steps.next(BOOK)
        assert first is not None
        ask(storage, record("r"))
        followed(storage)
        late = _Late(storage, steps, first)
        assert by_hand(storage).seal(BOOK) == 6
        assert late.seal() == 6
        assert [(sealed.covers, position) for sealed, position in seals(storage)] == [(6, 7)]


class _Late:
    """A sealer that computed a step before another sealer sealed."""

    def __init__(self, storage: Storage, steps: CustodySteps, step: Step) -> None:
        self._steps, self._step = steps, step
        self._sealer = Sealer(storage.books, storage.stream, storage.follower, _Given(steps, step))

    def seal(self) -> int:
        """Seal with the step that is old by now."""
        return self._sealer.seal(BOOK)


class _Given(CustodySteps):
    """Steps of which the first was computed before."""

    def __init__(self, steps: CustodySteps, first: Step) -> None:
        self._steps, self._first = steps, [first]

    def next(self, book: str) -> Step | None:
        """Return the old step, then those that are next."""
        return self._first.pop() if self._first else self._steps.next(book)

    def write(self, step: Step, position: int) -> bool:
        """Write a step."""
        return self._steps.write(step, position)

    def last(self, book: str) -> SealRow:
        """Return what the tables are."""
        return self._steps.last(book)
