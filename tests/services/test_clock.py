"""A clock that jumps: nothing is written and nothing lapses by it, until it is right again or is confirmed."""

import contextlib
import datetime
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from grpc import StatusCode

from pathbook.client import Client, RefusedError
from pathbook.ledger.book import CLOCK_JUMP_MAX_US
from pathbook.ledger.codec import decode
from pathbook.ledger.store.log.clock_looks import CLOCK_LOOK, ClockLooks, Look
from pathbook.services import clock_guard
from pathbook.services.clock import MachineClock, boot_id, now, since_boot
from pathbook.services.clock_check import clock_state, confirm_clock
from pathbook.services.clock_guard import EARLIEST_US
from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import Settings
from pathbook.v1.values_pb2 import PARTY_KIND_AGENT, TRANSFER_STATUS_OFFERED
from tests.books import DATABASE_FILE, PATIENCE, engine
from tests.services.masks import BEGUN, BOOK, begin, boxes, refused, yuan
from tests.services.process import Running, ServerProcess, followed, served
from tests.services.test_deadlines import BOOKS, OFFER, lapses, offer, served_by_workers

DAY = CLOCK_JUMP_MAX_US
YEAR = 365 * DAY
HOUR = DAY // 24


class Machine:
    """A machine whose clock a test sets, and whose time a test lets pass."""

    def __init__(self, wall: int | None = None, boot: str = "first boot") -> None:
        """Start at a time, by default at the present."""
        self.wall = now() if wall is None else wall
        self.since_boot = HOUR
        self.boot = boot

    def passes(self, time: int) -> None:
        """Let time pass, on the clock too."""
        self.wall += time
        self.since_boot += time

    def reboots(self, after: int) -> None:
        """Boot again, so much later."""
        self.passes(after)
        self.boot, self.since_boot = f"boot at {self.wall}", 1

    def clock(self) -> MachineClock:
        """Return the clock of the present boot."""
        return MachineClock(wall=lambda: self.wall, since_boot=lambda: self.since_boot, boot=self.boot)


@pytest.fixture(autouse=True)
def frequent_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the guards look at the clock often, so that tests need not wait."""
    monkeypatch.setattr(clock_guard, "LOOK_INTERVAL_S", 0.02)


def database(place: Path) -> str:
    """Return the URL of the database of a place, "" if the books lie in the place itself."""
    named = place / DATABASE_FILE
    return named.read_text("utf-8") if named.exists() else ""


@contextlib.contextmanager
def served_by(machine: Machine, place: Path, book: str = BOOK) -> Iterator[Client]:
    """Serve a place in this process by the clock of a machine, and yield a client."""
    settings = Settings(data=place, database=database(place), listen="127.0.0.1:0")
    with (
        running(settings, clock=machine.clock()) as port,
        Client(f"127.0.0.1:{port}", book=book, retry_seconds=0) as client,
    ):
        yield client


def begun(machine: Machine, place: Path) -> None:
    """Begin the book of masks."""
    with served_by(machine, place) as client:
        begin(client)


def register(client: Client, name: str) -> int:
    """Register an agent, and return the time at which that was recorded."""
    receipt = client.register_party(name, PARTY_KIND_AGENT).receipt
    return receipt.recorded_at.ToMicroseconds()


def is_believed(machine: Machine, place: Path) -> bool:
    """Tell whether a server that starts now believes the clock: by whether it writes."""
    with served_by(machine, place) as client:
        return writes(client, f"agent-{time.monotonic_ns()}")


@contextlib.contextmanager
def stopped_clock() -> Iterator[None]:
    """Expect a write to fail because the clock is not believed."""
    with refused("CLOCK_JUMPED", StatusCode.FAILED_PRECONDITION):
        yield


def until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.02)


def writes(client: Client, name: str) -> bool:
    """Tell whether a write succeeds now."""
    try:
        register(client, name)
    except RefusedError as error:
        if error.reason in {"CLOCK_JUMPED", "EVENTS_AHEAD"}:
            return False
        raise
    return True


def replace_look(place: Path, look: Look) -> None:
    """Let the database know only this look."""
    events = engine(place, "events")
    ClockLooks(events).replace(look)
    events.dispose()


def looks(place: Path) -> list[Look]:
    """Return the looks that the database knows."""
    events = engine(place, "events")
    try:
        return ClockLooks(events).all()
    finally:
        events.dispose()


@pytest.mark.parametrize(
    "jump",
    [
        pytest.param(10 * YEAR, marks=pytest.mark.heavy),
        DAY + 1,
        -DAY - 1,
        pytest.param(-YEAR, marks=pytest.mark.heavy),
    ],
)
def test_nothing_is_written_and_nothing_lapses_by_a_clock_that_jumped(place: Path, jump: int) -> None:
    """A running server stops writing by name, its offers stay open, reads go on. Once the clock is back, it writes."""
    machine = Machine()
    with served_by(machine, place) as client:
        begin(client)
        deadline = datetime.datetime.fromtimestamp((machine.wall + HOUR) / 1_000_000, datetime.UTC)
        client.offer_transfer(
            giver="acme", receiver="ann", units=boxes(0, 9), unit_price=yuan(150), deadline=deadline
        )
        machine.wall += jump
        for name in ("zoe", "yan"):
            with stopped_clock():
                register(client, name)
        time.sleep(1.2)  # the watch over deadlines has looked
        assert client.get_head().position == OFFER
        assert client.get_transfer(OFFER)[0].status == TRANSFER_STATUS_OFFERED
        machine.wall -= jump
        assert register(client, "zoe") == machine.wall
        assert client.get_transfer(OFFER)[0].status == TRANSFER_STATUS_OFFERED
        machine.passes(HOUR)
        until(lambda: client.get_head().position == OFFER + 2)  # and now it lapses


def test_the_failure_names_both_times_and_how_far_they_differ(place: Path) -> None:
    """The failure says what the clock says, what it should be near, and what to do, for people and for programs."""
    machine = Machine(
        datetime.datetime(2026, 2, 28, 12, tzinfo=datetime.UTC).timestamp().__int__() * 1_000_000
    )
    with served_by(machine, place) as client:
        begin(client)
        machine.wall += 3_653 * DAY
        with pytest.raises(RefusedError) as error:
            register(client, "zoe")
    assert error.value.metadata == {
        "clock": "2036-02-29T12:00:00Z",
        "expected": "2026-02-28T12:00:00Z",
        "difference": "3653 days after",
    }
    assert error.value.message == (
        "Nothing was written: the clock of the server says 2036-02-29T12:00:00Z, 3653 days after the time that it"
        " should be near, 2026-02-28T12:00:00Z. If the clock is right, run `pathbook clock confirm`; if not, set it,"
        " then retry."
    )


@pytest.mark.parametrize("sign", [1, -1])
def test_a_step_of_exactly_a_day_passes_and_many_steps_do_not(place: Path, sign: int) -> None:
    """A step of a day is believed, one microsecond more is not, however many smaller steps it is made of."""
    machine = Machine()
    with served_by(machine, place) as client:
        begin(client)
        for part in range(1, 11):
            machine.wall += sign * DAY // 10
            assert register(client, f"agent-{part}") >= machine.wall
        machine.wall += sign
        with stopped_clock():
            register(client, "zoe")


def test_a_server_that_idles_for_weeks_goes_on(place: Path) -> None:
    """As long as the machine runs, time that passes is no jump, although nothing is written and no call comes."""
    machine = Machine()
    with served_by(machine, place) as client:
        begin(client)
        machine.passes(60 * DAY)
        assert register(client, "zoe") == machine.wall


def test_a_directory_opened_after_weeks_on_the_same_boot_needs_no_confirmation(place: Path) -> None:
    """The machine knows how long it ran, so a clock that agrees is believed, and one that does not is not."""
    machine = Machine()
    begun(machine, place)
    machine.passes(60 * DAY)
    assert is_believed(machine, place)
    machine.wall += DAY + 1
    assert not is_believed(machine, place)
    machine.wall -= 1
    assert is_believed(machine, place)


@pytest.mark.parametrize("boot", ["first boot", ""], ids=["another boot", "a system without ids of boots"])
def test_after_another_boot_a_day_may_have_passed(place: Path, boot: str) -> None:
    """How long a machine was off is not known: a day passes, one microsecond more needs a confirmation."""
    machine = Machine(boot=boot)
    begun(machine, place)
    machine.reboots(DAY)
    machine.boot = machine.boot if boot else ""
    assert is_believed(machine, place)
    machine.passes(2 * HOUR)
    assert is_believed(machine, place)
    machine.reboots(DAY + 1)
    machine.boot = machine.boot if boot else ""
    assert not is_believed(machine, place)
    machine.wall -= 1
    assert is_believed(machine, place)


def test_looks_are_kept_once_an_hour(place: Path) -> None:
    """An idle server writes its look once an hour, in one row for each boot."""
    machine = Machine()
    with served_by(machine, place):
        (first,) = looks(place)
        assert (first.wall, first.since_boot) == (machine.wall, machine.since_boot)
        machine.passes(HOUR - 1)
        time.sleep(0.2)
        assert looks(place) == [first]
        machine.passes(1)
        until(lambda: looks(place) == [Look(machine.boot, machine.wall, machine.since_boot)])
    machine.reboots(HOUR)
    with served_by(machine, place):
        assert [look.wall for look in looks(place)] == [machine.wall, machine.wall - HOUR]


def test_a_confirmed_clock_is_believed_without_a_restart(place: Path) -> None:
    """After a confirmation, a running server writes by the new time, and what was due lapses."""
    machine = Machine()
    with served_by(machine, place) as client:
        begin(client)
        deadline = datetime.datetime.fromtimestamp((machine.wall + DAY) / 1_000_000, datetime.UTC)
        client.offer_transfer(
            giver="acme", receiver="ann", units=boxes(0, 9), unit_price=yuan(150), deadline=deadline
        )
        machine.wall += 30 * DAY
        with stopped_clock():
            register(client, "zoe")
        before = confirm_clock(place, database(place), machine.clock(), accept_ahead=False)
        assert (before.believed, before.now - (before.expected or 0)) == (False, 30 * DAY)
        assert clock_state(place, database(place), machine.clock()).believed
        until(lambda: writes(client, "zoe"))
        until(lambda: client.get_head().position == OFFER + 2)
        machine.wall -= 30 * DAY  # and so the clock before is a jump now
        with stopped_clock():
            register(client, "yan")
    assert not is_believed(machine, place)


@pytest.mark.parametrize(("wall", "believed"), [(EARLIEST_US - 1, False), (EARLIEST_US, True), (None, True)])
def test_a_new_directory_believes_any_clock_after_2019(
    place: Path, wall: int | None, *, believed: bool
) -> None:
    """A first event has nothing to compare with, but a clock from before this program was made is wrong."""
    machine = Machine(wall)
    with served_by(machine, place) as client, contextlib.nullcontext() if believed else stopped_clock():
        client.open_book()
    assert (len(looks(place)) == 1) == believed


@pytest.mark.parametrize(
    ("later", "believed"), [(DAY, True), (DAY + 1, False), (-DAY, True), (-DAY - 1, False)]
)
def test_without_any_look_the_last_event_counts(place: Path, later: int, *, believed: bool) -> None:
    """Books of a version that kept no looks are opened; their last event says what time it is at least."""
    machine = Machine()
    begun(machine, place)
    events = engine(place, "events")
    with events.begin() as connection:
        CLOCK_LOOK.drop(connection)
    events.dispose()
    machine.boot = "later boot"
    machine.wall += later
    with served_by(machine, place) as client:
        client.position = client.get_head().position  # a restarted follower may still be behind
        assert client.get_party("ann").party == "ann"
        assert writes(client, "zoe") == believed


def test_a_book_with_events_ahead_of_the_clock_stops_alone(place: Path) -> None:
    """Once the clock is right again, the book that was written by a wrong one is named, and all others go on."""
    machine = Machine()
    begun(machine, place)
    with served_by(machine, place, "gloves") as client:
        begin(client)
    machine.wall += 10 * YEAR
    confirm_clock(place, database(place), machine.clock(), accept_ahead=False)
    with served_by(machine, place) as client:
        poisoned = register(client, "zoe")
    machine.wall -= 10 * YEAR
    before = confirm_clock(place, database(place), machine.clock(), accept_ahead=False)
    assert before.ahead == {BOOK: poisoned}
    with (
        served_by(machine, place) as client,
        Client(client.target, book="gloves", retry_seconds=0) as gloves,
    ):
        assert register(gloves, "zoe") == machine.wall
        with refused("EVENTS_AHEAD", StatusCode.FAILED_PRECONDITION):
            register(client, "yan")
        assert client.get_head().position == BEGUN + 1
        confirm_clock(place, database(place), machine.clock(), accept_ahead=True)
        until(lambda: writes(client, "yan"))
        batch = next(iter(client.read(BEGUN + 1)))
        assert decode(BEGUN + 2, batch.events[0]).recorded_at == poisoned
    with served_by(machine, place) as client:
        assert register(client, "xi") == poisoned  # a restart changes nothing


def start_command(place: Path) -> AbstractContextManager[Running]:
    """Run a command on a directory, which opens and closes the books."""
    return contextlib.nullcontext(Running(place, "--book", BOOKS[0], "party", "list"))


@pytest.mark.parametrize(
    ("place", "start"),
    [
        ("sqlite", served),
        ("sqlite", followed),
        ("sqlite", start_command),
        ("sqlite", served_by_workers),
        pytest.param("postgresql", served_by_workers, marks=pytest.mark.heavy),
    ],
    ids=["one server", "the follower alone", "a command", "workers", "workers on postgresql"],
    indirect=["place"],
)
def test_no_process_lets_an_offer_lapse_before_the_clock_is_confirmed(
    place: Path, start: Callable[[Path], AbstractContextManager[Running]]
) -> None:
    """To processes that last looked years ago, the clock seems years ahead: the offers that are due stay open."""
    earlier = Machine(now() - HOUR)
    with served_by(earlier, place) as client:
        offer(client.target, lambda: earlier.wall + 1)
    replace_look(place, Look("another boot", now() - 10 * YEAR, 1))
    with start(place) as process:
        process.wait_for("writing stops, and no offer lapses: the clock is not believed")
        time.sleep(1)
        if isinstance(process, ServerProcess):
            for book in BOOKS:
                with Client(process.target, book=book, retry_seconds=0) as client:
                    with stopped_clock():
                        register(client, "zoe")
                    assert client.get_head().position == OFFER
        elif start is start_command:
            assert process.wait() == 0
        assert not confirm_clock(place, database(place), MachineClock(), accept_ahead=False).believed
        if start is start_command:
            for book in BOOKS:
                assert Running(place, "--book", book, "party", "list").wait() == 0
        lapses(place, PATIENCE)


def test_the_machine_says_how_long_it_runs() -> None:
    """The clock of a real machine reads both, and has an id of its boot if the system has one."""
    machine = MachineClock()
    first, second = machine.read(), machine.read()
    assert first.wall <= second.wall <= now()
    assert first.since_boot <= second.since_boot <= since_boot()
    assert machine.boot == boot_id()
