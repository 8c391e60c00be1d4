"""The writer of a book: groups, repeated requests, cold starts, lapses, and several writers on one book."""

import contextlib
import tempfile
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import settings

from pathbook.ledger import commands
from pathbook.ledger.book import Answer, memory, writer
from pathbook.ledger.commands import Command, CommissionBatch
from pathbook.ledger.events import Event, TransferLapsed, TransferRecorded
from pathbook.ledger.refusals import Reason, Refusal
from pathbook.ledger.requests import digest
from pathbook.ledger.rules.budget import Budget
from pathbook.ledger.rules.deciding import decide
from pathbook.ledger.rules.state import State
from pathbook.ledger.store.log import event_table
from pathbook.ledger.store.log.event_table import EVENT, EVENT_HASHES
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.follower import Follower
from pathbook.ledger.store.views.lost_events import LostEventsError, require_log
from pathbook.ledger.values import PartyKind, Price, Selection, UnitRange
from tests.books import (
    BEGINNING,
    PATIENCE,
    Clock,
    ask,
    engine,
    open_books,
    positions,
    record,
    update_views,
    wait_beyond,
)
from tests.examples import examples
from tests.replaying import replay
from tests.rules.read_back import open_views, read_back
from tests.rules.stage import Dice
from tests.rules.test_against_model import Model
from tests.scenario import DAY, NOON
from tests.store.follower_process import rows_of


def test_commands_submitted_together_are_recorded_in_order_without_gaps(place: Path) -> None:
    """Each command is decided on the state after the commands before it, also within one group."""
    with open_books(place) as opened:
        assert positions(ask(opened, *BEGINNING, record("5"), record("6"))) == [1, 2, 3, 4, 5, 6, 7]
        refused, accepted = ask(opened, record("7", 10_000_000), record("8"))
        assert isinstance(refused, Refusal)
        assert refused.reason is Reason.STOCK_TOO_SMALL
        assert positions([accepted]) == [8]


@pytest.mark.parametrize("restart", [False, True])
def test_a_repeated_request_gets_the_first_answer_and_has_no_effect(place: Path, restart: bool) -> None:
    """A repeat with the same content gets the first answer, and other content under the same id is refused."""
    with contextlib.ExitStack() as stack:
        opened = stack.enter_context(open_books(place))
        first = ask(opened, *BEGINNING, record("again", 5))
        if restart:
            stack.close()
            opened = stack.enter_context(open_books(place, Clock(NOON + DAY)))
        same, other, fresh = ask(opened, record("again", 5), record("again", 6), record("fresh"))
        assert isinstance(same, Answer)
        assert same.duplicate
        assert isinstance(first[-1], Answer)
        assert same.recorded == first[-1].recorded
        assert isinstance(other, Refusal)
        assert other.reason is Reason.REQUEST_ID_REUSED
        assert positions([fresh]) == [7]


def test_the_same_request_twice_in_one_group_is_recorded_once(place: Path) -> None:
    """A repeat is recognized even before the first request is on disk."""
    with open_books(place) as opened:
        ask(opened, *BEGINNING)
        one, two = ask(opened, record("x"), record("x"))
        assert isinstance(one, Answer)
        assert isinstance(two, Answer)
        assert (one.duplicate, two.duplicate) == (False, True)
        assert one.recorded == two.recorded


def test_a_repeat_is_known_before_the_views_know_the_request(place: Path) -> None:
    """Memory keeps the requests that the views do not know yet."""
    with open_books(place, follow=False) as opened:
        ask(opened, *BEGINNING)
        first = positions(ask(opened, record("x"), record("y")))
        assert positions(
            ask(opened, commands.RegisterParty(request_id="z", party="zoe", kind=PartyKind.SHOP))
        ) == [8]
        assert positions(ask(opened, record("x"), record("y"))) == first
    with open_books(place, follow=False) as opened:
        assert positions(ask(opened, record("y"), record("x"))) == [7, 6]


def test_a_repeat_is_known_while_the_views_are_rebuilt(place: Path) -> None:
    """A running writer whose views were dropped waits for the rebuild, and still recognizes repeats."""

    def interrupt(done: int, of: int) -> None:
        if done > of // 3:
            raise InterruptedError

    with open_books(place) as opened:
        ask(opened, *BEGINNING)
        requests = [record(f"r{number}") for number in range(600)]
        first = positions(ask(opened, *requests))
        events = engine(place, "events")
        views = engine(place, "views")
        for _ in range(5):
            rebuilding = Follower(Stream(events), views, events_at_once=20)
            with pytest.raises(InterruptedError):
                rebuilding.rebuild(interrupt)
            rebuilding.close()
            assert [positions(ask(opened, request)) for request in requests[::37]] == [
                [p] for p in first[::37]
            ]
        events.dispose()
        views.dispose()


def test_the_books_clock_never_runs_backwards(place: Path) -> None:
    """When the machine's clock is set back, the next event gets the time of the last one."""
    clock = Clock()
    with open_books(place, clock) as opened:
        ask(opened, *BEGINNING)
        clock.now -= DAY
        (outcome,) = ask(opened, record("5"))
        assert isinstance(outcome, Answer)
        assert outcome.recorded.recorded_at == NOON


@pytest.mark.parametrize("restart", [False, True])
def test_an_offer_lapses_by_itself_at_its_deadline(place: Path, restart: bool) -> None:
    """The writer ends an offer after its deadline, even if it was offered before a restart."""
    clock = Clock()
    offer = commands.OfferTransfer(
        request_id="5",
        giver="acme",
        receiver="ann",
        units=Selection((UnitRange(1, 0, 9),)),
        unit_price=Price(1, "CNY"),
        deadline=NOON + DAY,
    )
    with contextlib.ExitStack() as stack:
        opened = stack.enter_context(open_books(place, clock))
        ask(opened, *BEGINNING, offer)
        if restart:
            stack.close()
            opened = stack.enter_context(open_books(place, clock))
        clock.now = NOON + 2 * DAY
        refused, accepted = ask(
            opened,
            commands.AcceptTransfer(request_id="6", receiver="ann", transfer=6),
            record("7", 10_000_000),
        )
        assert isinstance(refused, Refusal)
        assert refused.reason is Reason.TRANSFER_ANSWERED
        assert isinstance(accepted, Answer)
        assert accepted.recorded.position == 8
    with open_books(place, clock) as opened:
        events = engine(place, "events")
        topics = [entry.topic for entry in Stream(events).read("masks", 6, 9)]
        events.dispose()
        assert topics == [f"{TransferLapsed.__name__}.v1", f"{TransferRecorded.__name__}.v1"]


def test_an_idle_book_lapses_offers_too(place: Path) -> None:
    """An offer ends without another command to the book."""
    clock = Clock()
    offer = commands.OfferTransfer(
        request_id="5",
        giver="acme",
        receiver="ann",
        units=Selection((UnitRange(1, 0, 9),)),
        unit_price=Price(1, "CNY"),
        deadline=NOON + DAY,
    )
    with open_books(place, clock) as opened:
        ask(opened, *BEGINNING, offer)
        clock.now = NOON + 2 * DAY
        events = engine(place, "events")
        assert wait_beyond(Stream(events), "masks", 6) == 7
        events.dispose()


def test_a_failing_command_does_not_affect_other_submissions(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception while one submission is decided reaches only that submission; the others are recorded."""
    with open_books(place) as opened:
        ask(opened, *BEGINNING)

        def breaking(state: State, command: Command, now: int, budget: Budget) -> Event | Refusal:
            assert command.request_id != "poison", "broken on purpose"
            return decide(state, command, now, budget)

        monkeypatch.setattr(memory, "decide", breaking)
        waiting = [opened.submit("masks", [record(name)]) for name in ("5", "poison", "7")]
        assert positions(waiting[0].result(PATIENCE)) == [6]
        with pytest.raises(AssertionError, match="broken on purpose"):
            waiting[1].result(PATIENCE)
        assert positions(waiting[2].result(PATIENCE)) == [7]


def test_an_unpacked_case_moves_although_the_views_still_show_it_on_a_pallet(place: Path) -> None:
    """A case is loose after its pallet is unpacked, although the views lag and the pallet is not loaded."""
    case, pallet = "106141412345678908", "106141412345678915"
    packing = (
        commands.PackCase(request_id="a", party="acme", sscc=case, units=Selection((UnitRange(1, 0, 9),))),
        commands.PackCase(request_id="b", party="acme", sscc=pallet, units=Selection(cases=(case,))),
    )
    with open_books(place) as opened:
        positions(ask(opened, *BEGINNING, *packing))
        update_views(place, 7)
    with open_books(place, follow=False) as opened:
        positions(ask(opened, commands.UnpackCase(request_id="c", party="acme", sscc=pallet)))
    with open_books(place, follow=False) as opened:
        moved = msgspec.structs.replace(record("d"), units=Selection(cases=(case,)))
        assert positions(ask(opened, moved)) == [9]


def test_a_refusal_is_decided_on_what_other_writers_recorded(place: Path) -> None:
    """A writer reads the events of other writers before it refuses a command."""
    bob = msgspec.structs.replace(record("x"), receiver="bob")
    with open_books(place) as one, open_books(place) as two:
        ask(one, *BEGINNING)
        (refused,) = ask(one, bob)
        assert isinstance(refused, Refusal)
        assert refused.reason is Reason.PARTY_UNKNOWN
        positions(ask(two, commands.RegisterParty(request_id="bob", party="bob", kind=PartyKind.AGENT)))
        assert positions(ask(one, bob)) == [7]


def test_a_return_may_span_more_transfers_than_one_statement_loads(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Units that came in single transfers go back in one return, even after a cold start."""
    with open_books(place) as opened:
        positions(ask(opened, *BEGINNING, *(record(f"r{number}") for number in range(40))))
    monkeypatch.setattr(event_table, "POSITIONS_PER_STATEMENT_MAX", 7)
    with open_books(place) as opened:
        units = Selection((UnitRange(1, 0, 39),))
        assert positions(ask(opened, commands.ReturnUnits(request_id="back", owner="ann", units=units))) == [
            46
        ]


def test_a_log_that_is_shorter_than_its_views_is_refused(place: Path) -> None:
    """A restored backup of the log is refused while the views know more. Without the views, the book goes on."""
    with open_books(place) as opened:
        ask(opened, *BEGINNING, record("a"))
    events, views = engine(place, "events"), engine(place, "views")
    for later in ("b", "c"):
        with open_books(place) as opened:
            assert positions(ask(opened, record(later, 7))) == [7]
            update_views(place, 7)
        assert require_log(events, views)
        with events.begin() as connection:
            connection.execute(EVENT.delete().where(EVENT.c.position > 6))
            connection.execute(EVENT_HASHES.delete().where(EVENT_HASHES.c.last_position > 6))
        before = rows_of(views)
        with pytest.raises(
            LostEventsError, match=r"knows 7 events of book 'masks', and the log \S+ has only 6"
        ):
            require_log(events, views)
        assert rows_of(views) == before
        assert require_log(events, views, accept_lost_events=True)
        Follower(Stream(events), views, drops=True).close()
    with open_books(place) as opened:
        (outcome,) = ask(opened, record("d", 9_999_999))
        assert positions([outcome]) == [7]
    update_views(place, 7)
    with events.begin() as connection:
        other = connection.execute(sa.select(EVENT).where(EVENT.c.position == 6)).one()
        connection.execute(
            EVENT.update().where(EVENT.c.position == 7).values(topic=other.topic, state=other.state)
        )
    with pytest.raises(LostEventsError, match="has another event at position 7"):
        require_log(events, views)
    events.dispose()
    views.dispose()


def test_many_offers_with_the_same_deadline_all_lapse(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Offers beyond the limit of one group lapse in the next groups."""
    monkeypatch.setattr(writer, "GROUP_LAPSES_MAX", 3)
    offers = [
        commands.OfferTransfer(
            request_id=f"o{number}",
            giver="acme",
            receiver="ann",
            units=Selection((UnitRange(1, number, number),)),
            unit_price=Price(1, "CNY"),
            deadline=NOON + DAY,
        )
        for number in range(8)
    ]
    clock = Clock()
    with open_books(place, clock) as opened:
        positions(ask(opened, *BEGINNING, *offers))
    clock.now += 2 * DAY
    with open_books(place, clock) as opened:
        events = engine(place, "events")
        ask(opened)
        assert wait_beyond(Stream(events), "masks", 5 + 8 + 7) == 5 + 8 + 8
        events.dispose()


class BookAgainstModel(Model):
    """Gives the commands that the rules decided on complete state to a book that evicts, restarts and reloads."""

    def teardown(self) -> None:
        """Replay all commands against a store, compare every outcome, and then what the views say."""
        with tempfile.TemporaryDirectory() as directory:
            replay(Path(directory), self.story)
            with open_views(Path(directory)) as queries:
                read_back(self, queries, Dice())


TestBookAgainstModel = BookAgainstModel.TestCase
TestBookAgainstModel.settings = settings(max_examples=examples(6, 15), stateful_step_count=50)


def test_what_the_server_fills_in_is_no_part_of_a_request() -> None:
    """A batch is asked for in the same words whichever key is current, and in others if anything else differs."""
    asked = BEGINNING[-1]
    assert isinstance(asked, CommissionBatch)
    replace = msgspec.structs.replace
    assert digest(replace(asked, code_key=b"new key!")) == digest(asked)
    assert digest(replace(asked, size=1)) != digest(asked)
    assert digest(replace(asked, lot="L3")) != digest(asked)
