"""Notes of people: events commit to them, their texts lie beside the log, and an erased text breaks nothing."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
import pytest
import sqlalchemy as sa

from pathbook.ledger import commands
from pathbook.ledger.book import Answer, Outcome
from pathbook.ledger.codec import decode
from pathbook.ledger.commands import NotedCommand
from pathbook.ledger.events import NotedEvent
from pathbook.ledger.notes import SALT_BYTES, Note, note_commitment
from pathbook.ledger.queries import Batch, Listed, Queries, Transfer, TransferFilter
from pathbook.ledger.queries import Path as UnitPath
from pathbook.ledger.refusals import Reason, Refusal
from pathbook.ledger.requests import digest
from pathbook.ledger.store.database.engine import reading, writing
from pathbook.ledger.store.log.notes import NOTE, NOTES_PER_STATEMENT_MAX
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.tables import VIEWS
from pathbook.ledger.values import Price, Quantity, Selection, Unit, UnitRange, UnitState
from tests.books import BEGINNING, ask, beginning, engine, open_books, positions, record, update_views

SALT: Final = bytes(range(SALT_BYTES))
OTHER_SALT: Final = bytes(reversed(SALT))
SECRET: Final = "Frau Müller 住在三楼, ring twice"
"""A text that nothing else holds."""


def units(first: int, last: int) -> Selection:
    """Return units of the first batch."""
    return Selection((UnitRange(1, first, last),))


def recall(name: str, note: str = SECRET, salt: bytes = SALT) -> commands.RecallUnits:
    """Return the command that recalls a unit, with a note."""
    ranges = (UnitRange(1, 90, 90),)
    return commands.RecallUnits(
        request_id=name, brand="acme", batch=1, ranges=ranges, note=note, note_salt=salt
    )


def give_back(name: str, number: int, note: str = SECRET, salt: bytes = SALT) -> commands.ReturnUnits:
    """Return the command by which ann returns a unit, with a note."""
    return commands.ReturnUnits(
        request_id=name, owner="ann", units=units(number, number), note=note, note_salt=salt
    )


BEGUN: Final = len(BEGINNING)
"""The last position of the beginning."""

FIRST, SECOND, OFFERED = range(BEGUN + 1, BEGUN + 4)
"""The positions of the two transfers and of the offer of STORY."""

PRICE: Final = Price(15_000, "CNY")
OFFER: Final = commands.OfferTransfer(
    request_id="offer", giver="acme", receiver="ann", units=units(50, 59), unit_price=PRICE
)
NOTED: Final[tuple[NotedCommand, ...]] = (
    commands.DeclineTransfer(
        request_id="decline", receiver="ann", transfer=OFFERED, note=SECRET, note_salt=SALT
    ),
    commands.ReverseTransfer(request_id="reverse", party="acme", transfer=FIRST, note=SECRET, note_salt=SALT),
    give_back("return", 10),
    commands.WriteOffUnits(
        request_id="write off",
        party="ann",
        units=units(11, 11),
        state=UnitState.LOST,
        note=SECRET,
        note_salt=SALT,
    ),
    recall("recall"),
)
"""A command of each kind that may have a note, recorded at the positions NOTED_AT, after STORY."""

STORY: Final = (*BEGINNING, record("first", 10), record("second", 10), OFFER)
"""Ann gets units 0 to 9 at FIRST and units 10 to 19 at SECOND, and units 50 to 59 are OFFERED to her."""

NOTED_AT: Final = range(OFFERED + 1, OFFERED + 1 + len(NOTED))
"""The positions of the noted commands after STORY."""


def again(command: NotedCommand, note: str = SECRET) -> NotedCommand:
    """Return a command as a service sends it again: with another salt, and perhaps another note."""
    return msgspec.structs.replace(command, note=note, note_salt=OTHER_SALT if note else b"")


def stored_notes(place: Path) -> dict[int, Note]:
    """Return all notes beside the log of a place."""
    events = engine(place, "events")
    with reading(events) as connection:
        rows = connection.execute(sa.select(NOTE.c.position, NOTE.c.salt, NOTE.c.text)).all()
    events.dispose()
    return {position: Note(text, salt) for position, salt, text in rows}


def erase(place: Path) -> None:
    """Delete all notes of a place."""
    events = engine(place, "events")
    with writing(events) as connection:
        connection.execute(NOTE.delete())
    events.dispose()


@contextlib.contextmanager
def open_queries(place: Path, head: int) -> Iterator[Queries]:
    """Update the views of a place to the head of its book, and open it for queries."""
    update_views(place, head)
    events, views = engine(place, "events"), engine(place, "views")
    yield Queries(Stream(events), views)
    events.dispose()
    views.dispose()


def shown_notes(queries: Queries) -> dict[str, Note | None]:
    """Return the notes of the story as every read shows them."""
    batch, path = queries.batch("masks", 1), queries.path("masks", Unit(1, 11))
    declined, reversal, returned = (
        queries.transfer("masks", position) for position in (OFFERED, FIRST, NOTED_AT[2])
    )
    offered = queries.path("masks", Unit(1, 50), corrections=True)
    listed = queries.transfers("masks", TransferFilter(party="ann"))
    assert isinstance(batch, Batch)
    assert isinstance(path, UnitPath)
    assert isinstance(offered, UnitPath)
    assert isinstance(declined, list)
    assert isinstance(reversal, list)
    assert isinstance(returned, list)
    assert isinstance(listed, Listed)
    of_page: dict[int, Transfer] = {item.row.transfer: item for item in listed.items}
    assert (of_page[OFFERED].note, of_page[FIRST].reversal_note, of_page[NOTED_AT[2]].note) == (
        declined[0].note,
        reversal[0].reversal_note,
        returned[0].note,
    )
    assert of_page[SECOND].note is None
    assert of_page[SECOND].reversal_note is None
    recalled = queries.path("masks", Unit(1, 90))
    assert isinstance(recalled, UnitPath)
    assert recalled.batch == batch
    return {
        "decline": declined[0].note,
        "decline in a path": offered.steps[-1].note,
        "reverse": reversal[0].reversal_note,
        "return": returned[0].note,
        "write off": path.steps[-1].note,
        "recall": batch.recalls[0].note,
    }


def outcome_of(outcomes: list[Outcome]) -> str:
    """Return the outcome of one command: recorded, duplicate, or the reason of its refusal."""
    (outcome,) = outcomes
    if isinstance(outcome, Refusal):
        return outcome.reason.name
    return "duplicate" if outcome.duplicate else "recorded"


@pytest.mark.parametrize("command", NOTED, ids=[command.request_id for command in NOTED])
def test_the_digest_leaves_the_note_out(command: NotedCommand) -> None:
    """A retry has another salt, and the digest is kept for ever. So neither note nor salt is in it."""
    assert digest(again(command)) == digest(again(command, "another")) == digest(again(command, ""))
    other = msgspec.structs.replace(command, occurred_at=1)
    assert digest(other) != digest(command)


def test_the_digest_tells_kinds_of_commands_apart() -> None:
    """Two kinds of commands with the same fields have different digests, also without their notes."""
    decline = commands.DeclineTransfer(request_id="r", receiver="ann", transfer=1)
    reverse = commands.ReverseTransfer(request_id="r", party="ann", transfer=1)
    assert digest(decline) != digest(reverse)


def test_the_text_of_a_note_lies_only_beside_the_log(place: Path) -> None:
    """No view and no event holds the text of a note, and each event commits to the note that lies beside it."""
    with open_books(place) as opened:
        assert positions(ask(opened, *STORY)) == list(range(1, OFFERED + 1))
        assert positions(ask(opened, *NOTED)) == list(NOTED_AT)
        assert opened._follower.reached("masks", NOTED_AT[-1]).result(60) == NOTED_AT[-1]
    notes = stored_notes(place)
    assert notes == dict.fromkeys(NOTED_AT, Note(SECRET, SALT))
    events, views = engine(place, "events"), engine(place, "views")
    stream = Stream(events)
    entries = stream.read("masks", 0, 100)
    for entry in entries:
        assert SECRET.encode() not in entry.data
        event = decode(entry.position, entry.data).event
        commitment = event.note_commitment if isinstance(event, NotedEvent) else b""
        assert commitment == (note_commitment(SALT, SECRET) if entry.position in notes else b"")
    with reading(views) as connection:
        for table in VIEWS.sorted_tables:
            assert SECRET not in repr(connection.execute(sa.select(table)).all()), table.name
            assert "note" not in table.columns
    events.dispose()
    views.dispose()
    kept = [path for path in place.iterdir() if SECRET.encode() in path.read_bytes()]
    assert all(path.name.startswith("events.sqlite") for path in kept)


@pytest.mark.parametrize("reopened", [False, True], ids=["in memory", "reopened"])
def test_a_retry_may_not_change_the_note(place: Path, reopened: bool) -> None:
    """A retry with the same note finds the first answer, whatever its salt. Another note makes another request."""
    bare = recall("bare", "", b"")
    with contextlib.ExitStack() as stack:
        opened = stack.enter_context(open_books(place))
        positions(ask(opened, *STORY, *NOTED, bare))
        if reopened:
            stack.close()
            opened = stack.enter_context(open_books(place))
        for command in NOTED:
            assert outcome_of(ask(opened, again(command))) == "duplicate"
            assert outcome_of(ask(opened, again(command, SECRET + "!"))) == "REQUEST_ID_REUSED"
            assert outcome_of(ask(opened, again(command, ""))) == "REQUEST_ID_REUSED"
        assert outcome_of(ask(opened, bare)) == "duplicate"
        assert outcome_of(ask(opened, again(bare))) == "REQUEST_ID_REUSED"
        assert outcome_of(ask(opened, *BEGINNING[:1])) == "duplicate"
    assert stored_notes(place) == dict.fromkeys(NOTED_AT, Note(SECRET, SALT))


def test_a_retry_within_one_group_is_compared_with_the_note_beside_it(place: Path) -> None:
    """A request that is repeated before it is written is compared with the note that waits to be written."""
    with open_books(place) as opened:
        positions(ask(opened, *BEGINNING))
        first, same, other = ask(opened, recall("r"), again(recall("r")), again(recall("r"), "another"))
        assert outcome_of([first]) == "recorded"
        assert outcome_of([same]) == "duplicate"
        assert outcome_of([other]) == "REQUEST_ID_REUSED"
    assert stored_notes(place) == {BEGUN + 1: Note(SECRET, SALT)}


def test_an_erased_note_breaks_no_retry_and_no_read(place: Path) -> None:
    """Once a note is erased, a retry with any note finds the first answer, and reads show the rest."""
    with open_books(place, follow=False) as opened:
        positions(ask(opened, *STORY, *NOTED))
    with open_queries(place, NOTED_AT[-1]) as queries:
        assert shown_notes(queries) == dict.fromkeys(shown_notes(queries), Note(SECRET, SALT))
    erase(place)
    with open_queries(place, NOTED_AT[-1]) as queries:
        assert shown_notes(queries) == dict.fromkeys(shown_notes(queries))
    with open_books(place) as opened:
        for command in NOTED:
            assert outcome_of(ask(opened, again(command))) == "duplicate"
            assert outcome_of(ask(opened, again(command, "another"))) == "duplicate"
            assert outcome_of(ask(opened, msgspec.structs.replace(command, occurred_at=1))) == (
                "REQUEST_ID_REUSED"
            )
    assert stored_notes(place) == {}


def test_a_batch_that_is_taken_back_leaves_no_note(place: Path) -> None:
    """If one entry of an all-or-nothing batch is refused, the notes of the others are not written."""
    with open_books(place) as opened:
        positions(ask(opened, *STORY, recall("before")))
        batch = [give_back("a", 0), give_back("b", 1), give_back("c", 90)]
        outcomes = opened.submit("masks", batch, all_or_nothing=True).result(60)
        assert [outcome.reason for outcome in outcomes if isinstance(outcome, Refusal)] == [
            Reason.OTHER_ENTRY_REFUSED,
            Reason.OTHER_ENTRY_REFUSED,
            Reason.UNITS_NOT_OWNED,
        ]
        assert stored_notes(place) == {OFFERED + 1: Note(SECRET, SALT)}
        corrected = [give_back("a", 0, "torn"), give_back("b", 1, "", b"")]
        assert positions(opened.submit("masks", corrected, all_or_nothing=True).result(60)) == [
            OFFERED + 2,
            OFFERED + 3,
        ]
    assert stored_notes(place) == {OFFERED + 1: Note(SECRET, SALT), OFFERED + 2: Note("torn", SALT)}


def test_a_note_taken_back_is_not_compared_with(place: Path) -> None:
    """In one group, the note of a batch that was taken back does not make a later request a contradiction."""
    with open_books(place) as opened:
        positions(ask(opened, *STORY))
        waiting = [
            opened.submit("masks", [give_back("a", 0), give_back("c", 90)], all_or_nothing=True),
            opened.submit("masks", [give_back("a", 0, "torn")]),
            opened.submit("masks", [give_back("a", 0, "torn", OTHER_SALT)]),
        ]
        outcomes = [future.result(60) for future in waiting]
        assert outcome_of(outcomes[1]) == "recorded"
        assert outcome_of(outcomes[2]) == "duplicate"
    assert stored_notes(place) == {OFFERED + 1: Note("torn", SALT)}


@pytest.mark.parametrize(
    ("note", "expected"),
    [
        ("x" * 200, "recorded"),
        ("三" * 200, "recorded"),
        ("x" * 201, "TEXT_TOO_LONG"),
        ("三" * 201, "TEXT_TOO_LONG"),
        ("a\x00b", "TEXT_MALFORMED"),
        ("\x00", "TEXT_MALFORMED"),
        (" ", "recorded"),
        ("'; DROP TABLE note; --\n%s %(book)s :book", "recorded"),
    ],
    ids=["200", "200 wide", "201", "201 wide", "NUL inside", "NUL", "blank", "SQL"],
)
def test_a_note_has_limits(place: Path, note: str, expected: str) -> None:
    """A note of 200 characters is kept as it is. A longer one, or one with NUL, is refused and not kept."""
    with open_books(place) as opened:
        positions(ask(opened, *BEGINNING))
        assert outcome_of(ask(opened, recall("r", note))) == expected
    assert stored_notes(place) == ({BEGUN + 1: Note(note, SALT)} if expected == "recorded" else {})


def test_books_keep_their_notes_apart(place: Path) -> None:
    """Two books have notes at the same position, and each shows its own."""
    with open_books(place, follow=False) as opened:
        for book in ("masks", "more"):
            positions(opened.submit(book, [*beginning(book), recall("r", f"note of {book}")]).result(60))
    events = engine(place, "events")
    stream = Stream(events)
    for book in ("masks", "more"):
        assert stream.notes_at(book, [1, BEGUN + 1, BEGUN + 1, 99]) == {
            BEGUN + 1: Note(f"note of {book}", SALT)
        }
    assert stream.notes_at("masks", []) == {}
    events.dispose()


def test_the_notes_of_a_page_take_few_statements(tmp_path: Path) -> None:
    """All notes of an answer are read together, a hundred with one statement."""
    count = NOTES_PER_STATEMENT_MAX + 50
    with open_books(tmp_path, follow=False) as opened:
        positions(ask(opened, *BEGINNING))
        positions(ask(opened, *(recall(f"r{number}", f"note {number}") for number in range(count))))
        assert isinstance(ask(opened, *(again(recall("r0"), "note 0"),))[0], Answer)
    with open_queries(tmp_path, BEGUN + count) as queries:
        assert isinstance(queries.batch("masks", 1), Batch)  # opens the connection
        statements: list[str] = []
        (reader,) = queries._stream._pool._idle
        reader.cursor.connection.set_trace_callback(statements.append)
        batch = queries.batch("masks", 1)
        assert isinstance(batch, Batch)
    assert [item.note and item.note.text for item in batch.recalls] == [f"note {n}" for n in range(count)]
    assert len([sql for sql in statements if "FROM note" in sql]) == 2


def test_a_path_without_notes_reads_none(tmp_path: Path) -> None:
    """A path of events without notes takes no statement more than before."""
    with open_books(tmp_path, follow=False) as opened:
        positions(ask(opened, *BEGINNING, record("r", 10), give_back("a", 3, "", b"")))
    with open_queries(tmp_path, BEGUN + 2) as queries:
        queries.path("masks", Unit(1, 3))
        statements: list[str] = []
        (reader,) = queries._stream._pool._idle
        reader.cursor.connection.set_trace_callback(statements.append)
        assert isinstance(queries.path("masks", Unit(1, 3)), UnitPath)
    assert len(statements) == 1
    assert "FROM event" in " ".join(statements[0].split())


def test_quantities_of_a_return_keep_their_note(place: Path) -> None:
    """A return that takes the oldest units keeps its note like any other, and each of its lines shows it."""
    returned = commands.ReturnUnits(
        request_id="q",
        owner="ann",
        units=Selection(quantities=(Quantity(15, batch=1),)),
        note=SECRET,
        note_salt=SALT,
    )
    with open_books(place, follow=False) as opened:
        assert positions(ask(opened, *STORY, returned))[-1] == OFFERED + 1
    with open_queries(place, OFFERED + 1) as queries:
        lines = queries.transfer("masks", OFFERED + 1)
        assert isinstance(lines, list)
        assert [line.note for line in lines] == [Note(SECRET, SALT)] * 2
