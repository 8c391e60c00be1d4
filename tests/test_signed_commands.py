"""The writer and statements: each event keeps the one on which it rests, alone or filed with others."""

import contextlib
from pathlib import Path

import pytest
from msgspec.structs import replace

from pathbook.ledger.book import Answer, Outcome, memory, tail, writer
from pathbook.ledger.books import Books
from pathbook.ledger.commands import Command, OpenBook, SignedCommand, WriteOffUnits
from pathbook.ledger.key_commands import FileStatements
from pathbook.ledger.key_events import Signed
from pathbook.ledger.notes import SALT_BYTES
from pathbook.ledger.refusals import Reason, Refusal
from pathbook.ledger.store.log.event_hashes import read_event
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.values import MAX_EVENT_BYTES, Selection, UnitRange, UnitState
from tests.books import BEGINNING, PATIENCE, ask, engine, open_books, positions, record, update_views
from tests.rules.key_words import SIGNATURE, key, register, revoke
from tests.scenario import NOON

KEYS = (register("", "op", "", "op"), register("acme", "a1", "", "op"), register("ann", "n1", "", "op"))
BEGUN = len(BEGINNING) + len(KEYS)


def signed(command: Command, name: str = "a1") -> SignedCommand:
    """Return a command as its actor signed it, with a signature of its own."""
    return SignedCommand(
        command=command,
        origin="pathbook/masks",
        party=command.actor,
        key=key(name),
        signed_at=NOON,
        statement=f"statement of {command.request_id}".encode(),
        signature=SIGNATURE,
    )


def batch(*commands: Command, name: str = "a1") -> list[Command | SignedCommand]:
    """Return the filing of a batch of statements, and their commands."""
    request_id = f"~statements/{'-'.join(command.request_id for command in commands)}"
    filing = FileStatements(
        request_id=request_id,
        party=commands[0].actor,
        key=key(name),
        root=bytes(32),
        leaf_hashes=bytes(32 * len(commands)),
        signature=SIGNATURE,
    )
    return [
        filing,
        *(
            replace(signed(command, name), signature=b"", filed_by=request_id, index=index)
            for index, command in enumerate(commands)
        ),
    ]


def file(opened: Books, items: list[Command | SignedCommand]) -> list[Outcome]:
    """Submit a batch at once."""
    return opened.submit("masks", items).result(PATIENCE)


def statements(outcomes: list[Outcome]) -> list[Signed | None]:
    """Return the statements of the events of outcomes, all of which must be accepted."""
    assert all(isinstance(item, Answer) for item in outcomes), outcomes
    return [item.recorded.signed for item in outcomes if isinstance(item, Answer)]


def reasons(outcomes: list[Outcome]) -> list[Reason | None]:
    """Return the reasons of refusals, None for those that were accepted."""
    return [item.reason if isinstance(item, Refusal) else None for item in outcomes]


def stored(place: Path, *wanted: int) -> list[Signed | None]:
    """Return the statements of events as the log has them."""
    events = engine(place, "events")
    found = [read_event("masks", entry).signed for entry in Stream(events).at("masks", list(wanted))]
    events.dispose()
    return found


def test_an_event_keeps_its_statement_and_signature(place: Path) -> None:
    """The bytes are in the log as they were signed. The event of an unsigned command has none."""
    with open_books(place) as opened:
        ask(opened, *BEGINNING, record("y"), *KEYS)
        (answer,) = file(opened, [signed(record("x"))])
    expected = Signed(b"statement of x", SIGNATURE)
    assert statements([answer]) == [expected]
    assert stored(place, len(BEGINNING) + 1, BEGUN + 2) == [None, expected]


def test_events_of_a_batch_name_where_their_statements_are_filed(place: Path) -> None:
    """All name the position of the one filing, and their own place among the statements."""
    with open_books(place) as opened:
        ask(opened, *BEGINNING, *KEYS)
        outcomes = file(opened, batch(record("x"), record("y", 20_000_000), record("z")))
        assert reasons(outcomes) == [None, None, Reason.STOCK_TOO_SMALL, None]
        filed = BEGUN + 1
        assert positions([outcomes[0], outcomes[1], outcomes[3]]) == [filed, filed + 1, filed + 2]
    expected = [Signed(b"statement of x", filed=filed), Signed(b"statement of z", filed=filed, index=2)]
    assert stored(place, filed, filed + 1, filed + 2) == [None, *expected]


@pytest.mark.parametrize("restart", [False, True])
def test_a_retry_of_what_was_signed_is_known(place: Path, restart: bool) -> None:
    """The first answer counts, with its statement, whether or not the retry is signed."""
    with contextlib.ExitStack() as stack:
        opened = stack.enter_context(open_books(place))
        ask(opened, *BEGINNING, *KEYS)
        first = file(opened, [signed(record("x")), *batch(record("z"))])
        if restart:
            stack.close()
            update_views(place, BEGUN + 3)
            opened = stack.enter_context(open_books(place))
        again = file(opened, [record("x"), record("z"), *batch(record("x"), record("w"))])
        assert positions(again[:2]) == [positions(first[:1])[0], positions(first[2:])[0]]
        assert positions(again[3:4]) == positions(first[:1])
        for outcome in (*again[:2], again[3]):
            assert isinstance(outcome, Answer)
            assert outcome.duplicate
        assert statements(again) == [
            Signed(b"statement of x", SIGNATURE),
            Signed(b"statement of z", filed=BEGUN + 2),
            None,
            Signed(b"statement of x", SIGNATURE),
            Signed(b"statement of w", filed=BEGUN + 4, index=1),
        ]


@pytest.mark.parametrize("restart", [False, True])
def test_a_signature_that_comes_later_is_not_on_record(place: Path, restart: bool) -> None:
    """Who signs a request that was recorded unsigned is told so, alone and in a batch, and nothing is recorded."""
    with contextlib.ExitStack() as stack:
        opened = stack.enter_context(open_books(place))
        ask(opened, *BEGINNING, record("y"), *KEYS)
        if restart:
            stack.close()
            update_views(place, BEGUN + 1)
            opened = stack.enter_context(open_books(place))
        other = replace(record("y"), receiver="zoe")
        outcomes = file(
            opened, [signed(record("y")), *batch(record("y"), record("w")), signed(other), record("y")]
        )
        assert reasons(outcomes) == [
            Reason.RECORDED_UNSIGNED,
            None,
            Reason.RECORDED_UNSIGNED,
            None,
            Reason.REQUEST_ID_REUSED,
            None,
        ]
        assert f"at position {len(BEGINNING) + 1} without a signature" in str(outcomes[0])
        assert positions(outcomes[5:]) == [len(BEGINNING) + 1]  # the unsigned retry has its answer


@pytest.mark.parametrize("restart", [False, True])
def test_nothing_unsigned_is_recorded_in_the_name_of_a_party_with_a_key(place: Path, restart: bool) -> None:
    """So no stranger takes a request id before the signed request comes. The keys are loaded after a restart."""
    with contextlib.ExitStack() as stack:
        opened = stack.enter_context(open_books(place))
        ask(opened, *BEGINNING, *KEYS)
        if restart:
            stack.close()
            update_views(place, BEGUN)
            opened = stack.enter_context(open_books(place))
        outcomes = file(opened, [record("x"), signed(record("x"))])
        assert reasons(outcomes) == [Reason.PARTY_SIGNS, None]
        assert reasons(ask(opened, revoke("acme", "a1", "", "op"), record("y"))) == [None, None]


@pytest.mark.parametrize("restart", [False, True])
def test_a_batch_is_sent_again_and_goes_on(place: Path, restart: bool) -> None:
    """What was recorded is answered, and the rest rests on the same filing, also when that is in the views alone."""
    with contextlib.ExitStack() as stack:
        opened = stack.enter_context(open_books(place))
        ask(opened, *BEGINNING, *KEYS)
        whole = batch(record("x"), record("y"), record("z"))
        file(opened, whole[:2])
        if restart:
            stack.close()
            update_views(place, BEGUN + 2)
            opened = stack.enter_context(open_books(place))
        again = file(opened, whole)
        assert positions(again) == [BEGUN + 1, BEGUN + 2, BEGUN + 3, BEGUN + 4]
        assert [item.duplicate for item in again if isinstance(item, Answer)] == [True, True, False, False]
        assert statements(again)[3] == Signed(b"statement of z", filed=BEGUN + 1, index=2)


@pytest.mark.parametrize("kept", [0, 256])
def test_a_divided_batch_rests_on_one_filing(place: Path, monkeypatch: pytest.MonkeyPatch, kept: int) -> None:
    """However many groups decide it, and although the event of the filing is no longer in memory."""
    monkeypatch.setattr(writer, "GROUP_STEPS_MAX", 1)
    monkeypatch.setattr("pathbook.ledger.book.group.GROUP_STEPS_MAX", 1)
    monkeypatch.setattr(tail, "TAIL_KEPT_EVENTS", kept)
    with open_books(place) as opened:
        for command in (*BEGINNING, *KEYS):
            positions(ask(opened, command))
        items = batch(*(record(f"r{number}") for number in range(30)))
        outcomes = file(opened, items)
    filed = BEGUN + 1
    assert positions(outcomes) == [*range(filed, filed + 31)]
    expected = [Signed(f"statement of r{number}".encode(), filed=filed, index=number) for number in range(30)]
    assert statements(outcomes)[1:] == expected
    assert stored(place, *range(filed + 1, filed + 31)) == expected


def test_commands_of_a_refused_filing_are_refused(place: Path) -> None:
    """Without a known key nothing is recorded, and what was recorded before is not told."""
    with open_books(place) as opened:
        ask(opened, *BEGINNING, *KEYS)
        file(opened, [signed(record("x"))])
        outcomes = file(opened, batch(record("x"), record("y"), name="n1"))
        assert reasons(outcomes) == [Reason.KEY_UNKNOWN, Reason.KEY_UNKNOWN, Reason.OTHER_ENTRY_REFUSED]
        assert positions(file(opened, [signed(record("y"))])) == [BEGUN + 2]


def test_a_key_that_another_writer_revoked_counts_no_more(place: Path) -> None:
    """The writer reads the events of others before it decides, and loads keys after a cold start."""
    with contextlib.ExitStack() as stack:
        one, two = stack.enter_context(open_books(place)), stack.enter_context(open_books(place))
        ask(one, *BEGINNING, *KEYS)
        assert reasons(file(one, [signed(record("x"))])) == [None]
        assert reasons(file(two, [signed(record("y"))])) == [None]
        ask(two, revoke("acme", "a1", "", "op"))
        assert reasons(file(one, [signed(record("z"))])) == [Reason.KEY_REVOKED]
        taken = ask(one, register("ann", "a1", "", "op"), register("acme", "a2", "", "op"))
        assert reasons(taken) == [Reason.KEY_TAKEN, None]
        assert reasons(file(two, batch(record("z"), name="a2"))) == [None, None]
    update_views(place, BEGUN + 6)
    with open_books(place) as cold:
        assert reasons(file(cold, [signed(record("w")), signed(record("w"), "a2")])) == [
            Reason.KEY_REVOKED,
            None,
        ]


def test_keys_are_evicted_and_loaded_again(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory keeps few keys, and those that it needs again are in the views and in the tail."""
    monkeypatch.setattr(memory, "LOADED_KEYS_MAX", 1)
    monkeypatch.setattr(memory, "EVICTION_INTERVAL_GROUPS", 1)
    with open_books(place) as opened:
        ask(opened, *BEGINNING, *KEYS)
        for number in range(4):
            assert reasons(file(opened, [signed(record(f"r{number}"))])) == [None]
        rotated = register("acme", "a2", "acme", "a1", replaces="a1")
        assert reasons(ask(opened, rotated, register("ann", "a1", "", "op"))) == [None, Reason.KEY_TAKEN]
        assert reasons(file(opened, [signed(record("x")), signed(record("x"), "a2")])) == [
            Reason.KEY_REVOKED,
            None,
        ]


def test_all_or_nothing_takes_back_signed_transfers(place: Path) -> None:
    """A refused entry leaves nothing of the others, nor of a filing among them."""
    with open_books(place) as opened:
        ask(opened, *BEGINNING, *KEYS)
        items = [*batch(record("x")), signed(record("y")), signed(record("z", 20_000_000))]
        outcomes = opened.submit("masks", items, all_or_nothing=True).result(PATIENCE)
        assert reasons(outcomes) == [Reason.OTHER_ENTRY_REFUSED] * 3 + [Reason.STOCK_TOO_SMALL]
        assert positions(file(opened, [*items[:3]])) == [BEGUN + 1, BEGUN + 2, BEGUN + 3]


def test_a_statement_counts_for_the_size_of_its_event(place: Path) -> None:
    """An event that would be too large with its statement is refused, and is recorded with a smaller one."""
    with open_books(place) as opened:
        ask(opened, *BEGINNING, *KEYS)
        large = replace(signed(record("x")), statement=bytes(MAX_EVENT_BYTES - 1_100))
        assert reasons(file(opened, [large, signed(record("x"))])) == [Reason.EVENT_TOO_LARGE, None]


def test_a_signed_note_is_kept_beside_the_log(place: Path) -> None:
    """The note stands where it can be erased, and a retry is compared with it."""
    lost = WriteOffUnits(
        request_id="w",
        party="acme",
        units=Selection((UnitRange(1, 5, 5),)),
        state=UnitState.LOST,
        note="water",
        note_salt=bytes(SALT_BYTES),
    )
    other = replace(lost, note="fire")
    with open_books(place) as opened:
        ask(opened, *BEGINNING, *KEYS)
        outcomes = file(opened, [signed(lost), signed(lost), lost, signed(other)])
        assert reasons(outcomes) == [None, None, None, Reason.REQUEST_ID_REUSED]
        events = engine(place, "events")
        assert Stream(events).notes_at("masks", [BEGUN + 1])[BEGUN + 1].text == "water"
        events.dispose()


def test_a_book_that_wants_signatures_says_so_after_a_restart(place: Path) -> None:
    """Its policy is in its first event."""
    opening = BEGINNING[0]
    assert isinstance(opening, OpenBook)
    commands = [replace(opening, signed=True), *BEGINNING[1:3], *KEYS, *map(signed, BEGINNING[3:])]
    with open_books(place) as opened:
        positions(file(opened, commands))
    update_views(place, BEGUN)
    with open_books(place) as opened:
        assert reasons(file(opened, [record("x"), signed(record("x"))])) == [Reason.STATEMENT_REQUIRED, None]


def test_a_batch_is_loaded_once(place: Path) -> None:
    """A filing needs no further state, so the writer looks for none between the transfers after it."""
    with open_books(place) as opened:
        ask(opened, *BEGINNING, *KEYS)
        items = batch(*(record(f"r{number}") for number in range(50)))
        positions(file(opened, items))
        assert opened._books["masks"]._memory._all_loaded
