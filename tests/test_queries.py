"""What a book answers: paths, ladders, stock, transfers and registers, asked of views that a follower carried."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path as Directory

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.codec import encode, leaf_hash
from ledger.commands import Command, digest
from ledger.events import Event, TransferOffered, TransferRecorded, UnitsReturned, UnitsSold
from ledger.queries import Path, Queries, Rung, RungKind, Step, StepKind, Transfer
from ledger.queries.ladders import rungs
from ledger.ranges import count_units
from ledger.refusals import Reason, Refusal
from ledger.runs import EMPTY_HEAD, next_head
from ledger.store.database import open_engine
from ledger.store.follower import Follower
from ledger.store.lookups import PriceRow
from ledger.store.stream import Stream
from ledger.values import Money, TransferStatus, Unit, UnitRange, UnitState
from tests.projections.synthetic import PARTIES, Entries, SyntheticBook
from tests.scenario import BALM, MASK, Story

MASKS = """
brand acme
agent ann
agent ben
shop cat
authorize ann tier 1 by acme
authorize ben tier 2 by ann
product mask 30000 CNY of acme
batch L1 of mask size 100 made 2025-12-01 expires 2026-06-30 by acme
"""
"""Positions 1 to 8."""


class WrittenStory(Story):
    """A story whose events are also written as a log holds them."""

    def __init__(self, text: str) -> None:
        """Begin a book, and tell it some lines."""
        self.entries: Entries = []
        super().__init__(text)

    def ask(self, command: Command) -> Event | Refusal:
        """Give a command, and write what it causes."""
        outcome = super().ask(command)
        if not isinstance(outcome, Refusal):
            self.entries.append(
                encode(
                    outcome,
                    recorded_at=self.now,
                    occurred_at=command.occurred_at or self.now,
                    request_id=command.request_id,
                    request_digest=digest(command),
                )
            )
        return outcome


@contextlib.contextmanager
def asked(entries: Entries) -> Iterator[Queries]:
    """Write a book, carry its views, and open it for questions."""
    with tempfile.TemporaryDirectory() as name:
        events = open_engine(Directory(name) / "events.sqlite", purpose="events")
        views = open_engine(Directory(name) / "views.sqlite", purpose="views")
        stream = Stream(events)
        stream.append("book", 0, entries)
        Follower(stream, views).catch_up("book")
        yield Queries(stream, views)
        events.dispose()
        views.dispose()


@pytest.fixture
def tell() -> Iterator[Callable[[str], Queries]]:
    """Tell a story of masks, and open its book for questions."""
    with contextlib.ExitStack() as stack:
        yield lambda text: stack.enter_context(asked(WrittenStory(MASKS + text).entries))


def the_path(queries: Queries, number: int, as_of: int = 0, *, corrections: bool = False) -> Path:
    """Return the path of a unit of batch 1."""
    path = queries.path("book", Unit(1, number), as_of, corrections=corrections)
    assert isinstance(path, Path), path
    return path


def transfers_at(queries: Queries, position: int) -> list[Transfer]:
    """Return the lines of a transfer."""
    lines = queries.transfer("book", position)
    assert isinstance(lines, list), lines
    return lines


def in_words(step: Step) -> str:
    """Say a step in a few words."""
    price = f" at {step.unit_price.amount_minor}" if step.unit_price else ""
    sides = (
        f" {step.giver} > {step.receiver}" if step.giver and step.receiver else step.giver or step.receiver
    )
    mark = " (corrected)" if step.corrected else ""
    return f"{step.position} {step.kind.name.lower()} {sides.strip()}{price}{mark}"


def reason(answer: object) -> Reason:
    """Return why a question was refused."""
    assert isinstance(answer, Refusal), answer
    assert "{" not in str(answer)
    return answer.reason


def test_a_path_shows_every_hop_once(tell: Callable[[str], Queries]) -> None:
    """An accepted offer is one hop, where it was accepted; sale and confirmation end the path."""
    queries = tell("""
        offer 1:0-49 acme > ann at 15000 as first
        accept first by ann but short 1:40-49
        record 1:0-9 ann > ben at 18000 later
        deliver 1:0-9 ann > ben
        sell 1:3 ben > wei at 29900
        confirm 1:3 by wei at 29900
    """)
    path = the_path(queries, 3)
    assert [in_words(step) for step in path.steps] == [
        "8 commissioned acme",
        "10 transferred acme > ann at 15000",
        "11 transferred ann > ben at 18000",
        "12 delivered ann > ben",
        "13 sold ben > consumer:wei at 29900",
        "14 confirmed consumer:wei at 29900",
    ]
    assert [step.receiver_tier for step in path.steps] == [0, 1, 2, None, None, None]
    assert path.run.range == UnitRange(1, 3, 3)
    assert (path.run.owner, path.run.state) == ("consumer:wei", UnitState.CONFIRMED)
    assert (path.product.name, path.batch.lot, path.as_of_position) == ("mask", "L1", 14)
    (offer,) = transfers_at(queries, 9)
    assert (offer.status, offer.units, offer.accepted_units, offer.answered_position) == (
        *(TransferStatus.ACCEPTED_IN_PART, 50, 40, 10),
    )
    short = the_path(queries, 45, corrections=True)
    assert [in_words(step) for step in short.steps] == [
        "8 commissioned acme",
        "9 offered acme > ann at 15000",
        "10 released acme > ann",
    ]
    assert short.run.range == UnitRange(1, 40, 49)
    assert [in_words(step) for step in the_path(queries, 45).steps] == ["8 commissioned acme"]


def test_a_path_shows_the_offer_that_is_open(tell: Callable[[str], Queries]) -> None:
    """Of all offers the one that waits for its answer is shown; those that came to nothing on request."""
    queries = tell("""
        offer 1:0-9 acme > ann at 15000 as first
        decline first by ann
        offer 1:0-9 acme > ben at 16000 as second
    """)
    assert [in_words(step) for step in the_path(queries, 0).steps] == [
        "8 commissioned acme",
        "11 offered acme > ben at 16000",
    ]
    assert [step.kind.name for step in the_path(queries, 0, corrections=True).steps] == [
        "COMMISSIONED",
        "OFFERED",
        "RELEASED",
        "OFFERED",
    ]
    assert [in_words(step) for step in the_path(queries, 0, as_of=9).steps][1:] == [
        "9 offered acme > ann at 15000"
    ]


def test_a_run_of_the_past_reached_to_what_had_been_cut_from_it(tell: Callable[[str], Queries]) -> None:
    """As of a position, a run ends where others had been cut off by then, whatever became of those."""
    queries = tell("""
        record 1:10-19 acme > ann at 15000
        record 1:15-19 ann > ben at 18000
        record 1:40-49 acme > ann at 15000
        record 1:25 acme > cat at 15000
    """)
    ranges = [the_path(queries, 25, as_of).run.range for as_of in range(8, 13)]
    assert [(part.first, part.last) for part in ranges] == [(0, 99), (20, 99), (20, 99), (20, 39), (25, 25)]
    assert the_path(queries, 30, as_of=11).run.range == UnitRange(1, 20, 39)


def test_a_reversed_transfer_is_shown_as_corrected(tell: Callable[[str], Queries]) -> None:
    """What both sides reversed is left out, with its reversal; on request both are shown and marked."""
    queries = tell("""
        offer 1:0-9 acme > ann at 15000 as first
        accept first by ann
        record 1:0-9 ann > ben at 18000 as second
        reverse second by ann
        reverse second by ben
    """)
    assert [in_words(step) for step in the_path(queries, 5).steps] == [
        "8 commissioned acme",
        "10 transferred acme > ann at 15000",
    ]
    assert [in_words(step) for step in the_path(queries, 5, corrections=True).steps] == [
        "8 commissioned acme",
        "9 offered acme > ann at 15000",
        "10 transferred acme > ann at 15000",
        "11 transferred ann > ben at 18000 (corrected)",
        "13 reversed ben > ann at 18000 (corrected)",
    ]
    assert [in_words(step) for step in the_path(queries, 5, as_of=12).steps][2:] == [
        "11 transferred ann > ben at 18000"
    ]
    (line,) = transfers_at(queries, 11)
    assert (line.status, line.reversal_asked_by) == (TransferStatus.REVERSED, "ann")


def test_a_return_goes_back_the_way_it_came(tell: Callable[[str], Queries]) -> None:
    """Each line of a return gives back what one transfer or sale had brought, at the price then paid."""
    queries = tell("""
        record 1:0-4 acme > ann at 15000
        record 1:5-9 acme > ann at 16000
        return 1:3-6 by ann
        sell 1:0 ann > wei at 20000
        return 1:0 by consumer:wei
    """)
    path = the_path(queries, 3)
    assert in_words(path.steps[-1]) == "11 returned ann > acme at 15000"
    assert (path.steps[-1].giver_tier, path.steps[-1].receiver_tier) == (1, 0)
    assert in_words(the_path(queries, 0).steps[-1]) == "13 returned consumer:wei > ann at 20000"
    first, second = transfers_at(queries, 11)
    assert (first.line, first.giver, first.receiver, first.units) == (0, "ann", "acme", 2)
    assert (first.returns_transfer, first.ranges) == (9, (UnitRange(1, 3, 4),))
    assert (second.returns_transfer, second.unit_price) == (10, Money(16000, "CNY"))
    ladder = queries.ladder_of_batch("book", 1)
    assert isinstance(ladder, list)
    assert [(rung.tier, rung.units, rung.sum_minor) for rung in ladder] == [(1, 6, 3 * 15000 + 3 * 16000)]


def test_a_unit_knows_the_outermost_case_around_it(tell: Callable[[str], Queries]) -> None:
    """The case a unit is packed in, or the pallet around it, is named; after unpacking, and for a lost unit, none."""
    inner, pallet = "106141412345678908", "106141412345678915"
    packed = f"pack {inner} with 1:10-19 by acme\npack {pallet} with 1:20 and case {inner} by acme\n"
    queries = tell(packed + "write off 1:12 by acme as lost")
    assert [the_path(queries, number).run.sscc for number in (9, 10, 12, 19, 20, 21)] == [
        *("", pallet, "", pallet, pallet, "")
    ]
    assert the_path(queries, 10, as_of=9).run.sscc == ""
    case = queries.case("book", pallet)
    assert not isinstance(case, Refusal)
    assert (case.outer, case.ranges, case.cases, case.position) == ("", (UnitRange(1, 20, 20),), (inner,), 10)
    unpacked = tell(packed + f"unpack {pallet} by acme")
    assert [the_path(unpacked, number).run.sscc for number in (10, 20)] == [inner, ""]
    assert reason(unpacked.case("book", pallet)) is Reason.CASE_UNKNOWN


def test_what_is_not_there_is_refused_by_name(tell: Callable[[str], Queries]) -> None:
    """Every question about what a book does not have has its own reason."""
    queries = tell("")
    for number in (-1, 100):
        assert reason(queries.path("book", Unit(1, number))) is Reason.RANGE_BEYOND_BATCH
    assert reason(queries.path("book", Unit(2, 0))) is Reason.BATCH_UNKNOWN
    assert reason(queries.path("book", Unit(1, 0), 7)) is Reason.BATCH_UNKNOWN
    assert reason(queries.party("book", "dan")) is Reason.PARTY_UNKNOWN
    assert reason(queries.stock("book", "dan", 0, 10)) is Reason.PARTY_UNKNOWN
    assert reason(queries.transfers("book", "dan")) is Reason.PARTY_UNKNOWN
    assert queries.transfers("book", "consumer:dan") == []
    assert reason(queries.product("book", BALM)) is Reason.PRODUCT_UNKNOWN
    assert reason(queries.batches("book", BALM, 0, 10)) is Reason.PRODUCT_UNKNOWN
    assert reason(queries.ladder_of_product("book", BALM)) is Reason.PRODUCT_UNKNOWN
    assert reason(queries.ladder_of_batch("book", 2)) is Reason.BATCH_UNKNOWN
    assert reason(queries.batch("book", 2)) is Reason.BATCH_UNKNOWN
    assert reason(queries.batch_of_lot("book", MASK, "L2")) is Reason.BATCH_UNKNOWN
    assert reason(queries.transfer("book", 8)) is Reason.TRANSFER_UNKNOWN
    for question in (queries.head, lambda book: queries.party(book, "acme")):
        assert reason(question("shelf")) is Reason.BOOK_UNKNOWN


def test_registers_say_what_was_registered(tell: Callable[[str], Queries]) -> None:
    """Parties come with authorisations, batches with recalls, and lists in pages."""
    queries = tell("""
        batch L2 of mask size 5 made 2025-12-02 by acme
        recall batch 1 units 1:3-5 by acme as bad
        lift bad by acme
        authorize cat tier 3 by ben for mask until 2026-12-31 as given
        revoke given by ben
    """)
    cat = queries.party("book", "cat")
    assert not isinstance(cat, Refusal)
    (given,) = cat.authorizations
    assert (given.position, given.upline, given.tier, given.products) == (12, "ben", 3, (MASK,))
    assert given.valid_from < (given.valid_until or 0)
    assert given.revoked_from == given.valid_from
    batch = queries.batch_of_lot("book", MASK, "L1")
    assert not isinstance(batch, Refusal)
    assert batch == queries.batch("book", 1)
    assert (str(batch.made_on), str(batch.expires_on), batch.size) == ("2025-12-01", "2026-06-30", 100)
    (recall,) = batch.recalls
    assert (recall.position, recall.ranges, recall.lifted_position) == (10, (UnitRange(1, 3, 5),), 11)
    parties = [queries.parties("book", "", 2), queries.parties("book", "ann", 9)]
    assert [[p.party for p in page] for page in parties if isinstance(page, list)] == [
        ["acme", "ann"],
        ["ben", "cat"],
    ]
    lots = [queries.batches("book", gtin, after, 9) for gtin, after in ((MASK, 0), (None, 0), (None, 1))]
    assert [[b.lot for b in page] for page in lots if isinstance(page, list)] == [["L1", "L2"]] * 2 + [["L2"]]
    products = queries.products("book", "", 9)
    assert isinstance(products, list)
    assert products == [queries.product("book", MASK)]
    head = queries.head("book")
    assert not isinstance(head, Refusal)
    assert head.position == head.views_position == 13


def test_stock_comes_soonest_to_expire_first(tell: Callable[[str], Queries]) -> None:
    """Batches that never expire come last; a page begins after the batch it is told."""
    queries = tell("""
        batch L2 of mask size 5 made 2025-12-02 by acme
        batch L3 of mask size 5 made 2025-12-02 expires 2026-03-31 by acme
        batch L4 of mask size 5 made 2025-12-02 by acme
        record 1:0-9 acme > ann at 15000 later
        offer 3:0-1 acme > ann at 15000
    """)
    lines = queries.stock("book", "acme", 0, 9)
    assert isinstance(lines, list)
    assert [(i.batch.batch, i.owned, i.in_custody, i.reserved) for i in lines] == [
        *((3, 5, 5, 2), (1, 90, 100, 0), (2, 5, 5, 0), (4, 5, 5, 0))
    ]
    assert {line.product_name for line in lines} == {"mask"}
    pages = [queries.stock("book", "acme", after, 2) for after in (0, 1, 4)]
    assert pages == [lines[:2], lines[2:], []]


def test_a_ladder_has_a_rung_for_each_tier_and_currency() -> None:
    """Tiers stand from the first down, then parties without one, then consumers; prices in another currency apart."""
    prices = [
        (1000, "CNY", 300, 1),
        (-1, "CNY", 260, 1),
        (2, "USD", 25, 1),
        (2, "CNY", 180, 1),
        (1, "CNY", 150, 1),
    ]
    ladder = rungs([PriceRow(*price) for price in prices], Money(300, "CNY"))
    assert [(rung.kind, rung.tier, rung.currency_code, rung.suggested_minor) for rung in ladder] == [
        (RungKind.TIER, 1, "CNY", 300),
        (RungKind.TIER, 2, "CNY", 300),
        (RungKind.TIER, 2, "USD", None),
        (RungKind.NO_TIER, 0, "CNY", 300),
        (RungKind.CONSUMER, 0, "CNY", 300),
    ]
    assert [rung.suggested_minor for rung in rungs([PriceRow(*prices[0])], None)] == [None]


@pytest.mark.parametrize(
    ("paid", "median", "mean"),
    [({10: 1, 11: 1}, 10, 10), ({11: 1, 12: 1}, 11, 12), ({10: 1, 20: 2}, 20, 17), ({10: 2, 20: 2}, 10, 15)],
)
def test_a_rung_rounds_half_to_even_and_takes_the_lower_middle(
    paid: dict[int, int], median: int, mean: int
) -> None:
    """The median is a price that was paid, and a mean between two amounts goes to the even one."""
    (rung,) = rungs([PriceRow(1, "CNY", price, units) for price, units in paid.items()], None)
    assert rung == Rung(
        RungKind.TIER,
        1,
        "CNY",
        sum(paid.values()),
        min(paid),
        median,
        max(paid),
        mean,
        sum(price * units for price, units in paid.items()),
        None,
    )


def test_a_product_is_compared_only_with_a_price_all_its_batches_share(
    tell: Callable[[str], Queries],
) -> None:
    """The ladder of a product adds up its batches; it names a suggested price where they agree on one."""
    text = """
        batch L2 of mask size 5 made 2025-12-02 by acme
        record 1:0-9 acme > ann at 15000
        record 2:0-4 acme > ann at 15000
    """
    (rung,) = msgspec.convert(tell(text).ladder_of_product("book", MASK), list[Rung])
    assert (rung.units, rung.suggested_minor) == (15, 30000)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32), length=st.integers(20, 100), data=st.data())
def test_a_path_as_of_a_position_is_the_path_the_book_had_then(
    seed: int, length: int, data: st.DataObject
) -> None:
    """Asked as of a position, a unit's path is what a book answers that ends there: run, steps and all."""
    book = SyntheticBook(seed, length)
    as_of = data.draw(st.integers(9, len(book.entries)))
    with asked(book.entries) as now, asked(book.entries[:as_of]) as then:
        for batch, number in [(batch, number) for batch in (1, 3) for number in range(7)]:
            for corrections in (False, True):
                unit = Unit(batch, number)
                path = now.path("book", unit, as_of, corrections=corrections)
                expected = then.path("book", unit, corrections=corrections)
                assert isinstance(path, Path)
                assert isinstance(expected, Path)
                run = msgspec.structs.replace(expected.run, sscc=path.run.sscc)
                assert (path.run, path.steps, path.as_of_position) == (run, expected.steps, as_of)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), length=st.integers(20, 100))
def test_a_path_with_corrections_is_the_whole_past(seed: int, length: int) -> None:
    """Each step's head is hashed from the head before and the step's event, up to the head of the unit's run."""
    book = SyntheticBook(seed, length)
    with asked(book.entries) as queries:
        for batch, partition in book.state.partitions.items():
            for run in partition.runs:
                path = queries.path("book", Unit(batch, run.first), corrections=True)
                assert isinstance(path, Path)
                heads = [EMPTY_HEAD, *(step.head for step in path.steps)]
                for (before, after), step in zip(pairwise(heads), path.steps, strict=True):
                    assert after == next_head(before, leaf_hash(step.data))
                assert path.steps[0].kind is StepKind.COMMISSIONED
                assert path.run.head == path.steps[-1].head == run.head
                assert path.run.range == UnitRange(batch, run.first, run.last)
                assert (path.run.owner, path.run.custodian) == (run.owner, run.custodian)
                assert path.steps[-1].state is path.run.state is run.state


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), length=st.integers(20, 100), limit=st.integers(1, 5))
def test_pages_of_transfers_hold_each_once_newest_first(seed: int, length: int, limit: int) -> None:
    """For each party and status, the pages together are that party's transfers, as the events tell them."""
    book = SyntheticBook(seed, length)
    expected: list[tuple[int, int, str, str, TransferStatus, int]] = []
    for recorded in book.recorded:
        position, event = recorded.position, recorded.event
        if isinstance(event, TransferOffered | TransferRecorded | UnitsSold):
            known = book.state.transfers[position]
            assert known is not None
            terms, status = event.terms, known.status
            expected.append((position, 0, terms.giver, terms.receiver, status, count_units(terms.ranges)))
        if isinstance(event, UnitsReturned):
            for number, line in enumerate(event.lines):
                sides = line.terms.receiver, line.terms.giver
                units = count_units(line.terms.ranges)
                expected.append((position, number, *sides, TransferStatus.ACCEPTED, units))
    expected.sort(reverse=True)
    with asked(book.entries) as queries:
        for party in (*PARTIES, "consumer:wei"):
            for status in (None, *TransferStatus):
                found = list(every_transfer(queries, party, status, limit))
                assert [(i.transfer, i.line, i.giver, i.receiver, i.status, i.units) for i in found] == [
                    item for item in expected if party in item[2:4] and status in (None, item[4])
                ]


def every_transfer(
    queries: Queries, party: str, status: TransferStatus | None, limit: int
) -> Iterator[Transfer]:
    """Yield the transfers of a party, page by page."""
    before = None
    while page := queries.transfers("book", party, status, before, limit):
        assert isinstance(page, list)
        assert len(page) <= limit
        yield from page
        before = page[-1].transfer, page[-1].line
