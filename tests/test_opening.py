"""Opening a book: only its operator does, once, and no other command begins one."""

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pathbook.ledger import commands
from pathbook.ledger.book import Answer, Outcome
from pathbook.ledger.books import Books
from pathbook.ledger.codec import decode
from pathbook.ledger.commands import AuthorizeParty, Command, OpenBook
from pathbook.ledger.events import BookOpened, Event, PartyAuthorized, Policy
from pathbook.ledger.queries import OpenedBook, Queries
from pathbook.ledger.refusals import Reason, Refusal
from pathbook.ledger.requests import digest
from pathbook.ledger.rules.deciding import decide
from pathbook.ledger.rules.state import State
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.values import MAX_ORIGIN, MAX_TIER
from tests.books import BEGINNING, PATIENCE, ask, engine, open_books, positions, record, update_views
from tests.scenario import CODE_KEY, NOON, Story, opening

OTHERS = [kind for kind in get_args(Command) if kind is not OpenBook]
replace = msgspec.structs.replace


def any_command(kind: type[Command]) -> Command:
    """Return a command of a kind, which names only its request."""
    filled: Any = {
        field.name: "r" if field.name == "request_id" else None
        for field in msgspec.structs.fields(kind)
        if field.required
    }
    return kind(**filled)


def submit(opened: Books, book: str, *asked: Command) -> list[Outcome]:
    """Submit commands to a book."""
    return opened.submit(book, asked).result(PATIENCE)


def opened_as(outcome: Event | Refusal) -> BookOpened | Reason:
    """Return the event, or the reason of the refusal, of an opening."""
    if isinstance(outcome, Refusal):
        return outcome.reason
    assert isinstance(outcome, BookOpened)
    return outcome


def reasons(outcomes: list[Outcome]) -> list[Reason | int]:
    """Return the reason or the position of each outcome."""
    return [item.reason if isinstance(item, Refusal) else item.recorded.position for item in outcomes]


@pytest.mark.parametrize("kind", OTHERS)
def test_no_other_command_begins_a_book(kind: type[Command]) -> None:
    """Every other command on a book without events is refused, and the refusal says how a book is opened."""
    outcome = decide(State("masks"), any_command(kind), NOON)
    assert isinstance(outcome, Refusal)
    assert outcome.reason is Reason.BOOK_UNKNOWN
    assert "pathbook book open masks" in str(outcome)


def test_a_book_is_opened_with_an_origin_and_a_policy() -> None:
    """The event holds what the operator said. Without an origin, it is made of the name."""
    state = State("masks")
    assert decide(state, opening("masks"), NOON) == BookOpened(
        "masks", "pathbook/masks", CODE_KEY, Policy(max_tier=0)
    )
    named = replace(opening("masks"), origin="acme.example/masks", max_tier=3)
    assert decide(state, named, NOON) == BookOpened("masks", "acme.example/masks", CODE_KEY, Policy(3))


@pytest.mark.parametrize(
    "origin",
    [
        "acme example",
        "a+b",
        "https://acme.example/masks",
        "acm\u00e9",
        "a\nb",
        "a\0",
        " ",
        "a" * (MAX_ORIGIN + 1),
    ],
)
def test_a_malformed_origin_is_refused(origin: str) -> None:
    """An origin is one printable line without a scheme, blanks and plus signs, of limited length."""
    assert opened_as(decide(State("masks"), replace(opening("masks"), origin=origin), NOON)) is (
        Reason.ORIGIN_MALFORMED
    )


@given(st.text(max_size=MAX_ORIGIN + 1))
@example("a" * MAX_ORIGIN)
@example("acme.example:8080/masks?x=1")
def test_an_accepted_origin_can_stand_in_a_checkpoint(origin: str) -> None:
    """An accepted origin is the one that was asked, and fits the first line of a checkpoint and a key's name."""
    outcome = opened_as(decide(State("masks"), replace(opening("masks"), origin=origin), NOON))
    if isinstance(outcome, BookOpened) and origin:
        assert outcome.origin == origin
        assert origin.isascii()
        assert origin.isprintable()
        assert not set(" +") & set(origin)
    elif origin:
        assert outcome is Reason.ORIGIN_MALFORMED
        assert not origin.isalnum() or not origin.isascii() or len(origin) > MAX_ORIGIN


@pytest.mark.parametrize("name", ["", "no/where", ".", "a" * 65, "m\u00e1sk"])
def test_a_malformed_name_is_refused(name: str, tmp_path: Path) -> None:
    """The rule refuses a malformed name, and so do the books before they start a thread."""
    assert opened_as(decide(State(name), opening(name), NOON)) is Reason.BOOK_MALFORMED
    with open_books(tmp_path) as opened:
        assert reasons(submit(opened, name, opening(name))) == [Reason.BOOK_MALFORMED]


@pytest.mark.parametrize(
    ("tier", "accepted"), [(-1, False), (0, True), (1, True), (MAX_TIER, True), (MAX_TIER + 1, False)]
)
def test_the_policy_stays_within_the_general_limit(tier: int, accepted: bool) -> None:
    """A book may allow tiers up to the general limit, which 0 stands for."""
    outcome = opened_as(decide(State("masks"), replace(opening("masks"), max_tier=tier), NOON))
    assert (outcome is not Reason.TIER_OUT_OF_BOUNDS) is accepted


def test_a_policy_limits_the_tiers_of_authorizations() -> None:
    """An authorization may give the deepest tier that the book allows, and none below it."""
    story = Story()
    story.state = State("book")
    story.ask(replace(opening("book"), max_tier=2))
    story.tell("""
    brand acme
    agent ann
    agent ben
    authorize ann tier 3 by acme   -> TIER_OUT_OF_BOUNDS
    authorize ann tier 1 by acme   -> ok
    authorize ben tier 3 by ann    -> TIER_OUT_OF_BOUNDS
    authorize ben tier 2 by ann    -> ok
    """)
    refused = story.commands[-2][1]
    assert isinstance(refused, Refusal)
    assert dict(refused.facts)["limit"] == "2"


@pytest.mark.parametrize("views", [False, True])
def test_a_policy_holds_after_a_cold_start(place: Path, views: bool) -> None:
    """The policy is known again after a restart, whether or not the views have the events."""
    opened_with = replace(opening("masks"), max_tier=2)
    with open_books(place, follow=False) as opened:
        head = positions(ask(opened, opened_with, *BEGINNING[1:]))[-1]
    if views:
        update_views(place, head)
    deep, deepest = (
        AuthorizeParty(request_id=f"a{tier}", upline="acme", party="ann", tier=tier) for tier in (3, 2)
    )
    with open_books(place, follow=False) as opened:
        refused, given = ask(opened, deep, deepest)
        assert reasons([refused]) == [Reason.TIER_OUT_OF_BOUNDS]
        assert isinstance(given, Answer)
        assert isinstance(given.recorded.event, PartyAuthorized)
        (again,) = ask(opened, opening("masks", "again"))
        assert isinstance(again, Refusal)
        assert dict(again.facts) == {"book": "masks", "origin": "pathbook/masks"}


@pytest.mark.parametrize("restart", [False, True])
def test_a_book_is_opened_once(place: Path, restart: bool) -> None:
    """A retry gets the first answer, even with another key of codes. Another request is refused."""
    with open_books(place) as opened:
        (first,) = ask(opened, opening("masks"))
        assert positions([first]) == [1]
        if not restart:
            check_opened(opened, first)
    with open_books(place) as opened:
        check_opened(opened, first)


def check_opened(opened: Books, first: Outcome) -> None:
    """Check the answers to further openings of the book."""
    same, other_key, other_origin, other_request = ask(
        opened,
        opening("masks"),
        replace(opening("masks"), code_key=bytes(8)),
        replace(opening("masks"), origin="acme.example/masks"),
        opening("masks", "another"),
    )
    assert isinstance(first, Answer)
    for retry in (same, other_key):
        assert isinstance(retry, Answer)
        assert retry.duplicate
        assert retry.recorded == first.recorded
    assert reasons([other_origin, other_request]) == [Reason.REQUEST_ID_REUSED, Reason.BOOK_EXISTS]


def test_the_digest_leaves_out_what_the_server_fills_in() -> None:
    """The key of codes is no part of the digest, and every field of the caller is."""
    command = opening("masks")
    assert digest(command) == digest(replace(command, code_key=bytes(8)))
    asked = [command, replace(command, origin="a"), replace(command, max_tier=1), replace(command, name="b")]
    assert len({digest(each) for each in asked}) == len(asked)
    assert digest(commands.UnpackCase(request_id="r", party="a", sscc="b")) != digest(
        commands.UnpackCase(request_id="r", party="a", sscc="c")
    )


def test_a_command_to_a_book_that_is_not_open_starts_no_thread(place: Path) -> None:
    """A book has no thread before it is opened, and a refused opening starts none."""
    with open_books(place) as opened:
        before = threading.active_count()
        for number, kind in enumerate(OTHERS):
            assert reasons(submit(opened, f"book{number}", any_command(kind))) == [Reason.BOOK_UNKNOWN]
        refused: list[Command] = [
            replace(opening("masks"), origin="a b"),
            replace(opening("masks"), max_tier=-1),
            replace(opening("masks"), request_id=""),
            record("1"),
        ]
        assert reasons(submit(opened, "masks", *refused)) == [
            Reason.ORIGIN_MALFORMED,
            Reason.TIER_OUT_OF_BOUNDS,
            Reason.REQUEST_ID_MALFORMED,
            Reason.BOOK_UNKNOWN,
        ]
        assert threading.active_count() == before


def test_two_servers_may_race_to_open_one_book(place: Path) -> None:
    """One of them opens it, and the other is told so. A book has one first event."""
    books = [f"book-{number}" for number in range(8)]
    with open_books(place) as one, open_books(place) as two, ThreadPoolExecutor(16) as pool:
        racing = [
            [
                pool.submit(submit, each, book, opening(book, f"from {number}"))
                for number, each in enumerate((one, two))
            ]
            for book in books
        ]
        for pair in racing:
            outcomes = list(itertools.chain(*(each.result(PATIENCE) for each in pair)))
            assert sorted(reasons(outcomes)) == [1, Reason.BOOK_EXISTS]
    events = engine(place, "events")
    stream = Stream(events)
    for book in books:
        (entry,) = stream.read(book, 0, 10)
        assert isinstance(decode(1, entry.data).event, BookOpened)
    events.dispose()


def test_books_are_listed_in_the_order_of_their_names_with_their_heads(place: Path) -> None:
    """Pages of any size hold each book once, with its opening and its last position."""
    names = ["a", "b-2", "masks", "z", "zz"]
    with open_books(place) as opened:
        for name in names:
            positions(submit(opened, name, opening(name)))
        positions(ask(opened, *BEGINNING[1:]))
    events, views = engine(place, "events"), engine(place, "views")
    queries = Queries(Stream(events), views)
    for size in (1, 2, 3, 5, 100):
        found: list[OpenedBook] = []
        while page := queries.books(found[-1].opened.name if found else "", size):
            assert len(page) <= size
            found += page
        assert [book.opened.name for book in found] == sorted(names)
        assert [book.position for book in found] == [
            len(BEGINNING) if n == "masks" else 1 for n in sorted(names)
        ]
        assert {book.opened_at for book in found} == {NOON}
        assert found == [queries.book(name) for name in sorted(names)]
    missing = queries.book("mask")
    assert isinstance(missing, Refusal)
    assert missing.reason is Reason.BOOK_UNKNOWN
    assert queries.books("zz", 10) == []
    events.dispose()
    views.dispose()


def test_a_store_without_books_lists_none(place: Path) -> None:
    """An empty log has no books."""
    events = engine(place, "events")
    assert Stream(events).first_entries("", 10) == []
    events.dispose()
