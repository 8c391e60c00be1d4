"""Reads a story back from the views: paths, stock, ladders and transfers are as in the naive model."""

import contextlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path as Place

from pathbook.ledger.queries import Insight, Queries
from pathbook.ledger.queries.answers import Listed, Path
from pathbook.ledger.reports.ladder import RungKind
from pathbook.ledger.steps import StepKind
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.follower import Follower
from pathbook.ledger.values import Attestation, Unit
from tests.books import engine
from tests.queries.written import ladder_of
from tests.rules.naive import GONE, OFFERED, Key, Trace
from tests.rules.naive_authority import consumer
from tests.rules.registers import Registers
from tests.rules.stage import BOOK, PARTIES, Dice

TIMELESS = (StepKind.COMMISSIONED, StepKind.REVERSED, StepKind.ATTESTED, StepKind.ERROR_DECLARED)
"""The steps whose time says nothing of when a unit moved."""

TOLERANCE = 300_000_000
"""By how much clocks may differ, in microseconds."""


@contextlib.contextmanager
def open_views(place: Place) -> Iterator[Queries]:
    """Update the views of the book in a place, and open it for queries."""
    events, views = engine(place, "events"), engine(place, "views")
    stream = Stream(events)
    Follower(stream, views).catch_up(BOOK)
    yield Queries(stream, views)
    events.dispose()
    views.dispose()


def read_back(books: Registers, queries: Queries, dice: Dice) -> None:
    """Compare what the views say with the naive model."""
    begun = max(piece.past[0].position for piece in books.pieces.values())
    for key in sorted(books.pieces):
        compare_path(
            books,
            queries,
            key,
            books.position if dice.usually() else dice.one_of(range(begun, books.position + 1)),
        )
    for party in PARTIES:
        compare_stock(books, queries, party)
    for batch in books.lots:
        compare_ladder(books, queries, batch)
    for position, deal in books.deals.items():
        lines = queries.transfer(BOOK, position)
        assert isinstance(lines, list), lines
        row = lines[0].row
        found = (
            row.giver,
            row.receiver,
            row.status,
            bool(row.is_attested),
            row.reference,
            row.reversal_asked_by,
        )
        known = (
            deal.giver,
            deal.receiver,
            deal.status,
            bool(deal.attested),
            deal.reference,
            deal.reversal_by,
        )
        books.same(f"the transfer at {position}", found, known)


def compare_path(books: Registers, queries: Queries, key: Key, as_of: int) -> None:
    """Compare the path of a unit, with and without its corrections."""
    piece, unit = books.pieces[key], Unit(*key)
    past = [trace for trace in piece.past if trace.position <= as_of]
    undone = [bool(trace.corrected and trace.corrected <= as_of) for trace in past]
    known = [
        (
            trace.position,
            trace.kind,
            trace.owner,
            trace.custodian,
            trace.state,
            trace.head,
            undone[place],
            vouched(books, trace, as_of),
            later(past, undone, place),
        )
        for place, trace in enumerate(past)
    ]
    for corrections in (True, False):
        path = queries.path(BOOK, unit, as_of, corrections=corrections)
        assert isinstance(path, Path), path
        found = [
            (
                step.position,
                step.movement.kind,
                step.owner,
                step.custodian,
                step.state,
                step.head,
                step.corrected,
                step.attestation,
                step.out_of_order,
            )
            for step in path.steps
        ]
        expected = [
            told
            for told, trace, is_undone in zip(known, past, undone, strict=True)
            if corrections or (not is_undone and has_effect(trace, past))
        ]
        books.same(f"the path of {unit} as of {as_of}, corrections {corrections}", found, expected)
        run = (path.run.owner, path.run.custodian, path.run.state, path.run.head)
        last = past[-1]
        books.same(
            f"the run of {unit} as of {as_of}", run, (last.owner, last.custodian, last.state, last.head)
        )
        if as_of == books.position:
            compare_extent(books, key, path)


def has_effect(trace: Trace, past: list[Trace]) -> bool:
    """Tell whether a step is no offer that came to nothing or was answered, and no report of a receiver."""
    if trace.kind is StepKind.OFFERED:
        return past[-1].state is OFFERED and trace is [t for t in past if t.kind is StepKind.OFFERED][-1]
    return trace.kind not in (StepKind.RELEASED, StepKind.ATTESTED)


def vouched(books: Registers, trace: Trace, as_of: int) -> Attestation:
    """Tell who vouches for a step."""
    attested = books.deals[trace.deal].attested if trace.kind is StepKind.TRANSFERRED else 0
    return Attestation.REPORTED_BY_BOTH if 0 < attested <= as_of else Attestation.RECORDED


def later(past: list[Trace], undone: list[bool], place: int) -> int:
    """Return the position of the earlier step with the latest time, if that is later than the time of a step, or 0."""
    if undone[place] or past[place].kind in TIMELESS:
        return 0
    before = [
        trace
        for trace, is_undone in zip(past[:place], undone, strict=False)
        if not is_undone and trace.kind not in TIMELESS
    ]
    latest = max(before, key=lambda trace: (trace.at, trace.position), default=past[place])
    return latest.position if latest.at > past[place].at + TOLERANCE else 0


def compare_extent(books: Registers, key: Key, path: Path) -> None:
    """Compare the run that a path shows: its units are alike and lie in the same case, and its neighbours are not."""
    batch, number = key
    part = path.run.range
    books.same(f"the case of {key}", path.run.sscc, outermost(books, key))
    keys = [(batch, each) for each in range(part.first, part.last + 1)]
    inside = {(books.pieces[each].head, books.pieces[each].owner, books.pieces[each].state) for each in keys}
    cases = {outermost(books, each) for each in keys}
    books.same(f"how many pasts and cases the run {part} has", (len(inside), len(cases)), (1, 1))
    books.same(f"whether {key} lies in {part}", part.first <= number <= part.last, True)


def outermost(books: Registers, key: Key) -> str:
    """Return the outermost case around a unit, or "" if there is none, or if the unit was written off."""
    piece = books.pieces[key]
    return books.outermost(piece.case) if piece.case and piece.state not in GONE else ""


def compare_stock(books: Registers, queries: Queries, party: str) -> None:
    """Compare what a party owns and has."""
    lines = queries.stock(BOOK, party, 0, 100)
    assert isinstance(lines, Listed), lines
    rows = [line.row for line in lines.items]
    found = {row.batch.batch: (row.owned, row.in_custody, row.reserved) for row in rows}
    known = {}
    for batch in books.lots:
        pieces = [piece for key, piece in books.pieces.items() if key[0] == batch and piece.state not in GONE]
        owned = [piece for piece in pieces if piece.owner == party]
        counts = len(owned), sum(p.custodian == party for p in pieces), sum(p.state is OFFERED for p in owned)
        if any(counts):
            known[batch] = counts
    books.same(f"the stock of {party}", found, known)


def compare_ladder(books: Registers, queries: Queries, batch: int) -> None:
    """Compare how many units each tier paid for, and the sum."""
    ladder = ladder_of(queries, batch, BOOK)
    assert isinstance(ladder, Insight), ladder
    found = {
        (rung.kind, rung.tier, rung.currency_code): (rung.units, rung.sum_minor)
        for rung in ladder.found.rungs
    }
    units: Counter[tuple[RungKind, int, str]] = Counter()
    sums: Counter[tuple[RungKind, int, str]] = Counter()
    for key, piece in books.pieces.items():
        for hop in piece.hops if key[0] == batch else ():
            kind = RungKind.CONSUMER if consumer(books.deals[hop.deal].receiver) else RungKind.NO_TIER
            kind = kind if hop.tier is None else RungKind.TIER
            place = kind, hop.tier or 0, hop.price.currency_code
            units[place] += 1
            sums[place] += hop.price.amount_minor // hop.price.per_units
    books.same(f"the ladder of {batch}", found, {place: (units[place], sums[place]) for place in units})
