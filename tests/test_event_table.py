"""The tables in the comment of Event say what the code does: owner, custodian, state and hops of units, and chains."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from pathbook.ledger import events, moves, runs
from pathbook.ledger.chains import BEGINNING, links
from pathbook.ledger.command_fields import OPERATOR
from pathbook.ledger.events import Event, RecordedEvent
from pathbook.ledger.hops import Hop, chain
from pathbook.ledger.run import EMPTY_HEAD, Run, next_head
from pathbook.ledger.terms import Terms
from pathbook.ledger.values import Delivery, Ranges, Unit, UnitState, is_consumer
from tests.examples import examples
from tests.strategies import EVENTS

CONTRACT: Final = (Path(__file__).resolve().parents[1] / "proto/pathbook/v1/events.proto").read_text("utf-8")
NOTHING: Final = "-"
POSITION: Final = 77


class Row(NamedTuple):
    """A row of the table of units."""

    event: str
    units: str
    owner: str
    custodian: str
    state: str
    hop: str


def table(first: str) -> list[list[str]]:
    """Return the cells of the table in the contract that begins with a line, without that line if it is a head."""
    after = CONTRACT[CONTRACT.index(first) :]
    lines = after[: after.index("\n//\n")].splitlines()
    return [re.split(r" {2,}", line.removeprefix("//").strip()) for line in lines]


ROWS: Final = [Row(*cells) for cells in table("//   event  ")[1:]]
CHAINS: Final = {name: field for names, field in table("//   BookOpened   ") for name in names.split(", ")}

names: Final = st.sampled_from(["acme", "ann", "bob", "consumer:c-1"])


@st.composite
def run(draw: st.DrawFn) -> Run:
    """Draw a run with a past of up to two hops."""
    last_hop: Hop | None = None
    for transfer in range(1, 1 + draw(st.integers(0, 2))):
        last_hop = Hop(transfer, draw(names | st.just("")), transfer, 0, last_hop)
    state = draw(st.sampled_from(UnitState))
    offer = 9 if state is UnitState.OFFERED else 0
    owner, custodian = draw(names), draw(names)
    transfer = offer or (last_hop.transfer if last_hop is not None else 0)
    return Run(0, 10**9, 9, 9, 0, 0, 0, owner, custodian, state, transfer, last_hop, b"h" * 32)


def recorded(event: Event) -> RecordedEvent:
    """Return an event as it is recorded."""
    return RecordedEvent(POSITION, 0, 0, b"", b"", event, b"l" * 32)


def kind_of(event: Event) -> str:
    """Return the name of the event as the tables have it."""
    name = type(event).__name__
    if not isinstance(event, events.ErrorDeclared):
        return name
    declared = re.sub(r"(?<!^)(?=[A-Z])", "_", type(event.declared).__name__).lower()
    return f"{name}.{declared}"


def named(event: Event, row: Row) -> Iterator[tuple[Ranges, Terms | events.DeclarableEvent | Event]]:
    """Yield the ranges that a row names, and what has the fields that the row names."""
    match row.units, event:
        case "terms.ranges", (
            events.TransferOffered(terms=terms)
            | events.TransferAccepted(terms=terms)
            | events.TransferRecorded(terms=terms)
            | events.TransferReversed(terms=terms)
            | events.UnitsSold(terms=terms)
        ):
            yield terms.ranges, terms
        case "discrepancies.ranges", events.TransferAccepted(discrepancies=discrepancies):
            for discrepancy in discrepancies:
                yield discrepancy.ranges, event
        case "lines.terms.ranges", events.UnitsReturned(lines=lines):
            for line in lines:
                yield line.terms.ranges, line.terms
        case "ranges", events.ErrorDeclared(declared=declared):
            assert not isinstance(declared, events.ReversalAsked)
            yield declared.ranges, declared
        case "ranges", (
            events.TransferDeclined(ranges=ranges)
            | events.TransferWithdrawn(ranges=ranges)
            | events.TransferLapsed(ranges=ranges)
            | events.TransferAttested(ranges=ranges)
            | events.UnitsDelivered(ranges=ranges)
            | events.PurchaseConfirmed(ranges=ranges)
            | events.UnitsWrittenOff(ranges=ranges)
        ):
            yield ranges, event
        case _:
            raise AssertionError(row)


def expected_custodian(cell: str, before: Run, source: object) -> str:
    """Return who has the goods after an event, by the notes below the table."""
    if cell == NOTHING:
        return before.custodian
    if cell == "(a)":
        assert isinstance(source, Terms)
        return source.receiver if source.delivery is Delivery.WITH_TITLE else before.custodian
    if cell == "(b)":
        assert isinstance(source, Terms)
        assert before.last_hop is not None
        remembered = before.last_hop.moved_from
        return remembered if remembered and before.custodian == source.receiver else before.custodian
    return str(getattr(source, cell))


def expected_state(cell: str, before: Run, unit: Unit, source: object) -> UnitState:
    """Return the state after an event, by the notes below the table."""
    if cell == NOTHING:
        return before.state
    if cell == "(c)":
        assert isinstance(source, events.UnitsWrittenOff)
        if any(
            part.batch == unit.batch and part.first <= unit.number <= part.last for part in source.confirmed
        ):
            return UnitState.CONFIRMED
        return UnitState.SOLD if is_consumer(before.owner) else UnitState.IN_STOCK
    return UnitState[cell] if cell.isupper() else getattr(source, cell)


def hops(run: Run) -> list[tuple[int, str]]:
    """Return the transfer of each hop, oldest first, and the custodian that it remembers."""
    return [(hop.transfer, hop.moved_from) for hop in chain(run.last_hop)][::-1]


def expected_hops(cell: str, before: Run, event: Event, custodian: str) -> list[tuple[int, str]]:
    """Return the transfers of the hops after an event, and the custodians that the hops remember."""
    if cell == "popped":
        return hops(before)[:-1]
    if cell == "pushed":
        transfer = event.transfer if isinstance(event, events.TransferAccepted) else POSITION
        return [*hops(before), (transfer, before.custodian if custodian != before.custodian else "")]
    return hops(before)


MOVING: Final = [row for row in ROWS if row.event != "BatchCommissioned"]


@pytest.mark.parametrize("row", MOVING, ids=lambda row: f"{row.event} {row.units}")
@settings(suppress_health_check=[HealthCheck.filter_too_much], max_examples=examples(15, 100))
@given(data=st.data(), before=run())
def test_a_row_says_what_the_event_makes_of_its_units(row: Row, data: st.DataObject, before: Run) -> None:
    """Owner, custodian, state, hops and head of each unit after the event are those that the row says."""
    name = row.event.partition(".")[0]
    event = data.draw(EVENTS[getattr(events, name)])
    assume(kind_of(event) == row.event)
    assume(row.hop != "popped" or before.last_hop is not None)
    for ranges, source in named(event, row):
        unit = Unit(ranges[0].batch, ranges[0].first)
        after = runs.after(before, recorded(event), unit)
        if after is None:
            continue  # drawn events may name a unit twice, which no book writes
        custodian = expected_custodian(row.custodian, before, source)
        assert after.owner == (before.owner if row.owner == NOTHING else getattr(source, row.owner))
        assert after.custodian == custodian
        assert after.state is expected_state(row.state, before, unit, source)
        assert hops(after) == expected_hops(row.hop, before, event, custodian)
        assert after.head == next_head(before.head, b"l" * 32, POSITION)


@given(event=EVENTS[events.BatchCommissioned])
def test_the_row_of_a_new_batch_says_what_its_units_are(event: Event) -> None:
    """All units of a new batch are one run, whose head has nothing but this event."""
    (row,) = (row for row in ROWS if row.event == "BatchCommissioned")
    assert isinstance(event, events.BatchCommissioned)
    (made,) = runs.commissioned(event, POSITION, b"l" * 32).runs
    assert (row.units, row.hop) == ("0 .. size - 1", NOTHING)
    assert (made.first, made.last, made.last_hop) == (0, event.size - 1, None)
    assert (made.owner, made.custodian) == (getattr(event, row.owner), getattr(event, row.custodian))
    assert made.state is UnitState[row.state]
    assert made.head == next_head(EMPTY_HEAD, b"l" * 32, POSITION)


@pytest.mark.parametrize("kind", EVENTS)
@settings(
    phases=[Phase.generate], max_examples=examples(8, 20)
)  # a wrong row fails at once, and its name is enough
@given(data=st.data())
def test_an_event_changes_the_units_of_its_rows_and_no_others(kind: type[Event], data: st.DataObject) -> None:
    """The batches whose units change are those of the rows; an event without a row changes no unit."""
    event = data.draw(EVENTS[kind])
    rows = [row for row in ROWS if row.event == kind_of(event)]
    if isinstance(event, events.BatchCommissioned):
        return
    wanted = {part.batch for row in rows for ranges, _ in named(event, row) for part in ranges}
    written_off = isinstance(event, events.ErrorDeclared) and isinstance(
        event.declared, events.UnitsWrittenOff
    )
    found = {part.batch for part in moves.changed_ranges(event)}
    assert (
        found >= wanted if written_off else found == wanted
    )  # drawn ones confirm units that were not written off


@pytest.mark.parametrize("kind", EVENTS)
@settings(phases=[Phase.generate], max_examples=examples(8, 20))
@given(data=st.data())
def test_the_table_of_chains_says_which_chain_an_event_extends(
    kind: type[Event], data: st.DataObject
) -> None:
    """The chain is that of the party or batch which the field names, or the operator's, or none without a row."""
    event = data.draw(EVENTS[kind])
    field = CHAINS.get(type(event).__name__, "").removesuffix(", or operator if it is empty")
    wanted = {"": [], "operator": [OPERATOR]}.get(field)
    assert [link.chain for link in links(event)] == ([getattr(event, field)] if wanted is None else wanted)


def test_every_event_in_the_tables_is_one() -> None:
    """The tables name kinds of events, and each unit event once for each of its units."""
    kinds = {kind.__name__ for kind in EVENTS}
    assert {row.event.partition(".")[0] for row in ROWS} | set(CHAINS) <= kinds
    assert len({(row.event, row.units) for row in ROWS}) == len(ROWS)


def test_the_contract_says_the_head_before_the_first_event() -> None:
    """It is the SHA-256 of no bytes, written out."""
    written = CONTRACT.partition("SHA-256 of no bytes, ")[2].partition(".")[0]
    assert bytes.fromhex(written.replace("//", " ")) == EMPTY_HEAD == BEGINNING.head
